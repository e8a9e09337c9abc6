#include "attune_core_api.h"

#include "framing/frame.h"
#include "framing/part.h"

#include <string.h>

size_t core_frame_encode(const uint8_t *frame, size_t size, uint8_t *stream, size_t capacity) {
    return attune_frame_encode(frame, size, stream, capacity);
}

void core_frame_decoder_init(struct attune_frame_decoder *decoder) { attune_frame_decoder_init(decoder); }

int core_frame_decode(struct attune_frame_decoder *decoder, const uint8_t *bytes, size_t size, size_t *used,
                      const uint8_t **frame, size_t *frame_size) {
    attune_frame_event event = ATTUNE_FRAME_NONE;
    for (*used = 0; *used < size && event == ATTUNE_FRAME_NONE; ++*used) {
        event = attune_frame_decode(decoder, bytes[*used]);
    }
    *frame = decoder->buffer;
    *frame_size = event == ATTUNE_FRAME_READY ? decoder->size : 0;
    return (int)event;
}

size_t core_part_cut(const uint8_t *frame, size_t size, size_t largest, uint8_t number, uint8_t *parts) {
    uint8_t copy[ATTUNE_PART_HEADER + ATTUNE_MAX_FRAME];
    const uint8_t *part = NULL;
    size_t written = 0;
    attune_part_cutter cutter = {.number = number};
    memcpy(copy + ATTUNE_PART_HEADER, frame, size);
    attune_part_begin(&cutter, copy + ATTUNE_PART_HEADER, size);
    for (size_t n; (n = attune_part_next(&cutter, largest, &part)) > 0; attune_part_sent(&cutter)) {
        parts[written++] = (uint8_t)n;
        parts[written++] = (uint8_t)(n >> 8);
        memcpy(parts + written, part, n);
        written += n;
    }
    return written;
}

void core_part_joiner_init(struct attune_part_joiner *joiner, uint8_t *frame, uint16_t capacity) {
    attune_part_joiner_init(joiner, frame, capacity);
}

unsigned core_part_join(struct attune_part_joiner *joiner, const uint8_t *part, size_t size, size_t *frame_size) {
    const unsigned events = attune_part_join(joiner, part, size);
    *frame_size = joiner->size;
    return events;
}
