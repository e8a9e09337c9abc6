#include "ble_world.h"

#include <string.h>

void ble_world_init(ble_world *world) {
    memset(&world->wish, 0, sizeof world->wish);
    ble_controller_init(&world->controller);
    memcpy(world->wish.hint, (uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}, ATTUNE_BLE_HINT);
    memcpy(world->wish.address, (uint8_t[]){0x11, 0x22, 0x33, 0x44, 0x55, 0xC6}, ATTUNE_BLE_ADDRESS);
    world->now_ms = 7;
    const attune_hci hci = ble_controller_hci(&world->controller);
    attune_ble_init(&world->ble, &hci);
}

/* Nothing has grown beyond its place. */
static bool is_sound(const attune_ble *ble) {
    return ble->inbox.size <= sizeof ble->inbox.parts && ble->incoming.size <= sizeof ble->incoming.packet &&
           ble->outgoing.size <= sizeof ble->outgoing.packets && ble->outgoing.sent <= ble->outgoing.size &&
           ble->buffers.used <= ble->buffers.count && ble->writer.size <= sizeof ble->writer.bytes &&
           ble->writer.body_at + ble->writer.body <= sizeof ble->outgoing.packets &&
           (ble->link.connected || (!ble->link.listening && ble->buffers.used == 0 && ble->outgoing.size == 0)) &&
           attune_ble_part(ble) <= ATTUNE_BLE_PART;
}

void ble_world_run(ble_world *world, uint32_t ms) {
    const uint64_t end = world->now_ms + ms;
    do {
        world->now_ms += BLE_STEP_MS;
        attune_ble_step(&world->ble, &world->wish, world->now_ms);
        if (!is_sound(&world->ble)) {
            world->controller.fault = "something has grown beyond its place";
        }
    } while (world->now_ms < end);
}

void ble_world_connect(ble_world *world, uint16_t handle) {
    for (int i = 0; i < 20 && !world->controller.advertising; i++) {
        ble_world_run(world, BLE_STEP_MS);
    }
    ble_controller_connect(&world->controller, handle);
    ble_world_run(world, 5 * BLE_STEP_MS);
}

void ble_world_listen(ble_world *world, uint16_t mtu) {
    (void)ble_world_ask(world, (uint8_t[]){0x02, mtu & 0xFFu, (uint8_t)(mtu >> 8)}, 3);
    (void)ble_world_ask(world, (uint8_t[]){0x12, 12, 0, 1, 0}, 5);
}

const ble_packet *ble_world_ask(ble_world *world, const uint8_t *request, size_t size) {
    const unsigned before = world->controller.said_count;
    ble_controller_send(&world->controller, 4, request, size, 251);
    ble_world_run(world, 3 * BLE_STEP_MS);
    return world->controller.said_count == before ? NULL : ble_controller_heard(&world->controller, 4);
}
