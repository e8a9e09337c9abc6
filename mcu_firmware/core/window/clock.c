#include "window/clock.h"

#define QUARTER_S (ATTUNE_DAY_S / 4)
#define FRIDAY_END_S (5 * ATTUNE_DAY_S)

bool attune_clock_valid(attune_real week_s) { return week_s >= 0 && week_s < (attune_real)ATTUNE_WEEK_S; }

/* sin(pi/2 t) for 0 <= t <= 1: the Taylor series up to t^11, whose next term is below 6e-8. */
static attune_real quarter_sine(attune_real t) {
    static const attune_real series[] = {
        ATTUNE_REAL(1.5707963267948966),     ATTUNE_REAL(-0.64596409750624625),   ATTUNE_REAL(0.079692626246167045),
        ATTUNE_REAL(-0.0046817541353186881), ATTUNE_REAL(0.00016044118478735982), ATTUNE_REAL(-3.5988432352120853e-06),
    };
    attune_real sum = 0;
    for (int i = 5; i >= 0; i--) {
        sum = sum * t * t + series[i];
    }
    return sum * t;
}

/* Sine of the day's turn at a second of the day, or of a later day. */
static attune_real sine(uint32_t second) {
    uint32_t quarter = second / QUARTER_S % 4;
    uint32_t into = second % QUARTER_S;
    uint32_t rising = quarter % 2 == 0 ? into : QUARTER_S - into;
    attune_real size = quarter_sine((attune_real)rising / (attune_real)QUARTER_S);
    return quarter < 2 ? size : -size;
}

attune_real attune_clock_sine(attune_real week_s) { return sine((uint32_t)week_s); }

attune_real attune_clock_cosine(attune_real week_s) { return sine((uint32_t)week_s + QUARTER_S); }

attune_real attune_clock_weekend(attune_real week_s) { return (uint32_t)week_s >= FRIDAY_END_S ? 1 : 0; }
