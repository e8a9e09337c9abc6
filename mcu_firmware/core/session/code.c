#include "session/code.h"

#include <monocypher.h>
#include <string.h>

#define BYTES (ATTUNE_HINT + ATTUNE_CODE_BITS)
#define DIGITS (BYTES * 8 / 5)
#define GROUP 4
#define DOMAIN "attune-commissioning-1"

static uint8_t digit_at(const uint8_t bytes[BYTES], unsigned i) {
    const unsigned bit = 5 * i;
    const unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < BYTES ? bytes[bit / 8 + 1] : 0u);
    return (uint8_t)(pair >> (11 - bit % 8) & 31);
}

/* By x in GF(32). */
static uint8_t doubled(uint8_t a) { return (uint8_t)((a << 1 ^ (a & 16 ? 37 : 0)) & 31); }

static uint8_t multiplied(uint8_t a, uint8_t b) {
    uint8_t product = 0;
    for (; b != 0; b >>= 1, a = doubled(a)) {
        product ^= b & 1 ? a : 0;
    }
    return product;
}

static void check(uint8_t digit[DIGITS + 2]) {
    uint8_t weight = 1;
    uint8_t weights[DIGITS] = {0};
    for (unsigned i = 0; i < DIGITS; i++) {
        weights[i] = i == DIGITS - 1 ? weights[i - 2] : weight;
        weight = doubled(weight);
        digit[DIGITS] ^= digit[i];
        digit[DIGITS + 1] ^= multiplied(weights[i], digit[i]);
    }
}

static void join(const uint8_t *hint, const uint8_t *bits, uint8_t bytes[BYTES]) {
    memcpy(bytes, hint, ATTUNE_HINT);
    memcpy(bytes + ATTUNE_HINT, bits, ATTUNE_CODE_BITS);
}

void attune_code_write(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS],
                       char text[ATTUNE_CODE_TEXT]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t bytes[BYTES];
    uint8_t digit[DIGITS + 2] = {0};
    join(hint, bits, bytes);
    for (unsigned i = 0; i < DIGITS; i++) {
        digit[i] = digit_at(bytes, i);
    }
    check(digit);
    for (unsigned i = 0; i < DIGITS + 2; i++) {
        if (i > 0 && i % GROUP == 0) {
            *text++ = '-';
        }
        *text++ = alphabet[digit[i]];
    }
    *text = 0;
    crypto_wipe(bytes, sizeof bytes);
    crypto_wipe(digit, sizeof digit);
}

void attune_code_psk(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS], uint8_t psk[32]) {
    uint8_t bytes[BYTES];
    crypto_blake2b_ctx hash;
    join(hint, bits, bytes);
    crypto_blake2b_init(&hash, 32);
    crypto_blake2b_update(&hash, (const uint8_t *)DOMAIN, sizeof DOMAIN - 1);
    crypto_blake2b_update(&hash, bytes, sizeof bytes);
    crypto_blake2b_final(&hash, psk);
    crypto_wipe(bytes, sizeof bytes);
}
