#include "node/quiet.h"

#include <stddef.h>
#include <string.h>

#define HOUR_MS 3600000u

void attune_quiet_init(attune_quiet *quiet, const attune_schema *schema) {
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    memset(quiet, 0, sizeof *quiet);
    for (uint8_t i = 0; i < schema->features; i++) {
        sensor[i] = schema->feature[i].sensor;
    }
    /* A schema numbers its sensors as a sketch wants them. */
    (void)attune_sketch_init(&quiet->sketch, schema->features, sensor);
}

void attune_quiet_set(attune_quiet *quiet, bool on, uint64_t utc_ms, uint64_t tick_ms) {
    quiet->utc_ahead_ms = (uint32_t)((utc_ms % HOUR_MS + HOUR_MS - tick_ms % HOUR_MS) % HOUR_MS);
    if (on == quiet->on) {
        return;
    }
    quiet->on = on;
    quiet->told = false;
    quiet->windows = 0;
    attune_sketch_clear(&quiet->sketch);
}

/* Number of the hour of UTC in which a window ends, from an arbitrary one. */
static uint64_t hour_of(const attune_quiet *quiet, uint32_t end_s) {
    return ((uint64_t)end_s * 1000 - 1 + quiet->utc_ahead_ms) / HOUR_MS;
}

static void close_sketch(attune_quiet *quiet, uint64_t now_ms) {
    attune_v1_DriftSketch *waiting = &quiet->waiting;
    quiet->closed += 1;
    waiting->number = quiet->closed;
    waiting->end_s = quiet->end_s;
    waiting->windows = quiet->windows;
    waiting->counts.size = (pb_size_t)attune_sketch_size(&quiet->sketch);
    attune_sketch_export(&quiet->sketch, waiting->counts.bytes);
    attune_sketch_clear(&quiet->sketch);
    quiet->windows = 0;
    attune_quiet_restart(quiet, now_ms);
}

static bool may_close(const attune_quiet *quiet) { return quiet->windows > 0 && quiet->waiting.number == 0; }

void attune_quiet_count(attune_quiet *quiet, const attune_report *report, uint64_t now_ms) {
    if (!quiet->on) {
        return;
    }
    if (may_close(quiet) && hour_of(quiet, quiet->end_s) != hour_of(quiet, report->end_s)) {
        close_sketch(quiet, now_ms);
    }
    attune_sketch_add(&quiet->sketch, report->features);
    quiet->end_s = report->end_s;
    quiet->windows = (uint16_t)(quiet->windows + (quiet->windows < UINT16_MAX));
    if (quiet->sketch.full && may_close(quiet)) {
        close_sketch(quiet, now_ms);
    }
}

static void start_sums(attune_quiet *quiet, const attune_report *report) {
    quiet->told = true;
    quiet->last = report->state & 0xFu;
    quiet->told_s = report->end_s;
    quiet->said = 0;
    memset(quiet->sum, 0, sizeof quiet->sum);
}

static void add_evidence(attune_quiet *quiet, const attune_report *report) {
    for (uint8_t i = 0; i < report->evidences; i++) {
        quiet->sum[i] += report->evidence[i];
    }
    quiet->said = (uint16_t)(quiet->said + (report->evidences > 0));
}

/* Rounded towards zero: half a step of 1/256 nat changes nothing. */
static void put_means(const attune_quiet *quiet, attune_report *report) {
    for (uint8_t i = 0; i < report->evidences; i++) {
        report->evidence[i] = (int16_t)(quiet->sum[i] / (int32_t)quiet->said);
    }
}

bool attune_quiet_reports(attune_quiet *quiet, attune_report *report) {
    if (!quiet->on) {
        return true;
    }
    add_evidence(quiet, report);
    const bool changed = !quiet->told || (report->state & 0xFu) != quiet->last;
    if (!changed && hour_of(quiet, quiet->told_s) == hour_of(quiet, report->end_s)) {
        return false;
    }
    if (!changed) {
        put_means(quiet, report);
    }
    start_sums(quiet, report);
    return true;
}

void attune_quiet_restart(attune_quiet *quiet, uint64_t now_ms) {
    quiet->sent = false;
    attune_retry_start(&quiet->retry, now_ms, ATTUNE_SKETCH_RETRY_MS);
}

void attune_quiet_poll(attune_quiet *quiet, uint64_t now_ms) {
    if (!quiet->sent) {
        attune_retry_rest(&quiet->retry, now_ms);
    } else if (attune_retry_due(&quiet->retry, now_ms)) {
        quiet->sent = false;
    }
}

const attune_v1_DriftSketch *attune_quiet_next(const attune_quiet *quiet) {
    return quiet->waiting.number != 0 && !quiet->sent ? &quiet->waiting : NULL;
}

void attune_quiet_sent(attune_quiet *quiet) { quiet->sent = true; }

void attune_quiet_acknowledge(attune_quiet *quiet, uint32_t number) {
    if (quiet->waiting.number == number) {
        quiet->waiting.number = 0;
    }
}
