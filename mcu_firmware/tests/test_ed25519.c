/* SHA-512 and Ed25519 against published vectors. Longer messages and another implementation's signatures are in
 * tests/unit/test_update_envelope.py. */
#include "update/ed25519.h"
#include "update/sha512.h"

#include "check.h"

#include <string.h>

static size_t from_hex(const char *text, uint8_t *bytes) {
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned int byte = 0;
        for (int half = 0; half < 2; half++) {
            char c = text[2 * i + (size_t)half];
            byte = byte << 4 | (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        bytes[i] = (uint8_t)byte;
    }
    return size;
}

static void expect_digest(const char *message, uint32_t times, const char *expected) {
    uint8_t digest[ATTUNE_SHA512], known[ATTUNE_SHA512];
    attune_sha512 sha;
    attune_sha512_init(&sha);
    for (uint32_t i = 0; i < times; i++) {
        attune_sha512_update(&sha, (const uint8_t *)message, strlen(message));
    }
    attune_sha512_final(&sha, digest);
    assert_int_equal(from_hex(expected, known), sizeof known);
    assert_memory_equal(digest, known, sizeof known);
}

/* NIST, "Examples with intermediate values": one block, two blocks; and a million times "a". */
static void published_digests(void **state) {
    (void)state;
    expect_digest("", 0,
                  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
    expect_digest("abc", 1,
                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    expect_digest(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
        "nopqrstu",
        1,
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
        "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
    expect_digest("a", 1000000,
                  "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
                  "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
}

typedef struct published {
    const char *key, *message, *signature;
} published;

/* RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc). */
static const published vectors[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141"
     "438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d29"
     "1612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027be"
     "ceea1ec40a"},
    {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a9ac9"
     "4fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad"
     "9bef1"
     "177331a704"},
};

static void published_signatures(void **state) {
    (void)state;
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        uint8_t key[32], message[64], signature[64];
        (void)from_hex(vectors[v].key, key);
        (void)from_hex(vectors[v].signature, signature);
        size_t size = from_hex(vectors[v].message, message);
        for (size_t cut = 0; cut <= size; cut++) {
            const attune_part parts[] = {{message, cut}, {message + cut, size - cut}};
            assert_true(attune_ed25519_check(signature, key, parts, 2));
        }
        for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const attune_part whole = {message, size};
            assert_false(attune_ed25519_check(signature, key, &whole, 1));
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_digests),
        cmocka_unit_test(published_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
