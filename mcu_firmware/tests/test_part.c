/* Parts by the golden file of tests/vectors, and what holds for every frame and size. */
#include "framing/part.h"

#include "vectors.h"

#include <string.h>

#define LARGEST 1024

static size_t read_hex(const char *text, uint8_t *bytes) {
    size_t size = 0;
    for (; isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]); text += 2) {
        assert_true(size < LARGEST);
        bytes[size++] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
    }
    return size;
}

typedef struct golden_case {
    attune_part_cutter cutter;
    attune_part_joiner joiner;
    unsigned largest;
    unsigned told; /* by the last part, and not yet asked for */
    bool cuts;
    uint8_t frame[1 + LARGEST];
} golden_case;

static void begin(golden_case *now, const char *line) {
    unsigned limit = 0;
    unsigned number = 0;
    assert_int_equal(now->told, 0);
    memset(now, 0, sizeof *now);
    now->cuts = sscanf(line, "cut %u %u", &now->largest, &number) == 2;
    now->cutter.number = (uint8_t)number;
    if (!now->cuts) {
        assert_int_equal(sscanf(line, "join %u", &limit), 1);
        attune_part_joiner_init(&now->joiner, now->frame, (uint16_t)limit);
    }
}

static void take_part(golden_case *now, const uint8_t *bytes, size_t size) {
    const uint8_t *part = NULL;
    if (!now->cuts) {
        assert_int_equal(now->told, 0);
        now->told = attune_part_join(&now->joiner, bytes, size);
        return;
    }
    assert_int_equal(attune_part_next(&now->cutter, now->largest, &part), size);
    assert_int_equal(attune_part_next(&now->cutter, now->largest, &part), size);
    assert_memory_equal(part, bytes, size);
    attune_part_sent(&now->cutter);
}

static void take_frame(golden_case *now, const uint8_t *bytes, size_t size) {
    if (now->cuts) {
        memcpy(now->frame + 1, bytes, size);
        attune_part_begin(&now->cutter, now->frame + 1, size);
        return;
    }
    assert_int_equal(now->told, ATTUNE_PART_READY);
    now->told = 0;
    assert_int_equal(now->joiner.size, size);
    assert_memory_equal(now->frame, bytes, size);
}

static void take_event(golden_case *now, attune_part_event event) {
    assert_true((now->told & (unsigned)event) != 0);
    now->told &= ~(unsigned)event;
}

static void take_line(golden_case *now, const char *line) {
    static uint8_t bytes[LARGEST];
    if (strncmp(line, "cut ", 4) == 0 || strncmp(line, "join ", 5) == 0) {
        begin(now, line);
    } else if (strncmp(line, "part", 4) == 0) {
        take_part(now, bytes, line[4] == ' ' ? read_hex(line + 5, bytes) : 0);
    } else if (strncmp(line, "frame ", 6) == 0) {
        take_frame(now, bytes, read_hex(line + 6, bytes));
    } else if (strncmp(line, "damaged", 7) == 0) {
        take_event(now, ATTUNE_PART_DAMAGED);
    } else if (strncmp(line, "oversized", 9) == 0) {
        take_event(now, ATTUNE_PART_OVERSIZED);
    } else {
        assert_true(line[0] == '#' || line[0] == '\n');
    }
}

static void golden_parts(void **state) {
    (void)state;
    static char line[2 * LARGEST + 16];
    static golden_case now;
    FILE *file = fopen("tests/vectors/parts.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        take_line(&now, line);
    }
    fclose(file);
    assert_int_equal(now.told, 0);
}

/* Cuts a frame of size bytes into parts of at most largest, and returns how many there were. */
static size_t there_and_back(attune_part_cutter *cutter, attune_part_joiner *joiner, size_t size, size_t largest) {
    static uint8_t sent[1 + LARGEST];
    const uint8_t *part = NULL;
    size_t parts = 0;
    for (size_t i = 0; i < size; i++) {
        sent[1 + i] = (uint8_t)(i * 7 + size);
    }
    attune_part_begin(cutter, sent + 1, size);
    for (size_t n; (n = attune_part_next(cutter, largest, &part)) > 0; parts++) {
        assert_in_range(n, ATTUNE_PART_LEAST, largest);
        const unsigned event = attune_part_join(joiner, part, n);
        attune_part_sent(cutter);
        assert_int_equal(event, cutter->left == 0 ? ATTUNE_PART_READY : 0);
    }
    assert_int_equal(joiner->size, size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(joiner->frame[i], (uint8_t)(i * 7 + size));
    }
    return parts;
}

static void every_size_comes_back_whole(void **state) {
    (void)state;
    static uint8_t frame[LARGEST];
    attune_part_cutter cutter = {.number = 0};
    attune_part_joiner joiner;
    attune_part_joiner_init(&joiner, frame, sizeof frame);
    const size_t largest[] = {2, 3, 20, 64, 65, 244, 512};
    for (size_t i = 0; i < sizeof largest / sizeof largest[0]; i++) {
        for (size_t size = 1; size <= LARGEST; size += 1 + size / 16) {
            /* As many as it takes to hold them, a byte of each being the header. */
            assert_int_equal(there_and_back(&cutter, &joiner, size, largest[i]),
                             (size + largest[i] - 2) / (largest[i] - 1));
        }
    }
}

/* A controller without a free buffer has the same part asked for again, and the MTU may have changed meanwhile. */
static void what_was_not_sent_is_cut_anew(void **state) {
    (void)state;
    uint8_t frame[] = {0, 1, 2, 3, 4, 5};
    const uint8_t *part = NULL;
    attune_part_cutter cutter = {.number = 0};
    attune_part_begin(&cutter, frame + 1, 5);
    assert_int_equal(attune_part_next(&cutter, 3, &part), 3);
    attune_part_sent(&cutter);
    assert_int_equal(attune_part_next(&cutter, 3, &part), 3);
    assert_memory_equal(part, ((const uint8_t[]){0x01, 3, 4}), 3);
    assert_int_equal(attune_part_next(&cutter, 20, &part), 4);
    assert_memory_equal(part, ((const uint8_t[]){0x41, 3, 4, 5}), 4);
    attune_part_sent(&cutter);
    assert_int_equal(attune_part_next(&cutter, 20, &part), 0);
}

/* Another frame takes the place of one that is half sent; the receiver is told so by its first part. */
static void a_frame_that_is_given_up(void **state) {
    (void)state;
    uint8_t joined[8];
    uint8_t first[] = {0, 1, 2, 3};
    uint8_t second[] = {0, 9};
    const uint8_t *part = NULL;
    attune_part_cutter cutter = {.number = 0};
    attune_part_joiner joiner;
    attune_part_joiner_init(&joiner, joined, sizeof joined);
    attune_part_begin(&cutter, first + 1, 3);
    size_t size = attune_part_next(&cutter, 2, &part);
    assert_int_equal(attune_part_join(&joiner, part, size), 0);
    attune_part_sent(&cutter);
    attune_part_begin(&cutter, second + 1, 1);
    size = attune_part_next(&cutter, 2, &part);
    assert_int_equal(attune_part_join(&joiner, part, size), ATTUNE_PART_DAMAGED | ATTUNE_PART_READY);
    assert_int_equal(joined[0], 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_parts),
        cmocka_unit_test(every_size_comes_back_whole),
        cmocka_unit_test(what_was_not_sent_is_cut_anew),
        cmocka_unit_test(a_frame_that_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
