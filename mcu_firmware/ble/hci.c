/* H4 (volume 4, part A) and the flow of commands and events (part E, 4.4). */
#include "ble/host.h"

#include <string.h>

enum { PACKET_COMMAND = 1, PACKET_DATA = 2, PACKET_EVENT = 4 };

enum {
    EVENT_DISCONNECTED = 0x05,
    EVENT_COMMAND_COMPLETE = 0x0E,
    EVENT_COMMAND_STATUS = 0x0F,
    EVENT_HARDWARE_ERROR = 0x10,
    EVENT_COMPLETED_PACKETS = 0x13,
    EVENT_BUFFER_OVERFLOW = 0x1A,
    EVENT_LE = 0x3E,
};

/* What comes next. HUNT is first: it is where a host starts. */
enum { HUNT, TYPE, HEAD, EVENT, DATA, NOTHING };

/* Calls of receive and of send in one step at most, some eight packets each way, so that a central cannot keep the node from the rest of its
 * work. */
#define CALLS_A_STEP 64

/* A controller answers within a second (part E, 4.4), and then there is the line. */
#define ANSWER_MS 2000u

/* The answer to a reset: the one thing that is looked for in what an unsynchronised line brings (part A, 4). The number of commands may be
 * any. */
static const uint8_t reset_answer[] = {PACKET_EVENT, EVENT_COMMAND_COMPLETE, 4, 0, 0x03, 0x0C, STATUS_OK};
#define CREDITS_AT 3

static void enter(attune_ble_reader *reader, uint8_t stage) {
    reader->stage = stage;
    reader->have = 0;
}

/* False as soon as the line is dry. */
static bool receive(attune_ble *ble, uint8_t *bytes, size_t size) {
    attune_ble_reader *reader = &ble->reader;
    const size_t got = ble->hci.receive(ble->hci.context, bytes, size);
    reader->have = (uint16_t)(reader->have + got);
    return got > 0;
}

/* All that came before the answer to the reset is passed over. */
static bool hunt(attune_ble *ble) {
    uint8_t *last = ble->reader.event;
    uint8_t byte;
    if (!receive(ble, &byte, 1)) {
        return false;
    }
    memmove(last, last + 1, sizeof reset_answer - 1);
    last[sizeof reset_answer - 1] = byte;
    size_t same = 0;
    while (same < sizeof reset_answer && (same == CREDITS_AT || last[same] == reset_answer[same])) {
        same++;
    }
    if (same == sizeof reset_answer) {
        attune_ble_was_reset(ble, last[CREDITS_AT]);
    }
    return true;
}

/* Any other type than these two is none that was asked for: the line has lost its place. */
static bool read_type(attune_ble *ble) {
    uint8_t type;
    if (!receive(ble, &type, 1)) {
        return false;
    }
    if (type != PACKET_EVENT && type != PACKET_DATA) {
        attune_ble_restart(ble);
        return true;
    }
    enter(&ble->reader, HEAD);
    ble->reader.type = type;
    return true;
}

/* An event's code and length; data's handle and length. */
static bool read_head(attune_ble *ble) {
    attune_ble_reader *reader = &ble->reader;
    const uint16_t size = reader->type == PACKET_EVENT ? 2 : 4;
    if (!receive(ble, reader->head + reader->have, (size_t)(size - reader->have))) {
        return false;
    }
    if (reader->have < size) {
        return true;
    }
    if (reader->type == PACKET_EVENT) {
        reader->size = reader->head[1];
        enter(reader, EVENT);
    } else {
        reader->size = get16(reader->head + 2);
        enter(reader, attune_ble_l2cap_begin(ble, get16(reader->head)) ? DATA : NOTHING);
    }
    return true;
}

static void answered(attune_ble *ble, uint16_t opcode, const uint8_t *answer, size_t size) {
    if (opcode == 0 || opcode != ble->commands.pending) {
        return; /* no command: it only takes more of them; or the second answer to a reset that was sent twice */
    }
    ble->commands.pending = 0;
    attune_ble_setup_answer(ble, opcode, answer, size);
    attune_ble_link_answer(ble, opcode, answer[0]);
}

static void handle_event(attune_ble *ble, const uint8_t *event, size_t size) {
    switch (ble->reader.head[0]) {
    case EVENT_COMMAND_COMPLETE:
        ble->commands.credits = size >= 3 ? event[0] : 0;
        if (size > 3) {
            answered(ble, get16(event + 1), event + 3, size - 3);
        }
        break;
    case EVENT_COMMAND_STATUS:
        if (size >= 4) {
            ble->commands.credits = event[1];
            answered(ble, get16(event + 2), event, 1);
        }
        break;
    case EVENT_DISCONNECTED:
        attune_ble_event_disconnected(ble, event, size);
        break;
    case EVENT_COMPLETED_PACKETS:
        attune_ble_event_completed_packets(ble, event, size);
        break;
    case EVENT_LE:
        attune_ble_event_le(ble, event, size);
        break;
    case EVENT_HARDWARE_ERROR:
    case EVENT_BUFFER_OVERFLOW: /* what it threw away it will never count as sent */
        attune_ble_restart(ble);
        break;
    default:
        break;
    }
}

