#include "node/node.h"

#include "node/parts.h"

#include <string.h>

attune_schema_error attune_node_init(attune_node *node, const attune_identity *identity, const uint8_t *sensors,
                                     size_t count, uint16_t window_s) {
    memset(node, 0, sizeof *node);
    node->identity = *identity;
    node->identity.firmware[sizeof node->identity.firmware - 1] = 0;
    node->identity.hardware[sizeof node->identity.hardware - 1] = 0;
    attune_schema_error error = attune_schema_init(&node->schema, sensors, count, window_s);
    if (error != ATTUNE_SCHEMA_OK) {
        return error;
    }
    attune_node_start_factory(node);
    attune_window_init(&node->window, &node->schema, 0);
    attune_node_start_filter(node);
    attune_label_log_init(&node->log);
    attune_backlog_init(&node->backlog);
    attune_quiet_init(&node->quiet, &node->schema);
    return ATTUNE_SCHEMA_OK;
}

bool attune_node_open_keys(attune_node *node, const attune_keeper *keeper) {
    return attune_session_init(&node->session, node->identity.node_id, node->identity.test, keeper, node->keep.store);
}

/* Bits 0-3 the class, bits 4-7 its probability in fifteenths. */
static uint8_t state_byte(const attune_filter *filter) {
    uint8_t k = attune_filter_class(filter);
    return (uint8_t)(k | (uint8_t)(attune_round_i16(filter->probability[k] * 15) << 4));
}

static void close_window(attune_node *node) {
    attune_report report = {.end_s = (uint32_t)(attune_window_end_ms(&node->window) / 1000)};
    attune_window_close(&node->window, report.features);
    attune_filter_predict(&node->filter);
    attune_node_weigh(node, &report);
    report.state = state_byte(&node->filter);
    attune_quiet_count(&node->quiet, &report, node->now_ms);
    if (attune_quiet_reports(&node->quiet, &report)) {
        attune_earlier_add(node, &report);
    }
}

static void start_cold(attune_node *node, uint64_t now_ms) {
    attune_window_init(&node->window, &node->schema, now_ms);
    attune_node_start_filter(node);
}

/* Closes the windows that end at or before limit_ms. */
static void close_windows(attune_node *node, uint64_t limit_ms) {
    bool gap = limit_ms > attune_window_end_ms(&node->window) + ATTUNE_GAP_MS;
    if (gap) {
        close_window(node);             /* it may hold samples */
        start_cold(node, limit_ms + 1); /* limit_ms itself would end a window of nothing */
    }
    while (attune_window_end_ms(&node->window) <= limit_ms) {
        close_window(node);
    }
}

attune_sample_result attune_node_sample(attune_node *node, uint8_t sensor, uint64_t tick_ms, attune_real value) {
    /* A tick on a boundary belongs to the window that it ends, which must stay open for it. */
    if (tick_ms > 0) {
        close_windows(node, tick_ms - 1);
    }
    if (tick_ms > node->now_ms) {
        node->now_ms = tick_ms;
    }
    attune_sample_result result = attune_window_sample(&node->window, sensor, tick_ms, value);
    if (result != ATTUNE_SAMPLE_OK) {
        node->counters.refused_samples += 1;
    }
    return result;
}

void attune_node_press(attune_node *node, uint64_t tick_ms, uint8_t class_index) {
    attune_button_press(&node->button, tick_ms, class_index);
}

void attune_node_poll(attune_node *node, uint64_t now_ms) {
    /* After a sample, time may still stand just before its tick: its window is open for more of that tick. */
    if (now_ms >= node->now_ms) {
        node->now_ms = now_ms;
        close_windows(node, now_ms);
    }
    attune_node_trial_poll(node);
    attune_node_update_poll(node);
    attune_earlier_poll(node);
    attune_node_link_poll(node);
}
