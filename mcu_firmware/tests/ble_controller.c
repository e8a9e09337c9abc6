#include "ble_controller.h"

#include <string.h>

enum { COMMAND = 1, DATA = 2, EVENT = 4 };

static void fault(ble_controller *controller, const char *what) {
    if (controller->fault == NULL) {
        controller->fault = what;
    }
}

static unsigned two(const uint8_t *bytes) { return bytes[0] + 256u * bytes[1]; }

static void forget_links(ble_controller *controller) {
    controller->advertising = false;
    controller->handle = BLE_NOBODY;
    controller->filled = 0;
    controller->pieces_size = 0;
    controller->answers_size = 0;
    controller->available = 1;
    controller->event_mask = 0x00001FFFFFFFFFFF;
    controller->le_event_mask = 0x1F;
    memset(controller->address, 0, sizeof controller->address);
    memset(controller->advertised, 0, sizeof controller->advertised);
    memset(controller->parameters, 0, sizeof controller->parameters);
}

void ble_controller_forget(ble_controller *controller) {
    forget_links(controller);
    controller->lost = controller->from_host_size > 0;
    controller->from_host_size = 0;
}

void ble_controller_init(ble_controller *controller) {
    memset(controller, 0, sizeof *controller);
    controller->buffer_length = 251;
    controller->buffers = 4;
    controller->features = 0x22;
    controller->credits = 1;
    ble_controller_forget(controller);
}

void ble_controller_bytes(ble_controller *controller, const uint8_t *bytes, size_t size) {
    if (controller->to_host_at == controller->to_host_size) {
        controller->to_host_at = controller->to_host_size = 0;
    }
    if (size > sizeof controller->to_host - controller->to_host_size) {
        fault(controller, "the host reads nothing");
        return;
    }
    memcpy(controller->to_host + controller->to_host_size, bytes, size);
    controller->to_host_size += size;
}

void ble_controller_event(ble_controller *controller, uint8_t code, const uint8_t *parameters, size_t size) {
    const uint8_t head[] = {EVENT, code, (uint8_t)size};
    ble_controller_bytes(controller, head, sizeof head);
    ble_controller_bytes(controller, parameters, size);
}

static void keep_answer(ble_controller *controller, uint8_t code, const uint8_t *parameters, size_t size) {
    uint8_t *end = controller->answers + controller->answers_size;
    if (controller->answers_size + 2 + size > sizeof controller->answers) {
        return; /* to one reset of many */
    }
    end[0] = code;
    end[1] = (uint8_t)size;
    memcpy(end + 2, parameters, size);
    controller->answers_size += 2 + size;
    if (!controller->late_answers) {
        ble_controller_answer(controller);
    }
}

void ble_controller_answer(ble_controller *controller) {
    for (size_t at = 0; at < controller->answers_size; at += 2u + controller->answers[at + 1]) {
        ble_controller_event(controller, controller->answers[at], controller->answers + at + 2,
                             controller->answers[at + 1]);
        controller->available = controller->credits;
    }
    controller->answers_size = 0;
}

static void complete(ble_controller *controller, unsigned opcode, const uint8_t *more, size_t size, uint8_t status) {
    uint8_t parameters[64] = {controller->credits, opcode & 0xFFu, (uint8_t)(opcode >> 8), status};
    memcpy(parameters + 4, more, size);
    keep_answer(controller, 0x0E, parameters, 4 + size);
}

static void status(ble_controller *controller, unsigned opcode, uint8_t status_code) {
    const uint8_t parameters[] = {status_code, controller->credits, opcode & 0xFFu, (uint8_t)(opcode >> 8)};
    keep_answer(controller, 0x0F, parameters, sizeof parameters);
}

static bool knows(const ble_controller *controller, const uint8_t *handle) {
    return controller->handle != BLE_NOBODY && two(handle) == controller->handle;
}

static void updated(ble_controller *controller, const uint8_t *parameters) {
    const uint8_t event[] = {0x03,          0,
                             parameters[0], parameters[1],
                             parameters[4], parameters[5],
                             parameters[6], parameters[7],
                             parameters[8], parameters[9]};
    ble_controller_event(controller, 0x3E, event, sizeof event);
}

