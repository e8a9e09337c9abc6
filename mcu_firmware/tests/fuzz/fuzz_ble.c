/* What a Bluetooth host makes of a controller and a central that say anything at any time. The input is what they say and do; a central is
 * connected from the beginning. Properties: nothing of the host grows beyond its place; as long as the controller itself keeps the rules, so does
 * the host, whatever the central sends; and when the controller begins anew, be it in silence, the node advertises and serves again. */
#include "ble_world.h"
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 64
#define HANDLE 0x0041

/* A node with a silent controller finds out within a minute, and then has to be in step with it. */
#define RECOVERY_MS 70000
#define RECOVERY_STEP_MS 250

static ble_world world;
static ble_world made; /* connected, and listening */
static bool legal;     /* the controller has kept the rules so far */

static void pass_time(unsigned steps, uint32_t step_ms) {
    for (unsigned i = 0; i < steps; i++) {
        world.now_ms += step_ms;
        ble_world_run(&world, BLE_STEP_MS);
    }
}

static void node_works(const step *what) {
    uint8_t part[ATTUNE_BLE_PART] = {what->argument};
    for (int i = 0; i < 1 + what->argument % 8; i++) {
        must(attune_ble_receive(&world.ble, part, sizeof part) <= sizeof part);
    }
    const uint16_t most = attune_ble_part(&world.ble);
    if (what->size > 0) {
        const bool sent = attune_ble_send(&world.ble, part, what->size % sizeof part);
        must(!sent || what->size % sizeof part <= most);
    }
}

static void change(const step *what) {
    ble_controller *controller = &world.controller;
    switch (what->argument % 8) {
    case 0:
        controller->keeps_completed = !controller->keeps_completed;
        break;
    case 1:
        controller->late_answers = !controller->late_answers;
        break;
    case 2:
        controller->mute = !controller->mute;
        break;
    case 3:
        controller->deaf = !controller->deaf;
        break;
    case 4:
        controller->chunk = what->size;
        break;
    case 5:
        controller->failing = what->size < 2 ? 0 : (uint16_t)(what->bytes[0] | what->bytes[1] << 8);
        controller->failure = what->size < 3 ? 0x1A : what->bytes[2];
        break;
    case 6:
        world.wish.fast = !world.wish.fast;
        break;
    default:
        world.wish.hint[0]++;
    }
}

/* Another controller is there after the next reset. */
static void replace(const step *what) {
    ble_controller *controller = &world.controller;
    ble_controller_forget(controller);
    controller->features = what->argument;
    controller->shared = what->size % 2 == 1;
    controller->buffer_length = (uint16_t)(27 + what->argument);
    controller->buffers = (uint8_t)(1 + what->size % 5);
    legal = false;
}

/* What a central does, and what a controller may. */
static void do_what_is_legal(const step *what) {
    ble_controller *controller = &world.controller;
    const bool connected = controller->handle != BLE_NOBODY;
    switch (what->operation % 8) {
    case 0:
        if (connected) {
            ble_controller_send(controller, 4, what->bytes, what->size, 8 + what->argument);
        }
        break;
    case 1:
        if (connected) {
            ble_controller_data(controller, what->argument % 4, what->bytes, what->size);
        }
        break;
    case 2:
        if (connected) {
            ble_controller_send(controller, 5 + what->argument % 3, what->bytes, what->size, 27);
        }
        break;
    case 3:
        pass_time(16, 10u * what->argument);
        break;
    case 4:
        if (connected) {
            ble_controller_disconnect(controller, what->argument);
        } else if (controller->advertising && !controller->mute) {
            ble_controller_connect(controller, HANDLE + what->argument);
        }
        break;
    case 5:
        ble_controller_complete(controller, controller->filled < what->argument ? controller->filled : what->argument);
        ble_controller_answer(controller);
        break;
    case 6:
        node_works(what);
        break;
    default:
        change(what);
    }
}

static void take(const step *what) {
    if (what->operation < 0xC0) {
        do_what_is_legal(what);
    } else if (what->operation < 0xD0) {
        ble_controller_bytes(&world.controller, what->bytes, what->size);
        legal = false;
    } else if (what->operation < 0xF0) {
        ble_controller_event(&world.controller, what->argument, what->bytes, what->size);
        legal = false;
    } else {
        replace(what);
    }
    ble_world_run(&world, BLE_STEP_MS);
    must(!legal || world.controller.fault == NULL);
}

static void empty_inbox(void) {
    uint8_t part[ATTUNE_BLE_PART];
    while (attune_ble_receive(&world.ble, part, sizeof part) > 0) {
    }
}

/* The controller has begun anew, and from now on keeps the rules. */
static void expect_recovery(void) {
    ble_controller *controller = &world.controller;
    ble_controller_forget(controller);
    controller->mute = controller->deaf = controller->keeps_completed = controller->late_answers = false;
    controller->failing = 0;
    controller->fault = NULL;
    for (uint32_t ms = 0; ms < RECOVERY_MS; ms += RECOVERY_STEP_MS) {
        empty_inbox();
        pass_time(1, RECOVERY_STEP_MS);
    }
    for (int i = 0; i < 200 && !controller->advertising; i++) {
        ble_world_run(&world, BLE_STEP_MS);
    }
    must(controller->advertising && is_same(controller->advertised + 22, world.wish.hint, ATTUNE_BLE_HINT));
    must(world.ble.buffers.used == 0 && attune_ble_part(&world.ble) == 0);
    ble_world_connect(&world, HANDLE);
    ble_world_listen(&world, 100);
    must(attune_ble_part(&world.ble) == 97);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    script input = {data, size};
    step next;
    if (made.now_ms == 0) {
        ble_world_init(&world);
        ble_world_connect(&world, HANDLE);
        ble_world_listen(&world, ATTUNE_BLE_MTU);
        made = world;
    }
    world = made;
    legal = true;
    for (int i = 0; i < STEPS && next_step(&input, &next); i++) {
        take(&next);
    }
    expect_recovery();
    return 0;
}
