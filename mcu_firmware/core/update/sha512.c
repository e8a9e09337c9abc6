#include "update/sha512.h"

#include <string.h>

#define BLOCK 128
#define ROUNDS 80

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
static const uint64_t constants[ROUNDS] = {
    0x428A2F98D728AE22, 0x7137449123EF65CD, 0xB5C0FBCFEC4D3B2F, 0xE9B5DBA58189DBBC, 0x3956C25BF348B538,
    0x59F111F1B605D019, 0x923F82A4AF194F9B, 0xAB1C5ED5DA6D8118, 0xD807AA98A3030242, 0x12835B0145706FBE,
    0x243185BE4EE4B28C, 0x550C7DC3D5FFB4E2, 0x72BE5D74F27B896F, 0x80DEB1FE3B1696B1, 0x9BDC06A725C71235,
    0xC19BF174CF692694, 0xE49B69C19EF14AD2, 0xEFBE4786384F25E3, 0x0FC19DC68B8CD5B5, 0x240CA1CC77AC9C65,
    0x2DE92C6F592B0275, 0x4A7484AA6EA6E483, 0x5CB0A9DCBD41FBD4, 0x76F988DA831153B5, 0x983E5152EE66DFAB,
    0xA831C66D2DB43210, 0xB00327C898FB213F, 0xBF597FC7BEEF0EE4, 0xC6E00BF33DA88FC2, 0xD5A79147930AA725,
    0x06CA6351E003826F, 0x142929670A0E6E70, 0x27B70A8546D22FFC, 0x2E1B21385C26C926, 0x4D2C6DFC5AC42AED,
    0x53380D139D95B3DF, 0x650A73548BAF63DE, 0x766A0ABB3C77B2A8, 0x81C2C92E47EDAEE6, 0x92722C851482353B,
    0xA2BFE8A14CF10364, 0xA81A664BBC423001, 0xC24B8B70D0F89791, 0xC76C51A30654BE30, 0xD192E819D6EF5218,
    0xD69906245565A910, 0xF40E35855771202A, 0x106AA07032BBD1B8, 0x19A4C116B8D2D0C8, 0x1E376C085141AB53,
    0x2748774CDF8EEB99, 0x34B0BCB5E19B48A8, 0x391C0CB3C5C95A63, 0x4ED8AA4AE3418ACB, 0x5B9CCA4F7763E373,
    0x682E6FF3D6B2B8A3, 0x748F82EE5DEFB2FC, 0x78A5636F43172F60, 0x84C87814A1F0AB72, 0x8CC702081A6439EC,
    0x90BEFFFA23631E28, 0xA4506CEBDE82BDE9, 0xBEF9A3F7B2C67915, 0xC67178F2E372532B, 0xCA273ECEEA26619C,
    0xD186B8C721C0C207, 0xEADA7DD6CDE0EB1E, 0xF57D4F7FEE6ED178, 0x06F067AA72176FBA, 0x0A637DC5A2C898A6,
    0x113F9804BEF90DAE, 0x1B710B35131C471B, 0x28DB77F523047D84, 0x32CAAB7B40C72493, 0x3C9EBE0A15C9BEBC,
    0x431D67C49C100D4C, 0x4CC5D4BECB3E42B6, 0x597F299CFC657E2A, 0x5FCB6FAB3AD6FAEC, 0x6C44198C4A475817,
};

/* Likewise of the square roots of the first 8. */
static const uint64_t beginning[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

static uint64_t turn(uint64_t x, int places) { return x >> places | x << (64 - places); }

static uint64_t read_big(const uint8_t *bytes) {
    uint64_t x = 0;
    for (int i = 0; i < 8; i++) {
        x = x << 8 | bytes[i];
    }
    return x;
}

static void write_big(uint64_t x, uint8_t *bytes) {
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(x >> (56 - 8 * i));
    }
}

/* The next word of the schedule, which holds the last sixteen (FIPS 180-4, 6.4.2 step 1). */
static uint64_t next_word(uint64_t *w, uint32_t t) {
    uint64_t early = w[(t + 1) & 15u];
    uint64_t late = w[(t + 14) & 15u];
    uint64_t first = turn(early, 1) ^ turn(early, 8) ^ early >> 7;
    uint64_t second = turn(late, 19) ^ turn(late, 61) ^ late >> 6;
    w[t & 15u] += first + w[(t + 9) & 15u] + second;
    return w[t & 15u];
}

/* One round (step 3); h holds a to h. */
static void round_once(uint64_t *h, uint64_t key_and_word) {
    uint64_t e = h[4];
    uint64_t a = h[0];
    uint64_t choice = (e & h[5]) ^ (~e & h[6]);
    uint64_t majority = (a & h[1]) ^ (a & h[2]) ^ (h[1] & h[2]);
    uint64_t t1 = h[7] + (turn(e, 14) ^ turn(e, 18) ^ turn(e, 41)) + choice + key_and_word;
    uint64_t t2 = (turn(a, 28) ^ turn(a, 34) ^ turn(a, 39)) + majority;
    memmove(h + 1, h, 7 * sizeof *h);
    h[4] += t1;
    h[0] = t1 + t2;
}

static void compress(attune_sha512 *sha) {
    uint64_t w[16];
    uint64_t h[8];
    for (uint32_t t = 0; t < 16; t++) {
        w[t] = read_big(sha->block + 8 * t);
    }
    memcpy(h, sha->state, sizeof h);
    for (uint32_t t = 0; t < ROUNDS; t++) {
        round_once(h, constants[t] + (t < 16 ? w[t] : next_word(w, t)));
    }
    for (int i = 0; i < 8; i++) {
        sha->state[i] += h[i];
    }
}

void attune_sha512_init(attune_sha512 *sha) {
    memcpy(sha->state, beginning, sizeof sha->state);
    sha->size = 0;
}

void attune_sha512_update(attune_sha512 *sha, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        size_t held = (size_t)(sha->size % BLOCK);
        size_t taken = size < BLOCK - held ? size : BLOCK - held;
        memcpy(sha->block + held, bytes, taken);
        sha->size += taken;
        bytes += taken;
        size -= taken;
        if (sha->size % BLOCK == 0) {
            compress(sha);
        }
    }
}

void attune_sha512_final(attune_sha512 *sha, uint8_t digest[ATTUNE_SHA512]) {
    size_t held = (size_t)(sha->size % BLOCK);
    sha->block[held] = 0x80;
    memset(sha->block + held + 1, 0, BLOCK - 1 - held);
    if (held >= BLOCK - 16) {
        compress(sha);
        memset(sha->block, 0, BLOCK);
    }
    write_big(sha->size * 8, sha->block + BLOCK - 8);
    compress(sha);
    for (int i = 0; i < 8; i++) {
        write_big(sha->state[i], digest + 8 * i);
    }
}
