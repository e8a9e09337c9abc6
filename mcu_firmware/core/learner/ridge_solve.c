#include "learner/ridge_parts.h"

#include <string.h>

/* Least share of a class's weight that the features are held to leave unexplained: below it rounding decides. */
#define LEAST_UNEXPLAINED ATTUNE_REAL(1e-6)

typedef attune_real class_matrix[ATTUNE_MAX_CLASSES][ATTUNE_MAX_CLASSES];

/* The classes that were taught; class 0 is the first of them. */
typedef struct taught {
    uint8_t count;
    uint8_t of[ATTUNE_MAX_CLASSES];
} taught;

attune_real attune_ridge_explained(const attune_ridge *ridge, uint8_t k, uint8_t j) {
    const attune_real *pivot = ridge->u;
    attune_real sum = 0;
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        sum += *pivot * ridge->z[i][k - 1] * ridge->z[i][j - 1];
        pivot += ridge->sensors.features - i;
    }
    return sum;
}

static taught find_taught(const attune_ridge *ridge) {
    taught classes = {0, {0}};
    for (uint8_t k = 0; k < ridge->classes && ridge->n[0] > 0; k++) {
        if (ridge->n[k] > 0) {
            classes.of[classes.count] = k;
            classes.count += 1;
        }
    }
    return classes;
}

/* G = z'Dz of the taught classes. The indicators sum to one, so the rows do to zero, which gives the row of class 0. */
static void explain(const attune_ridge *ridge, const taught *classes, class_matrix g) {
    g[0][0] = 0;
    for (uint8_t a = 1; a < classes->count; a++) {
        g[a][0] = 0;
        for (uint8_t b = 1; b <= a; b++) {
            g[a][b] = attune_ridge_explained(ridge, classes->of[a], classes->of[b]);
            g[b][a] = g[a][b];
        }
    }
    for (uint8_t a = 1; a < classes->count; a++) {
        for (uint8_t b = 1; b < classes->count; b++) {
            g[a][0] -= g[a][b];
        }
        g[0][a] = g[a][0];
        g[0][0] -= g[a][0];
    }
}

/* diag(n) - G = L E L' in place: E on the diagonal, L below it. */
static void factor(const attune_ridge *ridge, const taught *classes, class_matrix g, class_matrix l) {
    for (uint8_t a = 0; a < classes->count; a++) {
        attune_real n = ridge->n[classes->of[a]];
        for (uint8_t b = 0; b <= a; b++) {
            attune_real sum = (a == b ? n : 0) - g[a][b];
            for (uint8_t c = 0; c < b; c++) {
                sum -= l[a][c] * l[b][c] * l[c][c];
            }
            l[a][b] = a == b ? sum : sum / l[b][b];
        }
        l[a][a] = l[a][a] > LEAST_UNEXPLAINED * n ? l[a][a] : LEAST_UNEXPLAINED * n;
    }
}

/* v = (diag(n) - G)^-1 (e_a - e_0). */
static void separate(const taught *classes, class_matrix l, uint8_t a, attune_real *v) {
    const uint8_t count = classes->count;
    for (uint8_t b = 0; b < count; b++) {
        v[b] = (attune_real)(b == a) - (attune_real)(b == 0);
        for (uint8_t c = 0; c < b; c++) {
            v[b] -= l[b][c] * v[c];
        }
    }
    for (uint8_t b = count; b-- > 0;) {
        v[b] /= l[b][b];
        for (uint8_t c = (uint8_t)(b + 1); c < count; c++) {
            v[b] -= l[c][b] * v[c];
        }
    }
}

void attune_ridge_substitute(const attune_ridge *ridge, attune_real *b) {
    const uint8_t d = ridge->sensors.features;
    const attune_real *u = &ridge->u[attune_ridge_row(d, (uint8_t)(d - 1))];
    for (uint32_t i = d - 1u; i-- > 0;) {
        uint32_t left = d - 1u - i;
        u -= left + 1;
        attune_real sum = b[i];
        const attune_real *coefficient = u + 1;
        const attune_real *solved = b + i + 1;
        do {
            sum -= *coefficient++ * *solved++;
        } while (--left > 0);
        b[i] = sum;
    }
}

/* W^-1 (mean_a - mean_0) = U^-1 z v, and half of its product with what both means are off the common one: G v / n. */
static void solve_class(attune_ridge *ridge, const taught *classes, class_matrix g, const attune_real *v, uint8_t a) {
    const uint8_t k = classes->of[a];
    attune_real all = attune_ridge_total(ridge) + ATTUNE_RIDGE_WEIGHT;
    attune_real own = 0;
    attune_real free = 0;
    for (uint32_t b = 0; b < classes->count; b++) {
        own += g[a][b] * v[b];
        free += g[0][b] * v[b];
    }
    ridge->bias[k - 1] = -all / 2 * (own / ridge->n[k] + free / ridge->n[0]);
    attune_real share[ATTUNE_MAX_CLASSES - 1] = {0};
    for (uint32_t b = 1; b < classes->count; b++) {
        share[classes->of[b] - 1] = all * (v[b] - v[0]);
    }
    for (uint32_t i = 0; i < ridge->sensors.features; i++) {
        attune_real sum = 0;
        for (uint32_t j = 0; j + 1u < ridge->classes; j++) {
            sum += share[j] * ridge->z[i][j];
        }
        ridge->weight[k - 1][i] = sum;
    }
    attune_ridge_substitute(ridge, ridge->weight[k - 1]);
}

static void forget_untaught(attune_ridge *ridge) {
    for (uint8_t k = 1; k < ridge->classes; k++) {
        if (!(ridge->n[0] * ridge->n[k] > 0)) {
            memset(ridge->weight[k - 1], 0, sizeof ridge->weight[0]);
            ridge->bias[k - 1] = ATTUNE_UNTAUGHT;
        }
    }
}

void attune_ridge_solve(attune_ridge *ridge) {
    class_matrix g;
    class_matrix l;
    attune_real v[ATTUNE_MAX_CLASSES];
    taught classes = find_taught(ridge);
    forget_untaught(ridge);
    explain(ridge, &classes, g);
    factor(ridge, &classes, g, l);
    for (uint8_t a = 1; a < classes.count; a++) {
        separate(&classes, l, a, v);
        solve_class(ridge, &classes, g, v, a);
    }
}

void attune_ridge_solution(const attune_ridge *ridge, uint8_t k, attune_real *weight, attune_real *intercept) {
    attune_real total = attune_ridge_total(ridge);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        weight[i] = 0;
        for (uint8_t j = 1; j < ridge->classes; j++) {
            weight[i] += k == 0 ? -ridge->z[i][j - 1] : (attune_real)(j == k) * ridge->z[i][j - 1];
        }
    }
    attune_ridge_substitute(ridge, weight);
    *intercept = total > 0 ? ridge->n[k] / total : 0;
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        *intercept -= weight[i] * ridge->mean[i];
    }
}