/* What a command does: status, and what its answer says beside. */
static uint8_t obey(ble_controller *controller, unsigned opcode, const uint8_t *parameters, uint8_t *more,
                    size_t *more_size) {
    switch (opcode) {
    case 0x0C01:
        memcpy(&controller->event_mask, parameters, 8);
        return 0;
    case 0x0C6D:
        return controller->shared ? 0 : 0x01;
    case 0x1005:
        memcpy(more,
               (uint8_t[]){(uint8_t)controller->buffer_length, (uint8_t)(controller->buffer_length >> 8), 0,
                           controller->buffers, 0, 0, 0},
               *more_size = 7);
        return 0;
    case 0x1405:
        memcpy(more, (uint8_t[]){parameters[0], parameters[1], 0xC4}, *more_size = 3);
        return knows(controller, parameters) ? 0 : 2;
    case 0x2001:
        memcpy(&controller->le_event_mask, parameters, 8);
        return 0;
    case 0x2002:
        memcpy(more,
               (uint8_t[]){(uint8_t)controller->buffer_length, (uint8_t)(controller->buffer_length >> 8),
                           controller->buffers},
               *more_size = 3);
        if (controller->shared) {
            memset(more, 0, 3);
        }
        return 0;
    case 0x2003:
        memset(more, 0, *more_size = 8);
        more[0] = controller->features;
        return 0;
    case 0x2005:
        memcpy(controller->address, parameters, 6);
        return controller->advertising ? 0x0C : 0;
    case 0x2006:
        memcpy(controller->parameters, parameters, 15);
        return controller->advertising ? 0x0C : 0;
    case 0x2008:
        memcpy(controller->advertised, parameters, 32);
        return 0;
    case 0x200A:
        controller->advertising = parameters[0] == 1;
        return 0;
    case 0x2022:
        memcpy(more, parameters, *more_size = 2);
        return knows(controller, parameters) ? 0 : 2;
    default:
        return 0x01;
    }
}

static void do_command(ble_controller *controller, unsigned opcode, const uint8_t *parameters) {
    if (opcode == 0x0C03) {
        forget_links(controller);
        controller->resets++;
        complete(controller, opcode, (uint8_t[1]){0}, 0, 0);
        return;
    }
    if (opcode == controller->failing) {
        opcode == 0x2013 || opcode == 0x0406 ? status(controller, opcode, controller->failure)
                                             : complete(controller, opcode, (uint8_t[1]){0}, 0, controller->failure);
        return;
    }
    if (opcode == 0x0406 || opcode == 0x2013) {
        const bool known = knows(controller, parameters);
        status(controller, opcode, known ? 0 : 2);
        if (known && opcode == 0x0406) {
            ble_controller_disconnect(controller, 0x16);
        } else if (known) {
            updated(controller, parameters);
        }
        return;
    }
    uint8_t more[16];
    size_t more_size = 0;
    const uint8_t code = obey(controller, opcode, parameters, more, &more_size);
    complete(controller, opcode, more, code == 0 || code == 2 ? more_size : 0, code);
}

/* Length of the parameters of the commands that a peripheral host needs (volume 4, part E, 7); -1 for any other. */
static int parameters_of(unsigned opcode) {
    static const struct {
        uint16_t opcode;
        int8_t size;
    } sizes[] = {{0x0406, 3},  {0x0C01, 8},  {0x0C03, 0}, {0x0C6D, 2},  {0x1005, 0},
                 {0x1405, 2},  {0x2001, 8},  {0x2002, 0}, {0x2003, 0},  {0x2005, 6},
                 {0x2006, 15}, {0x2008, 32}, {0x200A, 1}, {0x2013, 14}, {0x2022, 6}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].opcode == opcode) {
            return sizes[i].size;
        }
    }
    return -1;
}

