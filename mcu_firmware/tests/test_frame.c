/* Expected encodings follow the examples in Wikipedia's article on consistent overhead byte stuffing, with the two bytes of the
 * CRC behind the data; checksums come from Python's binascii.crc_hqx(data, 0xFFFF), whose check value is 0x29B1 as well. */
#include "framing/frame.h"

#include "check.h"

#include <string.h>

static void crc_has_its_check_value(void **state) {
    (void)state;
    const uint8_t digits[] = "123456789";
    assert_int_equal(attune_crc16(ATTUNE_CRC16_INIT, digits, 9), 0x29B1);
    assert_int_equal(attune_crc16(attune_crc16(ATTUNE_CRC16_INIT, digits, 4), digits + 4, 5), 0x29B1);
    assert_int_equal(attune_crc16(ATTUNE_CRC16_INIT, digits, 0), 0xFFFF);
}

static attune_frame_event feed(attune_frame_decoder *decoder, const uint8_t *bytes, size_t size) {
    attune_frame_event last = ATTUNE_FRAME_NONE;
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(last, ATTUNE_FRAME_NONE);
        last = attune_frame_decode(decoder, bytes[i]);
    }
    return last;
}

static void expect(const uint8_t *frame, size_t size, const uint8_t *stream, size_t stream_size) {
    uint8_t got[ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME)];
    attune_frame_decoder decoder;
    assert_true(stream_size <= ATTUNE_STREAM_SIZE(size));
    assert_int_equal(attune_frame_encode(frame, size, got, stream_size), stream_size);
    assert_memory_equal(got, stream, stream_size);
    assert_int_equal(attune_frame_encode(frame, size, got, stream_size - 1), 0);
    attune_frame_decoder_init(&decoder);
    assert_int_equal(feed(&decoder, stream, stream_size), ATTUNE_FRAME_READY);
    assert_int_equal(decoder.size, size);
    assert_memory_equal(decoder.buffer, frame, size);
}

static void published_examples(void **state) {
    (void)state;
    const uint8_t a[] = {0x11, 0x22, 0x00, 0x33}; /* CRC 0x0745 */
    const uint8_t a_stream[] = {0x03, 0x11, 0x22, 0x04, 0x33, 0x45, 0x07, 0x00};
    expect(a, sizeof a, a_stream, sizeof a_stream);
    const uint8_t b[] = {0x11, 0x00, 0x00, 0x00}; /* CRC 0xE9D3 */
    const uint8_t b_stream[] = {0x02, 0x11, 0x01, 0x01, 0x03, 0xD3, 0xE9, 0x00};
    expect(b, sizeof b, b_stream, sizeof b_stream);
    const uint8_t c[] = {0x00}; /* CRC 0xE1F0 */
    const uint8_t c_stream[] = {0x01, 0x03, 0xF0, 0xE1, 0x00};
    expect(c, sizeof c, c_stream, sizeof c_stream);
    const uint8_t d[] = {0xFF}; /* CRC 0xFF00: a zero in the middle */
    const uint8_t d_stream[] = {0x02, 0xFF, 0x02, 0xFF, 0x00};
    expect(d, sizeof d, d_stream, sizeof d_stream);
    const uint8_t e[] = {0x0E}; /* CRC 0x003E: a zero at the end */
    const uint8_t e_stream[] = {0x03, 0x0E, 0x3E, 0x01, 0x00};
    expect(e, sizeof e, e_stream, sizeof e_stream);
}

/* 1, 2, ..., 252 with CRC 0x09E7 are 254 bytes without a zero: one full block, and none behind it. */
static void a_full_block_at_the_end(void **state) {
    (void)state;
    uint8_t frame[252];
    uint8_t stream[256] = {0xFF};
    for (int i = 0; i < 252; i++) {
        frame[i] = stream[1 + i] = (uint8_t)(i + 1);
    }
    stream[253] = 0xE7;
    stream[254] = 0x09;
    expect(frame, sizeof frame, stream, sizeof stream);
    /* Some encoders do put an empty block there: it means the same. */
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    assert_int_equal(feed(&decoder, stream, 255), ATTUNE_FRAME_NONE);
    assert_int_equal(attune_frame_decode(&decoder, 0x01), ATTUNE_FRAME_NONE);
    assert_int_equal(attune_frame_decode(&decoder, 0x00), ATTUNE_FRAME_READY);
    assert_int_equal(decoder.size, 252);
}

/* 1, 2, ..., 253 with CRC 0x489B are 255 bytes: a full block and one byte. */
static void a_full_block_and_more(void **state) {
    (void)state;
    uint8_t frame[253];
    uint8_t stream[258] = {0xFF};
    for (int i = 0; i < 253; i++) {
        frame[i] = stream[1 + i] = (uint8_t)(i + 1);
    }
    stream[254] = 0x9B;
    stream[255] = 0x02;
    stream[256] = 0x48;
    expect(frame, sizeof frame, stream, sizeof stream);
}

