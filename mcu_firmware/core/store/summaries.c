#include "store/summaries.h"

#include "store/bytes.h"
#include "store/files.h"

#define SUMMARY_FIXED (4 + 4 + 4 + 4 + 1 + ATTUNE_MAX_CLASSES + 1)
#define SUMMARY_MAX (SUMMARY_FIXED + 2 * ATTUNE_MAX_FEATURES)
#define CLASS_BITS 15

static int16_t mean_of(int32_t sum, uint8_t count) {
    return (int16_t)(count == 0 ? INT16_MIN : (sum + (sum < 0 ? -count : count) / 2) / count);
}

attune_store_result attune_summary_make(attune_store *store, const attune_batch *batch, attune_summary *summary) {
    int32_t sum[ATTUNE_MAX_FEATURES] = {0};
    uint8_t count[ATTUNE_MAX_FEATURES] = {0};
    attune_report report;
    *summary = (attune_summary){.number = batch->number, .boot = batch->boot, .reports = batch->reports};
    for (uint8_t i = 0; i < batch->reports; i++) {
        attune_store_result result = attune_reports_read(store, batch, i, &report);
        if (result != ATTUNE_STORE_OK) {
            return result;
        }
        summary->first_seq = i == 0 ? report.seq : summary->first_seq;
        summary->last_seq = report.seq;
        summary->end_s = report.end_s;
        summary->class_reports[(report.state & CLASS_BITS) % ATTUNE_MAX_CLASSES] += 1;
        for (uint8_t f = 0; f < batch->features; f++) {
            sum[f] += report.features[f] == INT16_MIN ? 0 : report.features[f];
            count[f] = (uint8_t)(count[f] + (report.features[f] != INT16_MIN));
        }
    }
    for (uint8_t f = 0; f < batch->features; f++) {
        summary->features[f] = mean_of(sum[f], count[f]);
    }
    return ATTUNE_STORE_OK;
}

static size_t put_summary(const attune_summary *summary, uint8_t features, uint8_t *bytes) {
    uint8_t *at = bytes;
    attune_put(&at, summary->boot, 4);
    attune_put(&at, summary->first_seq, 4);
    attune_put(&at, summary->last_seq, 4);
    attune_put(&at, summary->end_s, 4);
    attune_put(&at, summary->reports, 1);
    attune_put_bytes(&at, summary->class_reports, ATTUNE_MAX_CLASSES);
    attune_put(&at, features, 1);
    attune_put_i16(&at, summary->features, features);
    return (size_t)(at - bytes);
}

static attune_store_result read_summary(attune_store *store, uint8_t features, attune_summary *summary) {
    uint8_t bytes[SUMMARY_MAX];
    char name[ATTUNE_FILE_NAME];
    const uint8_t *at = bytes;
    attune_file_name(name, ATTUNE_SUMMARY_LETTER, summary->number);
    attune_store_result result = attune_record_read(store, name, bytes, SUMMARY_FIXED + 2u * features);
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    summary->boot = (uint32_t)attune_get(&at, 4);
    summary->first_seq = (uint32_t)attune_get(&at, 4);
    summary->last_seq = (uint32_t)attune_get(&at, 4);
    summary->end_s = (uint32_t)attune_get(&at, 4);
    summary->reports = (uint8_t)attune_get(&at, 1);
    attune_get_bytes(&at, summary->class_reports, ATTUNE_MAX_CLASSES);
    at += 1;
    attune_get_i16(&at, summary->features, features);
    return ATTUNE_STORE_OK;
}

attune_store_result attune_summaries_remove(attune_store *store, uint32_t number) {
    char name[ATTUNE_FILE_NAME];
    attune_file_name(name, ATTUNE_SUMMARY_LETTER, number);
    return attune_file_remove(store, name);
}

attune_store_result attune_summaries_oldest(attune_store *store, uint8_t features, attune_summary *summary) {
    attune_range range;
    attune_store_result result = attune_file_range(store, ATTUNE_SUMMARY_LETTER, &range);
    while (result == ATTUNE_STORE_OK && range.count > 0) {
        *summary = (attune_summary){.number = range.lowest};
        result = read_summary(store, features, summary);
        if (result == ATTUNE_STORE_OK || result == ATTUNE_STORE_FLASH) {
            return result;
        }
        store->lost_reports += ATTUNE_BATCH;
        result = attune_summaries_remove(store, range.lowest);
        if (result == ATTUNE_STORE_OK) {
            result = attune_file_range(store, ATTUNE_SUMMARY_LETTER, &range);
        } else if (result == ATTUNE_STORE_NONE) {
            result = ATTUNE_STORE_DAMAGED; /* listed and not found: must not be looked for again and again */
        }
    }
    return result == ATTUNE_STORE_OK ? ATTUNE_STORE_NONE : result;
}

static attune_store_result drop_oldest(attune_store *store, uint8_t features) {
    attune_summary oldest;
    attune_store_result result = attune_summaries_oldest(store, features, &oldest);
    if (result == ATTUNE_STORE_OK) {
        store->lost_reports += oldest.reports;
        result = attune_summaries_remove(store, oldest.number);
    }
    return result == ATTUNE_STORE_NONE ? ATTUNE_STORE_OK : result;
}

attune_store_result attune_summary_write(attune_store *store, uint8_t features, const attune_summary *summary) {
    uint8_t bytes[SUMMARY_MAX];
    char name[ATTUNE_FILE_NAME];
    attune_range range;
    attune_store_result result = attune_file_range(store, ATTUNE_SUMMARY_LETTER, &range);
    if (result == ATTUNE_STORE_OK && range.count >= ATTUNE_SUMMARIES) {
        result = drop_oldest(store, features);
    }
    attune_file_name(name, ATTUNE_SUMMARY_LETTER, summary->number);
    return result == ATTUNE_STORE_OK ? attune_record_write(store, name, bytes, put_summary(summary, features, bytes))
                                     : result;
}
