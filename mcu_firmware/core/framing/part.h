/* Parts: how frames go over Bluetooth, where a value of ATT has at most its MTU less 3 bytes (docs/protocol.md, "Bluetooth").
 *
 * A part is a header and at least one byte of the frame. Parts are numbered modulo 64 in each direction of a connection,
 * so that one that was lost is noticed; a lost part loses its frame and nothing else. */
#ifndef ATTUNE_PART_H
#define ATTUNE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The header, one byte: whether the part is the first and the last one of its frame, and its number. */
#define ATTUNE_PART_HEADER 1
#define ATTUNE_PART_FIRST 0x80u
#define ATTUNE_PART_LAST 0x40u
#define ATTUNE_PART_NUMBER 0x3Fu

/* Smallest part: a header and a byte. */
#define ATTUNE_PART_LEAST 2

/* --- Cutting --- */

/* All zeros: the beginning of a connection. */
typedef struct attune_part_cutter {
    uint8_t *next;  /* what has not been sent of the frame */
    uint16_t left;  /* bytes of it */
    uint16_t taken; /* bytes of it in the part that attune_part_next gave last */
    uint8_t number; /* of that part */
    bool is_first;
} attune_part_cutter;

/* Begins a frame of 1 to 65535 bytes; what was left of another is given up. The frame is kept where it is, and it and the byte before it,
 * which is the first header's, are overwritten with headers. */
void attune_part_begin(attune_part_cutter *cutter, uint8_t *frame, size_t size);

/* The next part of at most largest bytes (ATTUNE_PART_LEAST or more), which lies in the frame's own bytes; returns its size, 0 if none is left.
 * It stays the next one until attune_part_sent. */
size_t attune_part_next(attune_part_cutter *cutter, size_t largest, const uint8_t **part);

/* The part that attune_part_next gave is on its way. */
void attune_part_sent(attune_part_cutter *cutter);

/* --- Putting together --- */

/* What a part does, any of these together: one that begins a frame in the middle of another ends that one, too. */
typedef enum attune_part_event {
    ATTUNE_PART_DAMAGED = 1,   /* parts were lost, or make no sense; a frame was dropped */
    ATTUNE_PART_OVERSIZED = 2, /* a frame became longer than its buffer, and was dropped */
    ATTUNE_PART_READY = 4      /* a whole frame lies in frame[0..size) until the next call */
} attune_part_event;

typedef enum attune_part_state {
    ATTUNE_PART_BETWEEN = 0, /* a first part comes next */
    ATTUNE_PART_INSIDE,      /* a frame is under way */
    ATTUNE_PART_SKIPPING     /* until the next first part, whatever its number */
} attune_part_state;

typedef struct attune_part_joiner {
    uint8_t *frame;
    uint16_t capacity;
    uint16_t size;
    uint8_t number; /* that the next part should have */
    attune_part_state state;
} attune_part_joiner;

/* A connection begins. Frames of at most capacity bytes are put together in frame. */
void attune_part_joiner_init(attune_part_joiner *joiner, uint8_t *frame, uint16_t capacity);

/* Takes one value as it came, of any size; returns attune_part_event, 0 for nothing. A loss is told once, by the part that shows it. */
unsigned attune_part_join(attune_part_joiner *joiner, const uint8_t *part, size_t size);

#endif
