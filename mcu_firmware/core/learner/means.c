#include "learner/means.h"

/* Rounding may leave this share of a sum behind when the same numbers are taken out again that went in. */
#ifdef ATTUNE_REAL_DOUBLE
#define SLACK 1e-12
#else
#define SLACK 1e-5f
#endif

static bool has_room(const attune_means *means, uint32_t present, uint32_t sensors, attune_real weight) {
    for (uint32_t s = 0; s < sensors; s++) {
        if ((present >> s & 1) != 0 && means->n[s] + weight > ATTUNE_MAX_N) {
            return false;
        }
    }
    return true;
}

bool attune_means_learn(attune_means *means, attune_real *m2, const attune_sensors *sensors, const int16_t *x,
                        attune_real weight) {
    uint32_t present = attune_sensors_present(sensors, x);
    if (!has_room(means, present, sensors->count, weight)) {
        return false;
    }
    for (uint32_t s = 0; s < sensors->count; s++) {
        means->n[s] += (present >> s & 1) != 0 ? weight : 0;
    }
    for (uint32_t i = 0; i < sensors->features; i++) {
        uint32_t s = sensors->of[i];
        if ((present >> s & 1) != 0) {
            attune_real difference = attune_unit(x[i]) - means->mean[i];
            means->mean[i] += difference * (weight / means->n[s]);
            attune_real square = difference * (attune_unit(x[i]) - means->mean[i]);
            m2[i] += square > 0 ? weight * square : 0; /* rounding may take a mean past x */
        }
    }
    return true;
}

bool attune_means_merge(attune_means *means, attune_real *m2, const attune_means *other,
                        const attune_sensors *sensors) {
    for (uint8_t i = 0; i < sensors->features; i++) {
        attune_real a = means->n[sensors->of[i]];
        attune_real b = other->n[sensors->of[i]];
        if (b > 0) {
            attune_real difference = other->mean[i] - means->mean[i];
            means->mean[i] = a > 0 ? means->mean[i] + difference * (b / (a + b)) : other->mean[i];
            m2[i] += difference * difference * (a * (b / (a + b)));
        }
    }
    for (uint8_t s = 0; s < sensors->count; s++) {
        means->n[s] += other->n[s];
    }
    return attune_means_valid(means, sensors);
}

/* Weight that is left of n when b is taken out; below zero if it never was in it. */
static attune_real left_of(attune_real n, attune_real b) {
    attune_real left = n - b;
    bool nothing = left <= SLACK * n && left >= -SLACK * n;
    return nothing ? 0 : left;
}

bool attune_means_unmerge(attune_means *means, attune_real *m2, const attune_means *other,
                          const attune_sensors *sensors) {
    for (uint8_t i = 0; i < sensors->features; i++) {
        attune_real n = means->n[sensors->of[i]];
        attune_real b = other->n[sensors->of[i]];
        attune_real left = left_of(n, b);
        if (b > 0 && left > 0) {
            means->mean[i] += (means->mean[i] - other->mean[i]) * (b / left);
            attune_real difference = other->mean[i] - means->mean[i];
            m2[i] -= difference * difference * (left * (b / n));
        } else if (left == 0) {
            means->mean[i] = 0;
        }
    }
    for (uint8_t s = 0; s < sensors->count; s++) {
        means->n[s] = left_of(means->n[s], other->n[s]);
    }
    return attune_means_valid(means, sensors);
}

bool attune_means_valid(const attune_means *means, const attune_sensors *sensors) {
    for (uint8_t s = 0; s < sensors->count; s++) {
        if (!(means->n[s] >= 0 && means->n[s] <= ATTUNE_MAX_N)) {
            return false;
        }
    }
    for (uint8_t i = 0; i < sensors->features; i++) {
        attune_real mean = means->mean[i];
        bool among = mean >= -ATTUNE_MAX_X && mean <= ATTUNE_MAX_X;
        if (!among || (means->n[sensors->of[i]] == 0 && mean != 0)) {
            return false;
        }
    }
    return true;
}

uint32_t attune_means_known(const attune_means *means, const attune_sensors *sensors) {
    uint32_t known = 0;
    for (uint8_t s = 0; s < sensors->count; s++) {
        known |= (uint32_t)(means->n[s] > 0) << s;
    }
    return known;
}

bool attune_squares_settle(attune_real *m2, attune_real before, attune_real n) {
    if (n == 0 || (*m2 < 0 && *m2 >= -SLACK * (before + n))) {
        *m2 = 0;
    }
    return attune_squares_valid(*m2, n);
}

bool attune_squares_valid(attune_real m2, attune_real n) { return m2 >= 0 && m2 <= n * ATTUNE_LARGEST_VARIANCE; }
