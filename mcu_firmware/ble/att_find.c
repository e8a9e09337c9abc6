/* Requests that look for attributes in a range of handles (volume 3, part F, 3.4.3, 3.4.4.1 and 3.4.4.9): each answers with a list whose entries
 * are of one size. */
#include "ble/att.h"

#include <string.h>

enum { FORMAT_16 = 1, FORMAT_128 = 2 };

/* A type that no attribute has. */
#define NO_TYPE 0

typedef struct search {
    uint8_t opcode;
    uint16_t first;
    uint16_t last;
    uint16_t type;
    bool own;
    const uint8_t *value; /* that is looked for, with its size */
    size_t value_size;
} search;

/* 128 bits that stand for a UUID of 16 are that UUID: 0000NNNN-0000-1000-8000-00805F9B34FB. */
static void read_type(search *sought, const uint8_t *bytes, size_t size) {
    static const uint8_t base[ATTUNE_UUID_SIZE] = {0xFB, 0x34, 0x9B, 0x5F, 0x80, 0x00, 0x00, 0x80, 0x00, 0x10};
    if (size == 2) {
        sought->type = get16(bytes);
        return;
    }
    uint8_t other[ATTUNE_UUID_SIZE];
    sought->type = get16(bytes + 12);
    attune_ble_uuid(sought->type, other);
    sought->own = memcmp(bytes, other, sizeof other) == 0;
    if (!sought->own && (memcmp(bytes, base, 12) != 0 || get16(bytes + 14) != 0)) {
        sought->type = NO_TYPE;
    }
}

/* Opcode, first and last handle, then by request: nothing, a type, or a type of 16 bits and a value. */
static uint8_t read_search(search *sought, const att_request *request, att_answer *answer) {
    const uint8_t *bytes = request->bytes;
    const size_t more = request->size < 5 ? 0 : request->size - 5;
    *sought = (search){.opcode = bytes[0]};
    const bool valid = sought->opcode == FIND_INFORMATION     ? request->size == 5
                       : sought->opcode == FIND_BY_TYPE_VALUE ? more >= 2
                                                              : more == 2 || more == ATTUNE_UUID_SIZE;
    if (!valid) {
        return ATT_INVALID_PDU;
    }
    sought->first = answer->handle = get16(bytes + 1);
    sought->last = get16(bytes + 3);
    if (sought->opcode == FIND_BY_TYPE_VALUE) {
        sought->value = bytes + 7;
        sought->value_size = more - 2;
        sought->type = get16(bytes + 5);
    } else if (more > 0) {
        read_type(sought, bytes + 5, more);
    }
    return sought->first == 0 || sought->first > sought->last ? ATT_INVALID_HANDLE : ATT_OK;
}

static const attune_ble_attribute *attribute(uint16_t handle) { return &attune_ble_attributes[handle - 1]; }

/* A service ends before the next one, or with the last handle; anything else is a group of its own. */
static uint16_t group_end(uint16_t handle) {
    uint16_t end = handle;
    if (attribute(handle)->type == GATT_PRIMARY_SERVICE) {
        while (end < HANDLE_LAST && attribute((uint16_t)(end + 1))->type != GATT_PRIMARY_SERVICE) {
            end++;
        }
    }
    return end;
}

static bool matches(const attune_ble *ble, const search *sought, uint16_t handle) {
    const attune_ble_attribute *here = attribute(handle);
    if (sought->opcode == FIND_INFORMATION) {
        return true;
    }
    if (here->type != sought->type || here->own != sought->own) {
        return false;
    }
    uint16_t size;
    const uint8_t *value = att_value(ble, handle, &size);
    return sought->opcode != FIND_BY_TYPE_VALUE ||
           (value != NULL && size == sought->value_size && memcmp(value, sought->value, size) == 0);
}

/* The longest: handle, end of the group, UUID; or handle and a characteristic's declaration with a UUID. */
#define LONGEST_ENTRY 21

static void add_type(att_answer *entry, uint16_t handle) {
    uint8_t uuid[ATTUNE_UUID_SIZE];
    if (attribute(handle)->own) {
        attune_ble_uuid(attribute(handle)->type, uuid);
        att_add(entry, uuid, sizeof uuid);
    } else {
        att_add16(entry, attribute(handle)->type);
    }
}

/* An error if the attribute's value has to be told and cannot be read. */
static uint8_t make_entry(const attune_ble *ble, const search *sought, uint16_t handle, att_answer *entry) {
    uint16_t size = 0;
    const uint8_t *value = att_value(ble, handle, &size);
    att_add16(entry, handle);
    if (sought->opcode == FIND_INFORMATION) {
        add_type(entry, handle);
        return ATT_OK;
    }
    if (sought->opcode != READ_BY_TYPE) {
        att_add16(entry, group_end(handle));
    }
    if (sought->opcode == FIND_BY_TYPE_VALUE) {
        return ATT_OK;
    }
    if (value == NULL) {
        return ATT_READ_NOT_PERMITTED;
    }
    att_add(entry, value, size);
    return ATT_OK;
}

/* Before the first entry: what its size is, where the answer says so. */
static void add_entry_size(const search *sought, att_answer *answer, uint16_t size) {
    if (sought->opcode == FIND_INFORMATION) {
        att_add8(answer, size == 4 ? FORMAT_16 : FORMAT_128);
    } else if (sought->opcode != FIND_BY_TYPE_VALUE) {
        att_add8(answer, (uint8_t)size);
    }
}

/* The list ends before an entry that has another size, does not fit, or cannot be read. */
static uint8_t list(const attune_ble *ble, const search *sought, att_answer *answer) {
    uint16_t entry_size = 0;
    for (uint16_t handle = sought->first; handle <= HANDLE_LAST && handle <= sought->last; handle++) {
        if (!matches(ble, sought, handle)) {
            continue;
        }
        uint8_t bytes[LONGEST_ENTRY];
        att_answer entry = {.bytes = bytes, .limit = sizeof bytes};
        const uint8_t error = make_entry(ble, sought, handle, &entry);
        if (entry_size == 0) {
            if (error != ATT_OK) {
                answer->handle = handle;
                return error;
            }
            entry_size = entry.size;
            add_entry_size(sought, answer, entry_size);
        }
        if (error != ATT_OK || entry.size != entry_size || answer->size + entry_size > answer->limit) {
            break;
        }
        att_add(answer, bytes, entry_size);
    }
    return entry_size == 0 ? ATT_NOT_FOUND : ATT_OK;
}

uint8_t att_find(const attune_ble *ble, const att_request *request, att_answer *answer) {
    search sought;
    const uint8_t error = read_search(&sought, request, answer);
    if (error != ATT_OK) {
        return error;
    }
    const bool service = sought.type == GATT_PRIMARY_SERVICE || sought.type == GATT_SECONDARY_SERVICE;
    if (sought.opcode == READ_BY_GROUP && (!service || sought.own)) {
        return ATT_UNSUPPORTED_GROUP;
    }
    return list(ble, &sought, answer);
}
