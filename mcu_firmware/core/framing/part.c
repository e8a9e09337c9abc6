#include "framing/part.h"

#include <string.h>

void attune_part_begin(attune_part_cutter *cutter, uint8_t *frame, size_t size) {
    cutter->next = frame;
    cutter->left = (uint16_t)size;
    cutter->is_first = true;
}

size_t attune_part_next(attune_part_cutter *cutter, size_t largest, const uint8_t **part) {
    if (cutter->left == 0) {
        return 0;
    }
    const bool is_last = cutter->left <= largest - ATTUNE_PART_HEADER;
    cutter->taken = is_last ? cutter->left : (uint16_t)(largest - ATTUNE_PART_HEADER);
    /* The byte before has been sent. */
    uint8_t *header = cutter->next - ATTUNE_PART_HEADER;
    *header =
        (uint8_t)(cutter->number | (cutter->is_first ? ATTUNE_PART_FIRST : 0u) | (is_last ? ATTUNE_PART_LAST : 0u));
    *part = header;
    return (size_t)cutter->taken + ATTUNE_PART_HEADER;
}

void attune_part_sent(attune_part_cutter *cutter) {
    cutter->next += cutter->taken;
    cutter->left = (uint16_t)(cutter->left - cutter->taken);
    cutter->number = (cutter->number + 1u) & ATTUNE_PART_NUMBER;
    cutter->is_first = false;
}

void attune_part_joiner_init(attune_part_joiner *joiner, uint8_t *frame, uint16_t capacity) {
    *joiner = (attune_part_joiner){.frame = frame, .capacity = capacity};
}

/* Only the part that begins the loss tells it. */
static unsigned lose(attune_part_joiner *joiner, attune_part_event what) {
    const unsigned told = joiner->state == ATTUNE_PART_SKIPPING ? 0u : (unsigned)what;
    joiner->state = ATTUNE_PART_SKIPPING;
    return told;
}

/* Whether a part is what comes next; while skipping nothing is. */
static bool is_due(const attune_part_joiner *joiner, uint8_t header) {
    const bool is_first = (header & ATTUNE_PART_FIRST) != 0;
    return (header & ATTUNE_PART_NUMBER) == joiner->number &&
           joiner->state == (is_first ? ATTUNE_PART_BETWEEN : ATTUNE_PART_INSIDE);
}

static unsigned append(attune_part_joiner *joiner, const uint8_t *bytes, size_t size, bool is_last) {
    if (size > (size_t)(joiner->capacity - joiner->size)) {
        return lose(joiner, ATTUNE_PART_OVERSIZED);
    }
    memcpy(joiner->frame + joiner->size, bytes, size);
    joiner->size = (uint16_t)(joiner->size + size);
    joiner->state = is_last ? ATTUNE_PART_BETWEEN : ATTUNE_PART_INSIDE;
    return is_last ? ATTUNE_PART_READY : 0u;
}

unsigned attune_part_join(attune_part_joiner *joiner, const uint8_t *part, size_t size) {
    if (size < ATTUNE_PART_LEAST) {
        return lose(joiner, ATTUNE_PART_DAMAGED);
    }
    const uint8_t header = part[0];
    const unsigned lost = is_due(joiner, header) ? 0u : lose(joiner, ATTUNE_PART_DAMAGED);
    if ((header & ATTUNE_PART_FIRST) != 0) {
        joiner->state = ATTUNE_PART_INSIDE;
        joiner->size = 0;
    }
    if (joiner->state == ATTUNE_PART_SKIPPING) {
        return lost;
    }
    joiner->number = (header + 1u) & ATTUNE_PART_NUMBER;
    return lost |
           append(joiner, part + ATTUNE_PART_HEADER, size - ATTUNE_PART_HEADER, (header & ATTUNE_PART_LAST) != 0);
}
