#include "ble_link_world.h"

#include "check.h"

void ble_link_listen(ble_world *world, uint16_t mtu) {
    ble_world_connect(world, BLE_LINK_HANDLE);
    ble_world_listen(world, mtu);
    assert_int_equal(attune_ble_part(&world->ble), mtu - 3);
}

void ble_link_expect_advertising(ble_world *world) {
    for (int i = 0; i < 200 && !world->controller.advertising; i++) {
        ble_world_run(world, BLE_STEP_MS);
    }
    assert_true(world->controller.advertising);
    assert_int_equal(world->ble.buffers.used, 0);
    assert_int_equal(attune_ble_part(&world->ble), 0);
    assert_null(world->controller.fault);
}

/* A part whose bytes tell its number and size. */
static void make_part(uint8_t *part, size_t size, unsigned number) {
    for (size_t i = 0; i < size; i++) {
        part[i] = (uint8_t)(number * 31 + i);
    }
}

void ble_link_write(ble_world *world, unsigned number, size_t size, size_t piece) {
    uint8_t pdu[3 + ATTUNE_BLE_PART] = {0x52, 9, 0};
    make_part(pdu + 3, size, number);
    ble_controller_send(&world->controller, 4, pdu, 3 + size, piece);
}

void ble_link_expect_part(ble_world *world, unsigned number, size_t size) {
    uint8_t part[ATTUNE_BLE_PART], expected[ATTUNE_BLE_PART];
    make_part(expected, size, number);
    for (int i = 0; i < 10 && world->ble.inbox.size == 0; i++) {
        ble_world_run(world, BLE_STEP_MS);
    }
    assert_int_equal(attune_ble_receive(&world->ble, part, sizeof part), size);
    assert_memory_equal(part, expected, size);
}

void ble_link_expect_notified(ble_world *world, unsigned back, unsigned number, size_t size) {
    uint8_t expected[3 + ATTUNE_BLE_PART] = {0x1B, 11, 0};
    make_part(expected + 3, size, number);
    const ble_packet *packet = &world->controller.said[(world->controller.said_count - 1 - back) % BLE_SAID];
    assert_int_equal(packet->channel, 4);
    assert_int_equal(packet->size, 3 + size);
    assert_memory_equal(packet->payload, expected, 3 + size);
}

bool ble_link_notify(ble_world *world, unsigned number, size_t size) {
    uint8_t part[ATTUNE_BLE_PART + 1];
    make_part(part, size, number);
    return attune_ble_send(&world->ble, part, size);
}

void ble_link_expect_said(ble_world *world, uint16_t channel, const uint8_t *bytes, size_t size) {
    const ble_packet *packet = ble_controller_heard(&world->controller, channel);
    assert_non_null(packet);
    assert_int_equal(packet->size, size);
    assert_memory_equal(packet->payload, bytes, size);
}