static void take_command(ble_controller *controller, const uint8_t *packet) {
    const unsigned opcode = two(packet + 1);
    if (parameters_of(opcode) != packet[3]) {
        fault(controller, "a command is unknown or has a wrong length");
    }
    if (opcode != 0x0C03 && controller->available == 0) {
        fault(controller, "a command was not waited for");
    }
    controller->available = 0;
    controller->commands++;
    controller->last_opcode = (uint16_t)opcode;
    memset(controller->last, 0, sizeof controller->last);
    memcpy(controller->last, packet + 4, packet[3] < sizeof controller->last ? packet[3] : sizeof controller->last);
    if (opcode >> 8 == 0x20) {
        controller->count[opcode & 0x3F]++;
    }
    if (!controller->mute) {
        do_command(controller, opcode, controller->last);
    }
}

static void take_packet(ble_controller *controller, const uint8_t *pieces, size_t size) {
    ble_packet *packet = &controller->said[controller->said_count++ % BLE_SAID];
    packet->channel = (uint16_t)two(pieces + 2);
    packet->size = (uint16_t)(size - 4);
    if (size - 4 > ATTUNE_BLE_MTU) {
        fault(controller, "a packet is longer than any may be");
        return;
    }
    memcpy(packet->payload, pieces + 4, size - 4);
}

static void take_piece(ble_controller *controller, unsigned flags, const uint8_t *bytes, size_t size) {
    if ((flags == 0) != (controller->pieces_size == 0) || flags > 1) {
        fault(controller, "a packet has begun before the last one ended, or has no beginning");
    }
    if (size == 0 || size > controller->buffer_length || controller->pieces_size + size > sizeof controller->pieces) {
        fault(controller, "a piece is empty or longer than a buffer");
        return;
    }
    memcpy(controller->pieces + controller->pieces_size, bytes, size);
    controller->pieces_size += size;
    const size_t whole = controller->pieces_size < 4 ? SIZE_MAX : 4 + two(controller->pieces);
    if (controller->pieces_size >= whole) {
        if (controller->pieces_size > whole) {
            fault(controller, "a packet is longer than it says");
        }
        take_packet(controller, controller->pieces, whole);
        controller->pieces_size = 0;
    }
}

static void take_data(ble_controller *controller, const uint8_t *packet) {
    if (!knows(controller, (uint8_t[]){packet[1], packet[2] & 0x0Fu})) {
        return; /* on its way when the connection ended */
    }
    if (controller->filled >= controller->buffers) {
        fault(controller, "the buffers are full");
    }
    controller->filled++;
    take_piece(controller, packet[2] >> 4, packet + 5, two(packet + 3));
    if (!controller->keeps_completed && !controller->mute) {
        ble_controller_complete(controller, 1);
    }
}

/* Half a packet has come when the controller began anew: what it looks for is a reset (part A, 4). */
static bool find_reset(ble_controller *controller) {
    static const uint8_t reset[] = {COMMAND, 0x03, 0x0C, 0};
    if (controller->from_host_size < sizeof reset) {
        return false;
    }
    controller->lost = memcmp(controller->from_host, reset, sizeof reset) != 0;
    if (controller->lost) {
        controller->from_host_size--;
        memmove(controller->from_host, controller->from_host + 1, controller->from_host_size);
    }
    return true;
}

static bool take_one(ble_controller *controller) {
    if (controller->lost) {
        return find_reset(controller);
    }
    const uint8_t *bytes = controller->from_host;
    const size_t head = bytes[0] == COMMAND ? 4 : 5;
    if (controller->from_host_size > 0 && bytes[0] != COMMAND && bytes[0] != DATA) {
        fault(controller, "a packet is neither command nor data");
    }
    if (controller->from_host_size < head) {
        return false;
    }
    const size_t size = head + (bytes[0] == COMMAND ? bytes[3] : two(bytes + 3));
    if (controller->from_host_size < size) {
        return false;
    }
    if (controller->hear != NULL) {
        controller->hear(controller->hear_context, bytes, size);
    }
    if (bytes[0] == COMMAND) {
        take_command(controller, bytes);
    } else {
        take_data(controller, bytes);
    }
    controller->from_host_size -= size;
    memmove(controller->from_host, bytes + size, controller->from_host_size);
    return true;
}

