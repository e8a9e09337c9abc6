/* Advertised hints by the golden file of tests/vectors, whose source is Python's hashlib; and when hint and address change. */
#include "session/advertising.h"

#include "fake_daemon.h"
#include "vectors.h"

#include <string.h>

static size_t read_hex(const char *text, uint8_t *bytes, size_t capacity) {
    size_t size = 0;
    for (; size < capacity && isxdigit((unsigned char)text[0]); text += 2) {
        bytes[size++] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
    }
    return size;
}

typedef struct golden_case {
    uint8_t hint[ATTUNE_HINT];
    uint8_t code[ATTUNE_CODE_BITS];
    uint8_t key[ATTUNE_ADVERTISING_KEY];
    unsigned checked;
} golden_case;

static void check_line(golden_case *now, const char *line) {
    uint8_t want[32];
    uint8_t got[32];
    if (strncmp(line, "hint ", 5) == 0) {
        assert_int_equal(read_hex(line + 5, now->hint, sizeof now->hint), sizeof now->hint);
    } else if (strncmp(line, "code ", 5) == 0) {
        assert_int_equal(read_hex(line + 5, now->code, sizeof now->code), sizeof now->code);
    } else if (strncmp(line, "key ", 4) == 0) {
        assert_int_equal(read_hex(line + 4, want, sizeof want), sizeof now->key);
        attune_advertising_key(now->hint, now->code, now->key);
        assert_memory_equal(now->key, want, sizeof now->key);
    } else if (strncmp(line, "advertised ", 11) == 0) {
        assert_int_equal(read_hex(line + 11, want, ATTUNE_ADVERTISED), ATTUNE_ADVERTISED);
        attune_advertised_hint(now->key, want, got);
        assert_memory_equal(got, want, ATTUNE_ADVERTISED);
        now->checked++;
    } else {
        assert_true(line[0] == '#' || line[0] == '\n');
    }
}

static void golden_hints(void **state) {
    (void)state;
    char line[256];
    golden_case now = {.checked = 0};
    FILE *file = fopen("tests/vectors/advertising.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        check_line(&now, line);
    }
    fclose(file);
    assert_int_equal(now.checked, 6);
}

/* What the next draws give, one after the other, repeated to the size that is asked for. */
static const uint8_t *draws;

static void entropy(void *context, uint8_t *bytes, size_t size) {
    (void)context;
    memset(bytes, *draws++, size);
}

static attune_session session;
static fake_daemon daemon_;

static void start(const uint8_t *numbers) {
    emulated_flash_init(&daemon_.flash);
    assert_int_equal(attune_store_open(&daemon_.store, &daemon_.flash.port), ATTUNE_STORE_OK);
    draws = numbers;
    const attune_keeper keeper = {.entropy = entropy};
    assert_true(
        attune_session_init(&session, (const uint8_t[8]){1, 2, 3, 4, 5, 6, 7, 8}, false, &keeper, &daemon_.store));
}

static void hint_and_address_change_at_the_start_and_every_four_hours(void **state) {
    (void)state;
    attune_advertising now = {.due_ms = 0};
    /* Key pair and code; then r and address, twice. */
    start((const uint8_t[]){11, 12, 0x21, 0x22, 0x31, 0x32});
    attune_advertising_poll(&now, &session, 500);
    assert_memory_equal(now.hint, ((const uint8_t[]){0x21, 0x21, 0x21}), 3);
    assert_memory_equal(now.address, ((const uint8_t[]){0x22, 0x22, 0x22, 0x22, 0x22, 0xE2}), 6);
    const attune_advertising first = now;
    attune_advertising_poll(&now, &session, 500 + 4 * 3600 * 1000 - 1);
    assert_memory_equal(&now, &first, sizeof now);
    attune_advertising_poll(&now, &session, 500 + 4 * 3600 * 1000);
    assert_memory_equal(now.hint, ((const uint8_t[]){0x31, 0x31, 0x31}), 3);
    assert_memory_equal(now.address, ((const uint8_t[]){0x32, 0x32, 0x32, 0x32, 0x32, 0xF2}), 6);
    assert_int_equal(now.due_ms, 500 + 8 * 3600 * 1000);
}

static void the_hint_is_of_the_node_and_its_code(void **state) {
    (void)state;
    attune_advertising now = {.due_ms = 0};
    uint8_t code[ATTUNE_CODE_BITS];
    uint8_t key[ATTUNE_ADVERTISING_KEY];
    uint8_t hint[ATTUNE_ADVERTISED];
    start((const uint8_t[]){11, 12, 0x21, 0x22});
    memset(code, 12, sizeof code);
    attune_advertising_key((const uint8_t[]){1, 2, 3, 4}, code, key);
    attune_advertised_hint(key, (const uint8_t[]){0x21, 0x21, 0x21}, hint);
    attune_advertising_poll(&now, &session, 0);
    assert_memory_equal(now.hint, hint, sizeof hint);
}

/* The 46 random bits of a static address are neither all 0 nor all 1. */
static void an_address_that_may_not_be_is_mended(void **state) {
    (void)state;
    attune_advertising now = {.due_ms = 0};
    start((const uint8_t[]){11, 12, 0x21, 0x00});
    attune_advertising_poll(&now, &session, 0);
    assert_memory_equal(now.address, ((const uint8_t[]){1, 0, 0, 0, 0, 0xC0}), 6);
    now.due_ms = 0;
    draws = (const uint8_t[]){0x21, 0xFF};
    attune_advertising_poll(&now, &session, 0);
    assert_memory_equal(now.address, ((const uint8_t[]){0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_hints),
        cmocka_unit_test(hint_and_address_change_at_the_start_and_every_four_hours),
        cmocka_unit_test(the_hint_is_of_the_node_and_its_code),
        cmocka_unit_test(an_address_that_may_not_be_is_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
