#include "filter/filter.h"

#include <stddef.h>
#include <string.h>

/* Beyond this many nats a class is as good as excluded; e to it is far from float32's end. */
#define LOG_ODDS_LIMIT ATTUNE_REAL(30.0)

/* Keeps every probability, and so every sum of them, above zero when updates come without steps between them. */
#define LEAST_PROBABILITY ATTUNE_REAL(1e-30)

static attune_real clamp(attune_real x) {
    if (x > LOG_ODDS_LIMIT) {
        return LOG_ODDS_LIMIT;
    }
    if (x < -LOG_ODDS_LIMIT) {
        return -LOG_ODDS_LIMIT;
    }
    return x == x ? x : 0; /* NaN says nothing */
}

static void normalise(attune_filter *filter) {
    attune_real sum = 0;
    for (uint8_t k = 0; k < filter->classes; k++) {
        if (filter->probability[k] < LEAST_PROBABILITY) {
            filter->probability[k] = LEAST_PROBABILITY;
        }
        sum += filter->probability[k];
    }
    for (uint8_t k = 0; k < filter->classes; k++) {
        filter->probability[k] /= sum;
    }
}

static uint32_t bounded(uint32_t dwell_s, uint16_t step_s) {
    uint32_t least = 2u * step_s > ATTUNE_MIN_DWELL_S ? 2u * step_s : ATTUNE_MIN_DWELL_S;
    if (dwell_s < least) {
        return least;
    }
    return dwell_s > ATTUNE_MAX_DWELL_S ? ATTUNE_MAX_DWELL_S : dwell_s;
}

/* 1 - e^-x for x > 0. */
static attune_real one_minus_exp(attune_real x) {
    /* float32 would keep three digits of the difference where a step is a hundred-thousandth of a stay. */
    return x < ATTUNE_REAL(1e-3) ? x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4))) : 1 - attune_exp(-x);
}

/* A stay of mean length T in continuous time ends within a step with probability 1 - e^(-step / T). */
static attune_real leave_probability(uint32_t dwell_s, uint16_t step_s) {
    return one_minus_exp((attune_real)step_s / (attune_real)bounded(dwell_s, step_s));
}

static uint32_t default_dwell_s(uint8_t k) { return k == 0 ? ATTUNE_DWELL_FREE_S : ATTUNE_DWELL_OTHER_S; }

/* From leave: the limit, and the stationary distribution. */
static void start(attune_filter *filter) {
    attune_real least = filter->leave[0];
    for (uint8_t k = 0; k < filter->classes; k++) {
        least = filter->leave[k] < least ? filter->leave[k] : least;
        /* All transitions out of a class are alike, so the flows balance pairwise: p(k) leave(k) is the same for all k. */
        filter->probability[k] = 1 / filter->leave[k];
    }
    filter->limit = ATTUNE_TURN_NATS - attune_log(least / (attune_real)(filter->classes - 1));
    normalise(filter);
}

void attune_filter_init(attune_filter *filter, uint8_t classes, uint16_t step_s, const uint32_t *dwell_s) {
    *filter = (attune_filter){.classes = classes};
    for (uint8_t k = 0; k < classes; k++) {
        filter->leave[k] = leave_probability(dwell_s == NULL ? default_dwell_s(k) : dwell_s[k], step_s);
    }
    start(filter);
}

void attune_filter_resize(attune_filter *filter, uint8_t classes, uint16_t step_s) {
    attune_filter old = *filter;
    if (classes == old.classes) {
        return;
    }
    attune_filter_init(filter, classes, step_s, NULL);
    uint8_t kept = classes < old.classes ? classes : old.classes;
    for (uint8_t k = 0; k < kept; k++) {
        filter->leave[k] = old.leave[k];
    }
    start(filter);
    attune_real share = 0; /* of the classes kept, at the new stationary distribution */
    attune_real mass = 0;  /* of the same now */
    for (uint8_t k = 0; k < kept; k++) {
        share += filter->probability[k];
        mass += old.probability[k];
    }
    for (uint8_t k = 0; k < kept; k++) {
        filter->probability[k] = old.probability[k] / mass * share;
    }
    normalise(filter);
}

void attune_filter_retime(attune_filter *filter, uint16_t step_s, const uint32_t *dwell_s) {
    const attune_filter old = *filter;
    attune_filter_init(filter, old.classes, step_s, dwell_s);
    memcpy(filter->probability, old.probability, sizeof old.probability);
}

void attune_filter_predict(attune_filter *filter) {
    attune_real others = (attune_real)(filter->classes - 1);
    attune_real leaving[ATTUNE_MAX_CLASSES];
    attune_real total = 0;
    for (uint8_t k = 0; k < filter->classes; k++) {
        leaving[k] = filter->probability[k] * filter->leave[k] / others;
        total += leaving[k];
    }
    for (uint8_t k = 0; k < filter->classes; k++) {
        attune_real stay = filter->probability[k] * (1 - filter->leave[k]);
        filter->probability[k] = stay + (total - leaving[k]);
    }
    normalise(filter);
}

static attune_real lifted(attune_real below_best, attune_real limit) {
    return below_best > -limit ? below_best : -limit;
}

void attune_filter_update(attune_filter *filter, const attune_real *evidence) {
    attune_real highest = 0; /* class 0's own evidence */
    for (uint8_t k = 1; k < filter->classes; k++) {
        attune_real e = clamp(evidence[k - 1]);
        highest = e > highest ? e : highest;
    }
    filter->probability[0] *= attune_exp(lifted(-highest, filter->limit));
    for (uint8_t k = 1; k < filter->classes; k++) {
        filter->probability[k] *= attune_exp(lifted(clamp(evidence[k - 1]) - highest, filter->limit));
    }
    normalise(filter);
}

uint8_t attune_filter_class(const attune_filter *filter) {
    uint8_t best = 0;
    for (uint8_t k = 1; k < filter->classes; k++) {
        if (filter->probability[k] > filter->probability[best]) {
            best = k;
        }
    }
    return best;
}

attune_real attune_filter_log_odds(const attune_filter *filter, uint8_t k) {
    return clamp(attune_log(filter->probability[k]) - attune_log(filter->probability[0]));
}
