#include "window/history.h"

/* A fiftieth of a unit is about what sensors resolve: below it, log1p of a variation is nearly flat. */
#define STEPS_OF_VARIATION ATTUNE_REAL(50.0)

attune_history_keep attune_history_keep_of(attune_real window_s) {
    return (attune_history_keep){attune_exp(-window_s / ATTUNE_LONG_S), attune_exp(-window_s / ATTUNE_SHORT_S)};
}

void attune_history_add(attune_history *history, attune_history_keep keep, attune_real unit) {
    history->newest = unit;
    if (!history->begun) {
        history->long_mean = unit;
        history->short_mean = unit;
        history->begun = true;
    }
    history->long_mean += (1 - keep.long_share) * (unit - history->long_mean);
    history->short_mean += (1 - keep.short_share) * (unit - history->short_mean);
    attune_real apart = unit - history->short_mean;
    history->short_variance += (1 - keep.short_share) * (apart * apart - history->short_variance);
}

attune_real attune_history_slope(const attune_history *history) { return history->newest - history->long_mean; }

attune_real attune_history_variation(const attune_history *history) {
    return STEPS_OF_VARIATION * attune_sqrt(history->short_variance);
}
