/* A central that listens, and numbered parts on its connection; what does not come as expected ends the test. */
#ifndef BLE_LINK_WORLD_H
#define BLE_LINK_WORLD_H

#include "ble_world.h"

/* The handle of the connection. */
#define BLE_LINK_HANDLE 0x0041

/* Connects a central that has notifications on after an exchange of this MTU. */
void ble_link_listen(ble_world *world, uint16_t mtu);

/* The node advertises within two seconds, and nothing is left of a connection. */
void ble_link_expect_advertising(ble_world *world);

/* The central writes a part of `size` bytes that tell its number and place, in ACL packets of at most `piece` bytes. */
void ble_link_write(ble_world *world, unsigned number, size_t size, size_t piece);

/* Takes the next part at the node, which is that one. */
void ble_link_expect_part(ble_world *world, unsigned number, size_t size);

/* The node notifies such a part; false if it cannot now. */
bool ble_link_notify(ble_world *world, unsigned number, size_t size);

/* The packet that the node sent last but `back` notifies that part. */
void ble_link_expect_notified(ble_world *world, unsigned back, unsigned number, size_t size);

/* The newest packet of the node on this channel has this payload. */
void ble_link_expect_said(ble_world *world, uint16_t channel, const uint8_t *bytes, size_t size);

#endif
