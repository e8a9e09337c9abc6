/* Stream framing: COBS (Cheshire and Baker 1999) of frame and CRC-16/CCITT-FALSE (little endian), ended by a zero byte. */
#ifndef ATTUNE_FRAME_H
#define ATTUNE_FRAME_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes on the stream for a frame of n bytes, at most: CRC, one COBS byte for each 254 begun, the zero. */
#define ATTUNE_STREAM_SIZE(n) ((n) + 2 + ((n) + 2) / 254 + 1 + 1)

/* A frame of at most n bytes that begins so many bytes into its stream, or later, is read before it is overwritten. */
#define ATTUNE_STREAM_AHEAD(n) (ATTUNE_STREAM_SIZE(n) - (n))

/* Polynomial 0x1021, initial value 0xFFFF, not reflected; "123456789" gives 0x29B1. Chain by passing the last value. */
uint16_t attune_crc16(uint16_t crc, const uint8_t *bytes, size_t size);
#define ATTUNE_CRC16_INIT 0xFFFFu

/* Encodes one frame (size at least 1) for the stream. Returns the bytes written, 0 if capacity is too small. The frame may lie in the
 * stream's own bytes, from ATTUNE_STREAM_AHEAD(size) on. */
size_t attune_frame_encode(const uint8_t *frame, size_t size, uint8_t *stream, size_t capacity);

typedef enum attune_frame_event {
    ATTUNE_FRAME_NONE = 0, /* more bytes are needed */
    ATTUNE_FRAME_READY,    /* a good frame lies in buffer[0..size) until the next call */
    ATTUNE_FRAME_DAMAGED,  /* encoding or checksum wrong, or cut short; dropped */
    ATTUNE_FRAME_OVERSIZED /* longer than the buffer; dropped up to its end */
} attune_frame_event;

typedef struct attune_frame_decoder {
    uint8_t buffer[ATTUNE_NODE_FRAME + 2];
    uint16_t size; /* decoded bytes so far; of a ready frame without its CRC */
    uint8_t left;  /* bytes of the current COBS block still to come */
    bool zero;     /* a zero goes before the next block */
    bool started;
    bool oversized;
} attune_frame_decoder;

void attune_frame_decoder_init(attune_frame_decoder *decoder);

/* Takes one byte of the stream. Any garbage resynchronises at the next zero byte. */
attune_frame_event attune_frame_decode(attune_frame_decoder *decoder, uint8_t byte);

#endif
