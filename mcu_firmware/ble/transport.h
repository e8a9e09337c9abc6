/* Four functions between a node and its Bluetooth LE peripheral: the whole of what the node knows of it. This folder implements them over HCI
 * (ble.h); a vendor's stack may implement them instead (docs/porting.md).
 *
 * All are called from one thread, the node's loop, and none waits. A part is one value of the service's characteristics: written to the inbox
 * without response, or notified by the outbox. */
#ifndef ATTUNE_BLE_TRANSPORT_H
#define ATTUNE_BLE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest part: what one notification or write carries at the largest MTU, 247, which fills one packet of the link layer. */
#define ATTUNE_BLE_PART 244

/* Bytes of the advertised hint, and of a device address. */
#define ATTUNE_BLE_HINT 8
#define ATTUNE_BLE_ADDRESS 6

typedef struct attune_ble attune_ble; /* of whoever implements */

typedef struct attune_ble_wish {
    uint8_t hint[ATTUNE_BLE_HINT]; /* advertised */
    uint8_t address
        [ATTUNE_BLE_ADDRESS]; /* static random device address, low byte first: the two top bits of the last byte are 1 */
    bool fast;                /* much is to be sent: a short connection interval is worth its power */
} attune_ble_wish;

/* Does what is due. Whenever nobody is connected it advertises the wish's hint from the wish's address; another hint or address is taken up as
 * soon as nobody is connected. While somebody is, asks for the connection parameters that the wish means. Call it at least once a
 * second, and whenever bytes of the controller may wait; now_ms never goes back. */
void attune_ble_step(attune_ble *ble, const attune_ble_wish *wish, uint64_t now_ms);

/* The largest part that can be sent now, 20 to ATTUNE_BLE_PART, while a central listens (is connected and has notifications on), else 0.
 * It may grow during a connection. Between two centrals it is 0 after at least one step. */
uint16_t attune_ble_part(const attune_ble *ble);

/* Takes the oldest part that the central has written, in order; returns its size, 0 if none waits. Parts longer than capacity are cut:
 * give ATTUNE_BLE_PART. Parts of a central that is gone are dropped. While parts are not taken, further ones are held back, not lost;
 * so take them also while attune_ble_send() refuses: what would free its buffers may be behind them. */
size_t attune_ble_receive(attune_ble *ble, uint8_t *part, size_t capacity);

/* Notifies a part of 1 to attune_ble_part() bytes. False: nobody listens, it is too long, or no buffer is free now, so that it may be tried again
 * after the next step. True: it goes out in order, or the connection ends. */
bool attune_ble_send(attune_ble *ble, const uint8_t *part, size_t size);

#endif
