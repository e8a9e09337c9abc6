/* From the reset of a controller to advertising. */
#include "ble/host.h"

#include <string.h>

enum { RESET_DUE, RESETTING, SETTING_UP, READY };

/* A controller that fails its set-up is not reset more often than it can start. */
#define RESET_PAUSE_MS 1000u

/* While nobody is connected all is set up anew so often: a controller that has lost its power advertises no more, and need not say so. It costs
 * two hundred bytes on the wire and some milliseconds without advertising. */
#define REFRESH_MS 60000u

/* Disconnection complete, hardware error, data buffer overflow, LE meta events; answers and completed packets cannot be masked. */
static const uint8_t event_mask[8] = {0x10, 0x80, 0x00, 0x02, 0x00, 0x00, 0x00, 0x20};

/* Connection complete and connection update complete. With the others masked the controller itself refuses encryption, and takes or refuses what
 * else a central asks of the link. */
static const uint8_t le_event_mask[8] = {0x05};

static const uint8_t le_host[2] = {0x01, 0x00};
static const uint8_t enable[1] = {0x01};

typedef struct setup_step {
    uint16_t opcode;
    uint8_t size;
    bool optional; /* a controller may do without, or not know the command */
    const uint8_t *parameters;
} setup_step;

static const setup_step steps[] = {
    {OPCODE_SET_EVENT_MASK, 8, false, event_mask},
    {OPCODE_WRITE_LE_HOST_SUPPORT, 2, true, le_host}, /* controllers that know BR/EDR too */
    {OPCODE_LE_SET_EVENT_MASK, 8, false, le_event_mask},
    {OPCODE_LE_READ_LOCAL_FEATURES, 0, true, NULL},
    {OPCODE_LE_READ_BUFFER_SIZE, 0, false, NULL},
    {OPCODE_READ_BUFFER_SIZE, 0, false,
     NULL}, /* of the buffers that are shared with BR/EDR, if LE has none of its own */
    {OPCODE_LE_SET_RANDOM_ADDRESS, ATTUNE_BLE_ADDRESS, false, NULL},
    {OPCODE_LE_SET_ADVERTISING_PARAMETERS, sizeof attune_ble_advertising_parameters, false,
     attune_ble_advertising_parameters},
    {OPCODE_LE_SET_ADVERTISING_DATA, ADVERTISING_DATA, false, NULL},
    {OPCODE_LE_SET_ADVERTISING_ENABLE, sizeof enable, false, enable},
};

#define STEPS (sizeof steps / sizeof steps[0])

void attune_ble_begin(attune_ble *ble) {
    ble->setup.reset_ms = 0u - RESET_PAUSE_MS; /* the first one need not wait */
    attune_ble_restart(ble);
}

void attune_ble_restart(attune_ble *ble) {
    attune_ble_link_down(ble);
    attune_ble_hunt(ble);
    ble->setup.phase = RESET_DUE;
}

bool attune_ble_setup_reset(attune_ble *ble) {
    attune_ble_setup *setup = &ble->setup;
    if (setup->phase != RESET_DUE || ble->now_ms - setup->reset_ms < RESET_PAUSE_MS) {
        return false;
    }
    setup->phase = RESETTING;
    setup->reset_ms = ble->now_ms;
    attune_ble_command(ble, OPCODE_RESET, NULL, 0);
    return true;
}

void attune_ble_was_reset(attune_ble *ble, uint8_t credits) {
    attune_ble_setup *setup = &ble->setup;
    if (setup->phase != RESETTING) {
        return; /* of an earlier one */
    }
    setup->phase = SETTING_UP;
    setup->step = 0;
    setup->features = 0;
    ble->buffers = (attune_ble_buffers){0};
    attune_ble_found(ble, credits);
}

bool attune_ble_setup_command(attune_ble *ble) {
    if (ble->setup.phase != SETTING_UP) {
        return false;
    }
    const setup_step *step = &steps[ble->setup.step];
    uint8_t data[ADVERTISING_DATA];
    const uint8_t *parameters = step->parameters;
    if (step->opcode == OPCODE_LE_SET_RANDOM_ADDRESS) {
        parameters = ble->wish.address;
    } else if (step->opcode == OPCODE_LE_SET_ADVERTISING_DATA) {
        attune_ble_advertising_data(ble, data);
        parameters = data;
    }
    attune_ble_command(ble, step->opcode, parameters, step->size);
    return true;
}

/* False if the controller cannot serve: a packet of data has at least 27 bytes. */
static bool take_buffers(attune_ble *ble, uint16_t length, uint16_t count) {
    ble->buffers.length = length;
    ble->buffers.count = count;
    return length >= 27 && count > 0;
}

/* Takes what the answer to a step says; false if one cannot go on with it. */
static bool take_answer(attune_ble *ble, uint16_t opcode, const uint8_t *answer, size_t size) {
    switch (opcode) {
    case OPCODE_LE_READ_LOCAL_FEATURES:
        ble->setup.features = size >= 2 ? answer[1] : 0;
        return true;
    case OPCODE_LE_READ_BUFFER_SIZE:
        if (size < 4) {
            return false;
        }
        if (get16(answer + 1) == 0) {
            return true;
        }
        ble->setup.step++;
        return take_buffers(ble, get16(answer + 1), answer[3]);
    case OPCODE_READ_BUFFER_SIZE:
        return size >= 8 && take_buffers(ble, get16(answer + 1), get16(answer + 4));
    default:
        return true;
    }
}

void attune_ble_setup_answer(attune_ble *ble, uint16_t opcode, const uint8_t *answer, size_t size) {
    attune_ble_setup *setup = &ble->setup;
    if (setup->phase != SETTING_UP || steps[setup->step].opcode != opcode) {
        return;
    }
    const bool good = answer[0] == STATUS_OK ? take_answer(ble, opcode, answer, size) : steps[setup->step].optional;
    if (!good) {
        attune_ble_restart(ble);
        return;
    }
    setup->step++;
    if (setup->step == STEPS) {
        setup->phase = READY;
        setup->done_ms = ble->now_ms;
    }
}

bool attune_ble_may_connect(const attune_ble *ble) {
    const attune_ble_setup *setup = &ble->setup;
    return setup->phase == READY || (setup->phase == SETTING_UP && setup->step == STEPS - 1);
}

void attune_ble_advertise(attune_ble *ble) {
    ble->setup.phase = SETTING_UP;
    ble->setup.step = STEPS - 1;
    /* An answer that is still to come is that to a command of before; it only says that the controller takes another. */
    ble->commands.pending = 0;
}

void attune_ble_watch_setup(attune_ble *ble, const attune_ble_wish *wish) {
    ble->wish.fast = wish->fast;
    if (ble->link.connected) {
        return;
    }
    const bool other = memcmp(ble->wish.hint, wish->hint, sizeof wish->hint) != 0 ||
                       memcmp(ble->wish.address, wish->address, sizeof wish->address) != 0;
    const bool old = ble->setup.phase == READY && ble->now_ms - ble->setup.done_ms >= REFRESH_MS;
    if (other || old) {
        ble->wish = *wish;
        attune_ble_restart(ble);
    }
}