static void add(attune_ble *ble, const uint8_t *bytes, size_t size) {
    attune_ble_reader *reader = &ble->reader;
    if (reader->stage == DATA) {
        attune_ble_l2cap_add(ble, bytes, size);
        return;
    }
    for (size_t i = 0, at = reader->have - size; reader->stage == EVENT && i < size && at < ATTUNE_BLE_EVENT; i++) {
        reader->event[at++] = bytes[i];
    }
}

static bool read_body(attune_ble *ble) {
    attune_ble_reader *reader = &ble->reader;
    uint8_t bytes[64];
    const uint16_t had = reader->have;
    const size_t left = (size_t)(reader->size - had);
    if (left > 0) {
        if (!receive(ble, bytes, left < sizeof bytes ? left : sizeof bytes)) {
            return false;
        }
        add(ble, bytes, (size_t)(reader->have - had));
    }
    if (reader->have < reader->size) {
        return true;
    }
    const uint8_t stage = reader->stage;
    enter(reader, TYPE);
    if (stage == EVENT) {
        handle_event(ble, reader->event, reader->size < ATTUNE_BLE_EVENT ? reader->size : ATTUNE_BLE_EVENT);
    } else if (stage == DATA) {
        attune_ble_l2cap_end(ble);
    }
    return true;
}

static bool read_stage(attune_ble *ble) {
    switch (ble->reader.stage) {
    case HUNT:
        return hunt(ble);
    case TYPE:
        return read_type(ble);
    case HEAD:
        return read_head(ble);
    default:
        return read_body(ble);
    }
}

bool attune_ble_read(attune_ble *ble) {
    const bool connected = ble->link.connected;
    for (int i = 0; i < CALLS_A_STEP; i++) {
        /* A central that goes ends the step, so that the node sees that it went before the next one comes. */
        if (!attune_ble_l2cap_release(ble) || connected > ble->link.connected) {
            return false;
        }
        if (!read_stage(ble)) {
            return true;
        }
    }
    return false;
}

void attune_ble_hunt(attune_ble *ble) {
    enter(&ble->reader, HUNT);
    memset(ble->reader.event, 0, sizeof reset_answer);
    ble->commands = (attune_ble_commands){.sent_ms = ble->now_ms};
}

void attune_ble_found(attune_ble *ble, uint8_t credits) {
    enter(&ble->reader, TYPE);
    ble->commands = (attune_ble_commands){.credits = credits, .sent_ms = ble->now_ms};
}

void attune_ble_command(attune_ble *ble, uint16_t opcode, const uint8_t *parameters, size_t size) {
    attune_ble_writer *writer = &ble->writer;
    writer->bytes[0] = PACKET_COMMAND;
    put16(writer->bytes + 1, opcode);
    writer->bytes[3] = (uint8_t)size;
    for (size_t i = 0; i < size; i++) {
        writer->bytes[4 + i] = parameters[i];
    }
    writer->size = (uint8_t)(4 + size);
    writer->sent = 0;
    /* The answer says how many more it takes. */
    ble->commands = (attune_ble_commands){.pending = opcode, .sent_ms = ble->now_ms};
}

void attune_ble_data(attune_ble *ble, uint16_t handle_and_flags, uint16_t body_at, uint16_t size) {
    attune_ble_writer *writer = &ble->writer;
    writer->bytes[0] = PACKET_DATA;
    put16(writer->bytes + 1, handle_and_flags);
    put16(writer->bytes + 3, size);
    writer->size = 5;
    writer->sent = 0;
    writer->body_at = body_at;
    writer->body = size;
}

/* Puts what is due next on the empty line; false if nothing is. */
static bool begin_next(attune_ble *ble) {
    const bool free = ble->commands.pending == 0 && ble->commands.credits > 0;
    return attune_ble_setup_reset(ble) || (free && (attune_ble_setup_command(ble) || attune_ble_link_command(ble))) ||
           attune_ble_l2cap_fragment(ble);
}

static bool send_more(attune_ble *ble) {
    attune_ble_writer *writer = &ble->writer;
    const attune_hci *hci = &ble->hci;
    size_t sent;
    if (writer->sent < writer->size) {
        sent = hci->send(hci->context, writer->bytes + writer->sent, (size_t)(writer->size - writer->sent));
        writer->sent = (uint8_t)(writer->sent + sent);
    } else if (writer->body > 0) {
        sent = hci->send(hci->context, ble->outgoing.packets + writer->body_at, writer->body);
        writer->body = (uint16_t)(writer->body - sent);
        writer->body_at = (uint16_t)(writer->body_at + sent);
    } else {
        return begin_next(ble);
    }
    return sent > 0;
}

void attune_ble_write(attune_ble *ble) {
    for (int i = 0; i < CALLS_A_STEP && send_more(ble); i++) {
    }
}

void attune_ble_watch_commands(attune_ble *ble) {
    const attune_ble_commands *commands = &ble->commands;
    if ((commands->pending != 0 || commands->credits == 0) && ble->now_ms - commands->sent_ms >= ANSWER_MS) {
        attune_ble_restart(ble);
    }
}
