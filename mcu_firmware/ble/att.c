/* The attribute protocol's server (volume 3, part F): each request has its answer or its error. att_find.c looks for attributes, att_read.c reads
 * them. */
#include "ble/att.h"

#include <string.h>

enum {
    ERROR_ANSWER = 0x01,
    MTU_REQUEST = 0x02,
    READ = 0x0A,
    READ_BLOB = 0x0C,
    READ_MULTIPLE = 0x0E,
    WRITE = 0x12,
    WRITE_COMMAND = 0x52,
};

/* A bit of the opcode: a command has no answer, and one that is not known is ignored. */
#define COMMAND_BIT 0x40u

static uint8_t exchange_mtu(attune_ble *ble, const att_request *request, att_answer *answer) {
    if (request->size != 3) {
        return ATT_INVALID_PDU;
    }
    uint16_t mtu = get16(request->bytes + 1);
    mtu = mtu < ATT_DEFAULT_MTU ? ATT_DEFAULT_MTU : mtu;
    ble->link.mtu = mtu < ATTUNE_BLE_MTU ? mtu : ATTUNE_BLE_MTU;
    att_add16(answer, ATTUNE_BLE_MTU);
    return ATT_OK;
}

/* Only one attribute can be written with an answer: whether notifications are on. */
static uint8_t write(attune_ble *ble, const att_request *request, att_answer *answer) {
    if (request->size < 3) {
        return ATT_INVALID_PDU;
    }
    const uint16_t handle = get16(request->bytes + 1);
    answer->handle = handle;
    if (handle == 0 || handle > HANDLE_LAST) {
        return ATT_INVALID_HANDLE;
    }
    if (handle != HANDLE_LISTEN) {
        return ATT_WRITE_NOT_PERMITTED;
    }
    if (request->size != 5) {
        return ATT_INVALID_VALUE_LENGTH;
    }
    const uint16_t value = get16(request->bytes + 3);
    if (value > 1) {
        return ATT_VALUE_NOT_ALLOWED; /* indications, which the outbox has not */
    }
    attune_ble_listen(ble, value == 1);
    return ATT_OK;
}

static uint8_t handle_request(attune_ble *ble, const att_request *request, att_answer *answer) {
    switch (request->bytes[0]) {
    case MTU_REQUEST:
        return exchange_mtu(ble, request, answer);
    case FIND_INFORMATION:
    case FIND_BY_TYPE_VALUE:
    case READ_BY_TYPE:
    case READ_BY_GROUP:
        return att_find(ble, request, answer);
    case READ:
        return att_read(ble, request, answer);
    case READ_BLOB:
        return att_read_blob(ble, request, answer);
    case READ_MULTIPLE:
        return att_read_multiple(ble, request, answer);
    case WRITE:
        return write(ble, request, answer);
    default:
        return ATT_NOT_SUPPORTED;
    }
}

/* Errors and answers, notifications and indications (1B, 1D, 23), confirmations (1E): what nobody has asked for here, and no request. */
static bool is_request(uint8_t opcode) {
    static const uint8_t others[] = {0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11,
                                     0x13, 0x17, 0x19, 0x1B, 0x1D, 0x1E, 0x21, 0x23};
    return (opcode & COMMAND_BIT) == 0 && memchr(others, opcode, sizeof others) == NULL;
}

void att_add(att_answer *answer, const uint8_t *bytes, size_t size) {
    const size_t room = (size_t)(answer->limit - answer->size);
    const size_t added = size < room ? size : room;
    memcpy(answer->bytes + answer->size, bytes, added);
    answer->size = (uint16_t)(answer->size + added);
}

void att_add8(att_answer *answer, uint8_t value) { att_add(answer, &value, 1); }

void att_add16(att_answer *answer, uint16_t value) {
    uint8_t bytes[2];
    put16(bytes, value);
    att_add(answer, bytes, sizeof bytes);
}

static void refuse(att_answer *answer, uint8_t opcode, uint8_t error) {
    const uint16_t handle = answer->handle;
    answer->size = 0;
    att_add8(answer, ERROR_ANSWER);
    att_add8(answer, opcode);
    att_add16(answer, handle);
    att_add8(answer, error);
}

static void answer_request(attune_ble *ble, const att_request *request) {
    /* The answer to the exchange still goes by the old one. */
    att_answer answer = {.limit = ble->link.mtu};
    answer.bytes = attune_ble_l2cap_reserve(ble, (size_t)answer.limit + ATTUNE_BLE_SHORT_ANSWERS);
    if (answer.bytes == NULL) {
        return; /* a central that does not wait for answers, as it must */
    }
    att_add8(&answer, (uint8_t)(request->bytes[0] + 1));
    const uint8_t error = handle_request(ble, request, &answer);
    if (error != ATT_OK) {
        refuse(&answer, request->bytes[0], error);
    }
    attune_ble_l2cap_commit(ble, CHANNEL_ATT, answer.size);
}

bool attune_ble_att(attune_ble *ble, const uint8_t *pdu, size_t size) {
    if (size == 0) {
        return true;
    }
    if (is_request(pdu[0])) {
        answer_request(ble, &(att_request){.bytes = pdu, .size = size});
        return true;
    }
    if (pdu[0] != WRITE_COMMAND || size <= 3 || get16(pdu + 1) != HANDLE_INBOX) {
        return true;
    }
    return attune_ble_inbox_put(ble, pdu + 3, size - 3);
}
