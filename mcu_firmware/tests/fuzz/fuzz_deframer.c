/* A stream of bytes as a bad line brings them: what the input says, frames among it. Each piece between two zeros is decoded a second time
 * here, by the words of the paper and of the checksum. Properties: every byte has the event that the piece asks for, a frame
 * that begins after a zero is taken as it was, whatever came before that zero, a frame is never longer than a node takes, and a
 * frame that lies in the bytes of its stream is encoded alike. */
#include "framing/frame.h"
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LONGEST_FRAME (8 * 255)
#define LONGEST_PIECE 8192

typedef struct line {
    attune_frame_decoder decoder;
    uint8_t piece[LONGEST_PIECE]; /* bytes since the last zero; those beyond its end change nothing more */
    size_t size;
} line;

/* Cheshire and Baker: a code byte, code - 1 bytes as they are, and a zero unless the code was 255 or the piece ends. Returns the size,
 * SIZE_MAX if the last block is cut short. */
static size_t unstuff(const uint8_t *piece, size_t size, uint8_t *out) {
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        const size_t code = piece[at];
        if (at + code > size) {
            return SIZE_MAX;
        }
        memcpy(out + written, piece + at + 1, code - 1);
        written += code - 1;
        at += code;
        if (code != 0xFF && at < size) {
            out[written++] = 0;
        }
    }
    return written;
}

/* The remainder of a message followed by its own checksum, high byte first, is zero; here the low byte was sent first. */
static bool is_whole(const uint8_t *frame, size_t size) {
    uint32_t remainder = 0xFFFF;
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = i == size - 2 ? frame[size - 1] : i == size - 1 ? frame[size - 2] : frame[i];
        for (int bit = 7; bit >= 0; bit--) {
            remainder = remainder << 1 ^ ((uint32_t)(byte >> bit) & 1u) << 16;
            remainder ^= (remainder & 0x10000u) != 0 ? 0x1021u : 0u;
            remainder &= 0xFFFFu;
        }
    }
    return remainder == 0;
}

static attune_frame_event expected(const line *all, uint8_t *frame, size_t *size) {
    if (all->size == 0) {
        return ATTUNE_FRAME_NONE;
    }
    *size = unstuff(all->piece, all->size, frame);
    if (*size == SIZE_MAX || *size < 3) {
        return ATTUNE_FRAME_DAMAGED;
    }
    return is_whole(frame, *size) ? ATTUNE_FRAME_READY : ATTUNE_FRAME_DAMAGED;
}

static void end_piece(line *all) {
    static uint8_t frame[LONGEST_PIECE];
    size_t size = 0;
    const attune_frame_event due = expected(all, frame, &size);
    const attune_frame_event event = attune_frame_decode(&all->decoder, 0);
    if (event == ATTUNE_FRAME_OVERSIZED) {
        must(all->size > ATTUNE_NODE_FRAME + 2); /* as much as it says, and a code byte */
    } else {
        must(event == due);
    }
    if (event == ATTUNE_FRAME_READY) {
        must(all->decoder.size == size - 2 && all->decoder.size <= ATTUNE_NODE_FRAME);
        must(is_same(all->decoder.buffer, frame, size - 2));
    }
    all->size = 0;
}

static void feed(line *all, uint8_t byte) {
    if (byte == 0) {
        end_piece(all);
        return;
    }
    must(attune_frame_decode(&all->decoder, byte) == ATTUNE_FRAME_NONE);
    if (all->size < sizeof all->piece) {
        all->piece[all->size++] = byte;
    }
}

/* A frame that lies in its own stream is encoded to the same bytes. */
static void expect_same_in_place(const uint8_t *frame, size_t size, const uint8_t *stream, size_t written) {
    uint8_t *place = malloc(ATTUNE_STREAM_SIZE(size));
    memcpy(place + ATTUNE_STREAM_AHEAD(size), frame, size);
    if (size > 0) {
        must(attune_frame_encode(place + ATTUNE_STREAM_AHEAD(size), size, place, ATTUNE_STREAM_SIZE(size)) == written);
        must(is_same(place, stream, written));
    }
    free(place);
}

/* The step's bytes, as often as the argument says, as a frame; in memory of its exact size. */
static void feed_frame(line *all, const step *what) {
    static uint8_t frame[LONGEST_FRAME];
    const size_t size = what->size * (1 + what->argument % 8);
    for (size_t at = 0; at < size; at += what->size) {
        memcpy(frame + at, what->bytes, what->size);
    }
    const size_t capacity = ATTUNE_STREAM_SIZE(size);
    uint8_t *stream = malloc(capacity);
    const bool synchronous = all->size == 0;
    const size_t written = size == 0 ? 0 : attune_frame_encode(frame, size, stream, capacity);
    must(size == 0 ||
         (written > 0 && written <= capacity && attune_frame_encode(frame, size, stream, written - 1) == 0));
    expect_same_in_place(frame, size, stream, written);
    for (size_t i = 0; i < written; i++) {
        feed(all, stream[i]);
    }
    if (synchronous && size > 0 && size <= ATTUNE_NODE_FRAME) {
        must(all->decoder.size == size && is_same(all->decoder.buffer, frame, size));
    }
    free(stream);
}

/* A frame that the line has changed, with the zero behind it. */
static void feed_damaged(line *all, const step *what) {
    uint8_t stream[ATTUNE_STREAM_SIZE(255)];
    const step how = {.argument = what->argument, .bytes = what->bytes, .size = what->size / 4};
    const size_t size = what->size == 0 ? 0 : attune_frame_encode(what->bytes, what->size, stream, sizeof stream);
    size_t damaged_size;
    uint8_t *copy = damaged(&how, stream, size, &damaged_size);
    for (size_t i = 0; i < damaged_size; i++) {
        feed(all, copy[i]);
    }
    feed(all, 0);
    free(copy);
}

static void take(line *all, const step *what) {
    switch (what->operation % 4) {
    case 0:
        feed_frame(all, what);
        break;
    case 1:
        feed_damaged(all, what);
        break;
    case 2:
        feed(all, 0);
        break;
    default:
        for (size_t i = 0; i < what->size; i++) {
            feed(all, what->bytes[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static line all;
    script input = {data, size};
    step next;
    attune_frame_decoder_init(&all.decoder);
    all.size = 0;
    while (next_step(&input, &next)) {
        take(&all, &next);
    }
    return 0;
}
