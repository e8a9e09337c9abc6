#include "decimal.h"

#include "real/bits.h"

#include <stdbool.h>

/* A number in binary with its point in the middle, 16 bits a limb, the lowest first. Above the point is room for a mantissa
 * of 64 bits times ten until it exceeds every float; below it for the half of the smallest one, 2^-150. */
#define LIMB_BITS 16
#define LIMBS 20
#define BITS (LIMBS * LIMB_BITS)
#define POINT (BITS / 2)

/* Place of the last bit of a float's smallest step, 2^-149. */
#define SMALLEST (POINT - 149)

#define FRACTION_BITS 23
#define INFINITE_BITS 0x7F800000u

typedef struct wide {
    uint16_t limbs[LIMBS];
    bool more; /* something above 0 was lost below the last limb */
} wide;

static wide wide_of(uint64_t whole) {
    wide w = {0};
    for (int i = POINT / LIMB_BITS; whole > 0; i++, whole >>= LIMB_BITS) {
        w.limbs[i] = (uint16_t)whole;
    }
    return w;
}

/* Returns false if there is no room for it. */
static bool times_ten(wide *w) {
    uint32_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += w->limbs[i] * 10u;
        w->limbs[i] = (uint16_t)carry;
        carry >>= LIMB_BITS;
    }
    return carry == 0;
}

static void tenth(wide *w) {
    uint32_t rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        rest = rest << LIMB_BITS | w->limbs[i];
        w->limbs[i] = (uint16_t)(rest / 10);
        rest %= 10;
    }
    w->more = w->more || rest > 0;
}

static uint32_t bit(const wide *w, int place) { return w->limbs[place / LIMB_BITS] >> place % LIMB_BITS & 1u; }

/* Whether what lies below a place is at least half of its bit (`odd`: more than half, or half and the bit is set). */
static bool rounds_up(const wide *w, int place, bool odd) {
    bool more = w->more || odd;
    for (int i = 0; i < place - 1; i++) {
        more = more || bit(w, i) > 0;
    }
    return bit(w, place - 1) > 0 && more;
}

/* Rounding up carries from the fraction into the exponent and from the largest float into infinity, as the format is made for. */
static float nearest(const wide *w) {
    uint32_t significand = 0;
    int place = BITS;
    while (place > SMALLEST && significand >> FRACTION_BITS == 0) {
        place--;
        significand = significand << 1 | bit(w, place);
    }
    const uint32_t up = rounds_up(w, place, significand & 1u) ? 1 : 0;
    const uint32_t bits = ((uint32_t)(place - SMALLEST) << FRACTION_BITS) + significand + up;
    return attune_float_of(bits < INFINITE_BITS ? bits : INFINITE_BITS);
}

float attune_decimal(uint64_t mantissa, int exponent) {
    wide w = wide_of(mantissa);
    for (; exponent < 0; exponent++) {
        tenth(&w);
    }
    for (; exponent > 0; exponent--) {
        if (!times_ten(&w)) {
            return attune_float_of(INFINITE_BITS);
        }
    }
    return nearest(&w);
}