static size_t send(void *context, const uint8_t *bytes, size_t size) {
    ble_controller *controller = context;
    const size_t room = sizeof controller->from_host - controller->from_host_size;
    size_t taken = controller->deaf ? 0 : size < room ? size : room;
    if (controller->chunk > 0 && taken > controller->chunk) {
        taken = controller->chunk;
    }
    memcpy(controller->from_host + controller->from_host_size, bytes, taken);
    controller->from_host_size += taken;
    while (take_one(controller)) {
    }
    return taken;
}

static size_t receive(void *context, uint8_t *bytes, size_t capacity) {
    ble_controller *controller = context;
    const size_t waiting = controller->to_host_size - controller->to_host_at;
    size_t taken = waiting < capacity ? waiting : capacity;
    if (controller->chunk > 0 && taken > controller->chunk) {
        taken = controller->chunk;
    }
    memcpy(bytes, controller->to_host + controller->to_host_at, taken);
    controller->to_host_at += taken;
    return taken;
}

attune_hci ble_controller_hci(ble_controller *controller) {
    return (attune_hci){.context = controller, .send = send, .receive = receive};
}

void ble_controller_connect(ble_controller *controller, uint16_t handle) {
    if (!controller->advertising) {
        fault(controller, "nobody can connect");
        return;
    }
    controller->advertising = false;
    controller->handle = handle;
    const uint8_t event[] = {
        0x01, 0, handle & 0xFFu, (uint8_t)(handle >> 8), 1, 1, 6, 5, 4, 3, 2, 0xC1, 24, 0, 0, 0, 0x48, 0, 0};
    ble_controller_event(controller, 0x3E, event, sizeof event);
}

void ble_controller_disconnect(ble_controller *controller, uint8_t reason) {
    const uint8_t event[] = {0, controller->handle & 0xFFu, (uint8_t)(controller->handle >> 8), reason};
    controller->handle = BLE_NOBODY;
    controller->filled = 0;
    controller->pieces_size = 0;
    ble_controller_event(controller, 0x05, event, sizeof event);
}

void ble_controller_complete(ble_controller *controller, unsigned packets) {
    if (packets == 0 || controller->handle == BLE_NOBODY) {
        return;
    }
    controller->filled -= packets < controller->filled ? packets : controller->filled;
    const uint8_t event[] = {1, controller->handle & 0xFFu, (uint8_t)(controller->handle >> 8), packets & 0xFFu, 0};
    ble_controller_event(controller, 0x13, event, sizeof event);
}

void ble_controller_data(ble_controller *controller, unsigned flags, const uint8_t *bytes, size_t size) {
    const unsigned head = controller->handle | flags << 12;
    ble_controller_bytes(controller,
                         (uint8_t[]){DATA, head & 0xFFu, (uint8_t)(head >> 8), size & 0xFFu, (uint8_t)(size >> 8)}, 5);
    ble_controller_bytes(controller, bytes, size);
}

void ble_controller_send(ble_controller *controller, uint16_t channel, const uint8_t *payload, size_t size,
                         size_t piece) {
    uint8_t packet[4 + 1024] = {size & 0xFFu, (uint8_t)(size >> 8), channel & 0xFFu, (uint8_t)(channel >> 8)};
    memcpy(packet + 4, payload, size);
    for (size_t at = 0; at < 4 + size; at += piece) {
        const size_t left = 4 + size - at;
        ble_controller_data(controller, at == 0 ? 2 : 1, packet + at, left < piece ? left : piece);
    }
}

const ble_packet *ble_controller_heard(const ble_controller *controller, uint16_t channel) {
    for (unsigned back = 1; back <= controller->said_count && back <= BLE_SAID; back++) {
        const ble_packet *packet = &controller->said[(controller->said_count - back) % BLE_SAID];
        if (packet->channel == channel) {
            return packet;
        }
    }
    return NULL;
}
