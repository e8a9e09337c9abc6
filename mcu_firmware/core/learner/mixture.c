#include "learner/mixture.h"

#include <string.h>

void attune_mixture_init(attune_mixture *mixture, const attune_sensors *sensors) {
    memset(mixture, 0, sizeof *mixture);
    mixture->sensors = *sensors;
    mixture->classes = 2;
    attune_ridge_init(&mixture->ridge, sensors);
    mixture->ridge.drift = ATTUNE_MIXTURE_DRIFT;
    attune_gnb_init(&mixture->gnb, sensors);
}

bool attune_mixture_predict(const attune_mixture *mixture, const int16_t *x, attune_real *evidence) {
    attune_real second[ATTUNE_MAX_CLASSES - 1];
    bool by_ridge = attune_ridge_predict(&mixture->ridge, x, evidence);
    bool by_gnb = attune_gnb_predict(&mixture->gnb, x, second);
    attune_evidence_bound(evidence, mixture->classes, ATTUNE_MIXTURE_LIMIT);
    attune_evidence_bound(second, mixture->classes, ATTUNE_MIXTURE_LIMIT);
    for (uint8_t k = 1; k < mixture->classes; k++) {
        attune_real said = by_ridge ? evidence[k - 1] : 0;
        evidence[k - 1] = by_gnb ? said + ATTUNE_MIXTURE_SHARE * second[k - 1] : said;
    }
    return by_ridge || by_gnb;
}

bool attune_mixture_learn(attune_mixture *mixture, const int16_t *x, uint8_t class_index, attune_real weight) {
    /* gnb holds no weight that ridge has not: it cannot refuse what ridge takes. */
    if (!attune_ridge_learn(&mixture->ridge, x, class_index, weight)) {
        return false;
    }
    (void)attune_gnb_learn(&mixture->gnb, x, class_index, weight);
    mixture->classes = mixture->ridge.classes;
    return true;
}

bool attune_mixture_merge(attune_mixture *mixture, const attune_mixture *other) {
    attune_ridge ridge = mixture->ridge;
    if (!attune_ridge_merge(&ridge, &other->ridge) || !attune_gnb_merge(&mixture->gnb, &other->gnb)) {
        return false;
    }
    mixture->ridge = ridge;
    mixture->classes = ridge.classes;
    return true;
}

bool attune_mixture_unmerge(attune_mixture *mixture, const attune_mixture *other) {
    attune_ridge ridge = mixture->ridge;
    if (!attune_ridge_unmerge(&ridge, &other->ridge) || !attune_gnb_unmerge(&mixture->gnb, &other->gnb)) {
        return false;
    }
    mixture->ridge = ridge;
    return true;
}

size_t attune_mixture_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    return attune_ridge_drifting_size(sensors, classes, format) + attune_gnb_size(sensors, classes, format);
}

void attune_mixture_export(const attune_mixture *mixture, attune_format format, uint8_t *bytes) {
    attune_ridge_export(&mixture->ridge, format, bytes);
    attune_gnb_export(&mixture->gnb, format,
                      bytes + attune_ridge_drifting_size(&mixture->sensors, mixture->classes, format));
}

bool attune_mixture_import(attune_mixture *mixture, uint8_t classes, attune_format format, const uint8_t *bytes) {
    const uint8_t *second = bytes + attune_ridge_drifting_size(&mixture->sensors, classes, format);
    mixture->classes = classes;
    return attune_gnb_import(&mixture->gnb, classes, format, second) &&
           attune_ridge_import(&mixture->ridge, classes, format, bytes);
}
