/* A host, its controller, and the time that passes for both. */
#ifndef BLE_WORLD_H
#define BLE_WORLD_H

#include "ble_controller.h"

/* A node looks after its host so often. */
#define BLE_STEP_MS 10

typedef struct ble_world {
    attune_ble ble;
    ble_controller controller;
    attune_ble_wish wish;
    uint64_t now_ms;
} ble_world;

/* A node that has just started, with a controller that has. */
void ble_world_init(ble_world *world);

/* Steps until so much time has passed, and at least once. */
void ble_world_run(ble_world *world, uint32_t ms);

/* A central is connected, and if it listens has notifications on after an exchange of this MTU. */
void ble_world_connect(ble_world *world, uint16_t handle);
void ble_world_listen(ble_world *world, uint16_t mtu);

/* A request from the central on the attribute channel, and the answer to it; NULL if there is none. */
const ble_packet *ble_world_ask(ble_world *world, const uint8_t *request, size_t size);

#endif
