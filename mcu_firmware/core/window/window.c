#include "window/window.h"

#include "window/clock.h"

#include <string.h>

/* Time constant of ATTUNE_ACTIVITY. */
#define ACTIVITY_S ATTUNE_REAL(900.0)

/* ATTUNE_SINCE says nothing more after a day. */
#define SINCE_LIMIT_MS 86400000u

static uint64_t length_ms(const attune_window *window) { return (uint64_t)window->schema->window_s * 1000u; }

static bool is_event(const attune_window *window, uint8_t sensor) {
    return attune_kind_is_event(window->schema->sensor[sensor]);
}

void attune_window_init(attune_window *window, const attune_schema *schema, uint64_t now_ms) {
    memset(window, 0, sizeof *window);
    window->schema = schema;
    window->activity_kept = attune_exp(-(attune_real)schema->window_s / ACTIVITY_S);
    window->history_keep = attune_history_keep_of((attune_real)schema->window_s);
    /* The window holds (open, end], so a tick on a boundary belongs to the window that it ends; tick 0 has none before it. */
    uint64_t last = now_ms == 0 ? 0 : now_ms - 1;
    window->open_ms = last - last % length_ms(window);
}

uint64_t attune_window_end_ms(const attune_window *window) { return window->open_ms + length_ms(window); }

static bool has_history(const attune_window *window, uint8_t sensor) {
    return (window->schema->sensor[sensor] & ATTUNE_HISTORY) != 0;
}

static bool is_clock(const attune_window *window, uint8_t sensor) {
    return window->schema->sensor[sensor] == ATTUNE_CLOCK;
}

/* Whether a reading can be one of its sensor; false for NaN. */
static bool is_reading(const attune_window *window, uint8_t sensor, attune_real value) {
    if (is_clock(window, sensor)) {
        return attune_clock_valid(value);
    }
    attune_real least = is_event(window, sensor) ? 0 : -ATTUNE_SAMPLE_LIMIT;
    return value >= least && value <= ATTUNE_SAMPLE_LIMIT;
}

static void set_clock(attune_channel *channel, attune_real week_s) {
    channel->mean = week_s;
    channel->seen = true;
}

static void add_level(attune_channel *channel, attune_real value) {
    channel->count += 1;
    attune_real difference = value - channel->mean;
    channel->mean += difference / channel->count;
    channel->m2 += difference * (value - channel->mean);
    channel->seen = true;
}

static void add_events(attune_channel *channel, uint64_t tick_ms, attune_real events) {
    channel->seen = true;
    if (events == 0) {
        return; /* the sensor lives, and nothing happened */
    }
    channel->count += events;
    channel->last_event_ms = tick_ms;
    channel->ever = true;
}

attune_sample_result attune_window_sample(attune_window *window, uint8_t sensor, uint64_t tick_ms, attune_real value) {
    if (sensor >= window->schema->sensors) {
        return ATTUNE_SAMPLE_SENSOR;
    }
    if (!is_reading(window, sensor, value)) {
        return ATTUNE_SAMPLE_VALUE;
    }
    if (window->open_ms != 0 && tick_ms <= window->open_ms) {
        return ATTUNE_SAMPLE_LATE;
    }
    if (tick_ms > attune_window_end_ms(window)) {
        return ATTUNE_SAMPLE_EARLY;
    }
    attune_channel *channel = &window->channel[sensor];
    if (is_event(window, sensor)) {
        add_events(channel, tick_ms, value);
    } else if (is_clock(window, sensor)) {
        set_clock(channel, value);
    } else {
        add_level(channel, value);
    }
    return ATTUNE_SAMPLE_OK;
}

/* One reading shows no spread. Missing would be another answer, but then a sensor's features were not all there or all missing. */
static attune_real deviation(const attune_channel *channel) {
    return channel->count > 1 ? attune_sqrt(channel->m2 / (channel->count - 1)) : 0;
}

static attune_real seconds_since(const attune_channel *channel, uint64_t end_ms) {
    uint64_t since = end_ms - channel->last_event_ms;
    uint32_t bounded = !channel->ever || since > SINCE_LIMIT_MS ? SINCE_LIMIT_MS : (uint32_t)since;
    return (attune_real)bounded / ATTUNE_REAL(1000.0);
}

static attune_real average_activity(const attune_window *window, attune_channel *channel) {
    attune_real kept = window->activity_kept;
    attune_real per_minute = channel->count * 60 / (attune_real)window->schema->window_s;
    channel->activity = kept * channel->activity + (1 - kept) * per_minute;
    return channel->activity;
}

/* A statistic of the window, with averages brought up to date. */
static attune_real statistic(const attune_window *window, attune_channel *channel, uint8_t which) {
    switch (which) {
    case ATTUNE_DEVIATION:
        return deviation(channel);
    case ATTUNE_SLOPE:
        return attune_history_slope(&channel->history);
    case ATTUNE_VARIATION:
        return attune_history_variation(&channel->history);
    case ATTUNE_COUNT:
        return channel->count;
    case ATTUNE_ACTIVITY:
        return average_activity(window, channel);
    case ATTUNE_SINCE:
        return seconds_since(channel, attune_window_end_ms(window));
    case ATTUNE_SINE:
        return attune_clock_sine(channel->mean);
    case ATTUNE_COSINE:
        return attune_clock_cosine(channel->mean);
    case ATTUNE_WEEKEND:
        return attune_clock_weekend(channel->mean);
    default:
        return channel->mean;
    }
}

/* Features of a sensor stand in the order of its statistics: the mean comes first and tells history what slope and variation read. */
static int16_t take(attune_window *window, const attune_feature *f) {
    attune_channel *channel = &window->channel[f->sensor];
    if (!channel->seen) {
        return ATTUNE_MISSING;
    }
    int16_t q = attune_schema_coordinate(f, statistic(window, channel, f->statistic));
    if (f->statistic == ATTUNE_MEAN && has_history(window, f->sensor)) {
        attune_history_add(&channel->history, window->history_keep, (attune_real)q / ATTUNE_UNIT);
    }
    return q;
}

static void open_next(attune_window *window) {
    for (uint8_t i = 0; i < window->schema->sensors; i++) {
        attune_channel *channel = &window->channel[i];
        channel->count = 0;
        channel->mean = 0;
        channel->m2 = 0;
        channel->seen = channel->seen && is_event(window, i);
    }
    window->open_ms = attune_window_end_ms(window);
}

void attune_window_close(attune_window *window, int16_t *features) {
    const attune_feature *end = window->schema->feature + window->schema->features;
    for (const attune_feature *f = window->schema->feature; f < end; f++) {
        *features++ = take(window, f);
    }
    open_next(window);
}
