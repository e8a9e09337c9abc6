#include "framing/frame.h"

#include <string.h>

typedef struct cobs_writer {
    uint8_t *stream;
    size_t capacity;
    size_t size;
    size_t code_at; /* where the code byte of the open block goes */
} cobs_writer;

static void end_block(cobs_writer *writer) {
    if (writer->code_at < writer->capacity) {
        writer->stream[writer->code_at] = (uint8_t)(writer->size - writer->code_at);
    }
    writer->code_at = writer->size;
    writer->size += 1;
}

static void put(cobs_writer *writer, uint8_t byte) {
    /* A full block is ended only when more follows, so that no empty block trails. */
    if (writer->size - writer->code_at == 0xFF) {
        end_block(writer);
    }
    if (byte == 0) {
        end_block(writer);
        return;
    }
    if (writer->size < writer->capacity) {
        writer->stream[writer->size] = byte;
    }
    writer->size += 1;
}

size_t attune_frame_encode(const uint8_t *frame, size_t size, uint8_t *stream, size_t capacity) {
    uint16_t crc = attune_crc16(ATTUNE_CRC16_INIT, frame, size);
    cobs_writer writer = {.stream = stream, .capacity = capacity, .size = 1, .code_at = 0};
    for (size_t i = 0; i < size; i++) {
        put(&writer, frame[i]);
    }
    put(&writer, (uint8_t)(crc & 0xFFu));
    put(&writer, (uint8_t)(crc >> 8));
    end_block(&writer); /* leaves one byte of room, for the zero */
    if (writer.size > capacity) {
        return 0;
    }
    stream[writer.size - 1] = 0;
    return writer.size;
}

void attune_frame_decoder_init(attune_frame_decoder *decoder) { memset(decoder, 0, sizeof *decoder); }

static void append(attune_frame_decoder *decoder, uint8_t byte) {
    if (decoder->size == sizeof decoder->buffer) {
        decoder->oversized = true;
        return;
    }
    decoder->buffer[decoder->size] = byte;
    decoder->size += 1;
}

static attune_frame_event finish(attune_frame_decoder *decoder) {
    if (!decoder->started) {
        return ATTUNE_FRAME_NONE; /* zeros between frames */
    }
    decoder->started = false;
    if (decoder->oversized) {
        return ATTUNE_FRAME_OVERSIZED;
    }
    if (decoder->left != 0 || decoder->size < 3) {
        return ATTUNE_FRAME_DAMAGED;
    }
    decoder->size -= 2;
    const uint8_t *sent = decoder->buffer + decoder->size;
    uint16_t crc = attune_crc16(ATTUNE_CRC16_INIT, decoder->buffer, decoder->size);
    bool good = sent[0] == (crc & 0xFFu) && sent[1] == crc >> 8;
    return good ? ATTUNE_FRAME_READY : ATTUNE_FRAME_DAMAGED;
}

attune_frame_event attune_frame_decode(attune_frame_decoder *decoder, uint8_t byte) {
    if (byte == 0) {
        return finish(decoder);
    }
    if (!decoder->started) {
        decoder->started = true;
        decoder->size = 0;
        decoder->left = 0;
        decoder->zero = false;
        decoder->oversized = false;
    }
    if (decoder->left != 0) {
        decoder->left -= 1;
        append(decoder, byte);
        return ATTUNE_FRAME_NONE;
    }
    if (decoder->zero) {
        append(decoder, 0);
    }
    decoder->zero = byte != 0xFF;
    decoder->left = (uint8_t)(byte - 1);
    return ATTUNE_FRAME_NONE;
}
