/* Requests that read attributes by their handles (volume 3, part F, 3.4.4). */
#include "ble/att.h"

const uint8_t *att_value(const attune_ble *ble, uint16_t handle, uint16_t *size) {
    static const uint8_t listening[2][2] = {{0, 0}, {1, 0}};
    *size = attune_ble_attributes[handle - 1].size;
    return handle == HANDLE_LISTEN ? listening[ble->link.listening] : attune_ble_attributes[handle - 1].value;
}

/* Adds a value from its byte at offset on, as far as it fits. */
static uint8_t add_value(const attune_ble *ble, const uint8_t *handle_bytes, uint16_t offset, att_answer *answer) {
    const uint16_t handle = answer->handle = get16(handle_bytes);
    if (handle == 0 || handle > HANDLE_LAST) {
        return ATT_INVALID_HANDLE;
    }
    uint16_t size;
    const uint8_t *value = att_value(ble, handle, &size);
    if (value == NULL) {
        return ATT_READ_NOT_PERMITTED;
    }
    if (offset > size) {
        return ATT_INVALID_OFFSET;
    }
    att_add(answer, value + offset, (size_t)(size - offset));
    return ATT_OK;
}

uint8_t att_read(const attune_ble *ble, const att_request *request, att_answer *answer) {
    return request->size == 3 ? add_value(ble, request->bytes + 1, 0, answer) : ATT_INVALID_PDU;
}

uint8_t att_read_blob(const attune_ble *ble, const att_request *request, att_answer *answer) {
    const uint8_t *bytes = request->bytes;
    return request->size == 5 ? add_value(ble, bytes + 1, get16(bytes + 3), answer) : ATT_INVALID_PDU;
}

/* Two handles or more; the first that cannot be read is the error's. */
uint8_t att_read_multiple(const attune_ble *ble, const att_request *request, att_answer *answer) {
    if (request->size < 5 || request->size % 2 == 0) {
        return ATT_INVALID_PDU;
    }
    uint8_t error = ATT_OK;
    for (size_t at = 1; at < request->size && error == ATT_OK; at += 2) {
        error = add_value(ble, request->bytes + at, 0, answer);
    }
    return error;
}
