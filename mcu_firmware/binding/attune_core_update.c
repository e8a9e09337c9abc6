#include "attune_core_api.h"

#include "update/compact.h"

#include <string.h>

size_t core_compact_write(const struct attune_head *head, uint8_t *bytes, size_t capacity) {
    return attune_compact_write(head, bytes, capacity);
}

int core_compact_read(struct attune_head *head, const uint8_t *bytes, size_t size) {
    const attune_sensors sensors = *attune_head_sensors(head);
    return attune_compact_read(head, &sensors, bytes, size);
}