static void damage_is_told_and_the_next_frame_is_good(void **state) {
    (void)state;
    const uint8_t good[] = {0x03, 0x11, 0x22, 0x04, 0x33, 0x45, 0x07, 0x00};
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    for (size_t i = 0; i + 1 < sizeof good; i++) {
        uint8_t bad[sizeof good];
        memcpy(bad, good, sizeof good);
        bad[i] ^= 0x40; /* makes no zero of any of them */
        assert_int_equal(feed(&decoder, bad, sizeof bad), ATTUNE_FRAME_DAMAGED);
        assert_int_equal(feed(&decoder, good, sizeof good), ATTUNE_FRAME_READY);
    }
    /* Cut short after each byte. */
    for (size_t size = 1; size + 1 < sizeof good; size++) {
        assert_int_equal(feed(&decoder, good, size), ATTUNE_FRAME_NONE);
        assert_int_equal(attune_frame_decode(&decoder, 0), ATTUNE_FRAME_DAMAGED);
        assert_int_equal(feed(&decoder, good, sizeof good), ATTUNE_FRAME_READY);
    }
}

static void zeros_between_frames_are_silence(void **state) {
    (void)state;
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(attune_frame_decode(&decoder, 0), ATTUNE_FRAME_NONE);
    }
}

/* A frame of no bytes (CRC 0xFFFF alone) is no frame. */
static void an_empty_frame_is_damage(void **state) {
    (void)state;
    const uint8_t stream[] = {0x03, 0xFF, 0xFF, 0x00};
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    assert_int_equal(feed(&decoder, stream, sizeof stream), ATTUNE_FRAME_DAMAGED);
}

static void the_largest_frame_fits_and_a_larger_one_does_not(void **state) {
    (void)state;
    uint8_t frame[ATTUNE_NODE_FRAME + 1];
    uint8_t stream[ATTUNE_STREAM_SIZE(sizeof frame)];
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (uint8_t)(i * 7);
    }
    size_t size = attune_frame_encode(frame, sizeof frame, stream, sizeof stream);
    assert_int_equal(feed(&decoder, stream, size), ATTUNE_FRAME_OVERSIZED);
    size = attune_frame_encode(frame, sizeof frame - 1, stream, sizeof stream);
    assert_int_equal(feed(&decoder, stream, size), ATTUNE_FRAME_READY);
    assert_int_equal(decoder.size, ATTUNE_NODE_FRAME);
    assert_memory_equal(decoder.buffer, frame, ATTUNE_NODE_FRAME);
}

static void what_goes_in_comes_out(void **state) {
    (void)state;
    uint64_t seed = 3;
    attune_frame_decoder decoder;
    attune_frame_decoder_init(&decoder);
    for (int round = 0; round < 3000; round++) {
        uint8_t frame[ATTUNE_NODE_FRAME];
        uint8_t stream[ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME)];
        size_t size = 1 + random_below(&seed, ATTUNE_NODE_FRAME);
        uint32_t zeros = 1 + random_below(&seed, 400); /* from every byte zero to hardly any */
        for (size_t i = 0; i < size; i++) {
            frame[i] = random_below(&seed, zeros) == 0 ? 0 : (uint8_t)next_random(&seed);
        }
        size_t n = attune_frame_encode(frame, size, stream, ATTUNE_STREAM_SIZE(size));
        assert_true(n > 0);
        assert_ptr_equal(memchr(stream, 0, n), stream + n - 1);
        assert_int_equal(feed(&decoder, stream, n), ATTUNE_FRAME_READY);
        assert_int_equal(decoder.size, size);
        assert_memory_equal(decoder.buffer, frame, size);
    }
}

/* Every size, at the place nearest to its stream: no zeros, nothing else, and some. */
static void a_frame_is_encoded_where_it_lies(void **state) {
    (void)state;
    uint64_t seed = 9;
    for (size_t size = 1; size <= ATTUNE_NODE_FRAME; size++) {
        for (uint32_t zeros = 0; zeros < 3; zeros++) {
            uint8_t frame[ATTUNE_NODE_FRAME];
            uint8_t apart[ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME)];
            uint8_t stream[ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME)];
            for (size_t i = 0; i < size; i++) {
                frame[i] = random_below(&seed, 2) < zeros ? 0 : (uint8_t)(1 + random_below(&seed, 255));
            }
            uint8_t *place = stream + ATTUNE_STREAM_AHEAD(size);
            memcpy(place, frame, size);
            size_t expected = attune_frame_encode(frame, size, apart, sizeof apart);
            assert_int_equal(attune_frame_encode(place, size, stream, ATTUNE_STREAM_SIZE(size)), expected);
            assert_memory_equal(stream, apart, expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_has_its_check_value),
        cmocka_unit_test(published_examples),
        cmocka_unit_test(a_full_block_at_the_end),
        cmocka_unit_test(a_full_block_and_more),
        cmocka_unit_test(damage_is_told_and_the_next_frame_is_good),
        cmocka_unit_test(zeros_between_frames_are_silence),
        cmocka_unit_test(an_empty_frame_is_damage),
        cmocka_unit_test(the_largest_frame_fits_and_a_larger_one_does_not),
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(a_frame_is_encoded_where_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
