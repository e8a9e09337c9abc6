/* Requests to the attribute server and their answers. */
#ifndef ATTUNE_BLE_ATT_H
#define ATTUNE_BLE_ATT_H

#include "ble/gatt.h"
#include "ble/host.h"

/* Opcodes of requests that look for attributes. */
enum { FIND_INFORMATION = 0x04, FIND_BY_TYPE_VALUE = 0x06, READ_BY_TYPE = 0x08, READ_BY_GROUP = 0x10 };

/* Errors (volume 3, part F, 3.4.1.1). */
enum {
    ATT_OK = 0x00,
    ATT_INVALID_HANDLE = 0x01,
    ATT_READ_NOT_PERMITTED = 0x02,
    ATT_WRITE_NOT_PERMITTED = 0x03,
    ATT_INVALID_PDU = 0x04,
    ATT_NOT_SUPPORTED = 0x06,
    ATT_INVALID_OFFSET = 0x07,
    ATT_NOT_FOUND = 0x0A,
    ATT_INVALID_VALUE_LENGTH = 0x0D,
    ATT_UNSUPPORTED_GROUP = 0x10,
    ATT_VALUE_NOT_ALLOWED = 0x13,
};

typedef struct att_request {
    const uint8_t *bytes; /* the opcode is the first */
    size_t size;          /* at least 1 */
} att_request;

/* What is written beyond the limit, which the MTU is, is cut. */
typedef struct att_answer {
    uint8_t *bytes;
    uint16_t size;
    uint16_t limit;
    uint16_t handle; /* that an error speaks of */
} att_answer;

void att_add(att_answer *answer, const uint8_t *bytes, size_t size);
void att_add8(att_answer *answer, uint8_t value);
void att_add16(att_answer *answer, uint16_t value);

/* The constant value of an attribute, or whether notifications are on; NULL if it cannot be read. handle is of the table. */
const uint8_t *att_value(const attune_ble *ble, uint16_t handle, uint16_t *size);

/* Each takes a request and writes the answer behind its opcode, or returns an error. */
uint8_t att_find(const attune_ble *ble, const att_request *request, att_answer *answer);
uint8_t att_read(const attune_ble *ble, const att_request *request, att_answer *answer);
uint8_t att_read_blob(const attune_ble *ble, const att_request *request, att_answer *answer);
uint8_t att_read_multiple(const attune_ble *ble, const att_request *request, att_answer *answer);

#endif
