#include "store/reports.h"

#include "store/bytes.h"
#include "store/files.h"
#include "store/summaries.h"

#define LETTER 'b'
/* Numbers that are looked at for a boot's batches; there are never so many files. */
#define MOST_NUMBERS 1024u
#define HEADER (4 + 4 + 1 + 1 + 1)
/* Of the byte that says how much evidence there is; those above say what the release on trial did, and were 0 before there were any. */
#define TRIAL_SHIFT 3
#define REPORT_FIXED (4 + 4 + 1 + 1)
#define REPORT_MAX (REPORT_FIXED + 2 * (ATTUNE_MAX_CLASSES - 1) + 2 * ATTUNE_MAX_FEATURES)

static size_t report_size(const attune_batch *batch) {
    return REPORT_FIXED + 2u * batch->evidences + 2u * batch->features;
}

static size_t put_report(const attune_report *report, const attune_batch *batch, uint8_t *bytes) {
    uint8_t *at = bytes;
    attune_put(&at, report->seq, 4);
    attune_put(&at, report->end_s, 4);
    attune_put(&at, report->evidences | report->trial << TRIAL_SHIFT, 1);
    attune_put(&at, report->state, 1);
    attune_put_i16(&at, report->evidence, batch->evidences);
    attune_put_i16(&at, report->features, batch->features);
    return (size_t)(at - bytes);
}

static void get_report(const uint8_t *at, const attune_batch *batch, attune_report *report) {
    memset(report, 0, sizeof *report);
    report->seq = (uint32_t)attune_get(&at, 4);
    report->end_s = (uint32_t)attune_get(&at, 4);
    const uint8_t counts = (uint8_t)attune_get(&at, 1);
    report->evidences = counts & ((1u << TRIAL_SHIFT) - 1);
    report->trial = counts >> TRIAL_SHIFT;
    report->state = (uint8_t)attune_get(&at, 1);
    attune_get_i16(&at, report->evidence, batch->evidences);
    attune_get_i16(&at, report->features, batch->features);
    if (report->evidences > batch->evidences) {
        report->evidences = batch->evidences;
    }
}

static uint32_t most_batches(const attune_store *store) { return store->flash->blocks - ATTUNE_STORE_RESERVED; }

static attune_store_result find_batches(attune_store *store) {
    attune_range range;
    attune_store_result result = attune_file_range(store, LETTER, &range);
    if (result == ATTUNE_STORE_OK) {
        store->batches = range.count;
        store->first_batch = range.lowest;
    }
    return result;
}

/* A file that is listed and not found makes no sense, and must not be looked for again and again. */
attune_store_result attune_reports_remove(attune_store *store, uint32_t number) {
    char name[ATTUNE_FILE_NAME];
    attune_file_name(name, LETTER, number);
    attune_store_result result = attune_file_remove(store, name);
    return result == ATTUNE_STORE_OK     ? find_batches(store)
           : result == ATTUNE_STORE_NONE ? ATTUNE_STORE_DAMAGED
                                         : result;
}

/* Power may have failed between the making of the newest file of a letter and its contents. */
static attune_store_result drop_empty(attune_store *store, char letter, attune_range *range) {
    char name[ATTUNE_FILE_NAME];
    size_t size = 0;
    attune_store_result result = attune_file_range(store, letter, range);
    if (result != ATTUNE_STORE_OK || range->count == 0) {
        return result;
    }
    attune_file_name(name, letter, range->end - 1);
    if (attune_file_check(store, name, &size) != ATTUNE_STORE_NONE) {
        return ATTUNE_STORE_OK;
    }
    result = attune_file_remove(store, name);
    return result == ATTUNE_STORE_OK ? attune_file_range(store, letter, range) : result;
}

/* Power may have failed between a summary and the removal of its batch. */
attune_store_result attune_reports_open(attune_store *store) {
    attune_range range;
    attune_range summaries;
    attune_store_result result = drop_empty(store, LETTER, &range);
    if (result == ATTUNE_STORE_OK) {
        result = drop_empty(store, ATTUNE_SUMMARY_LETTER, &summaries);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    store->batches = range.count;
    store->first_batch = range.lowest;
    store->next_batch = range.end > summaries.end ? range.end : summaries.end;
    while (result == ATTUNE_STORE_OK && store->batches > 0 && store->first_batch < summaries.end) {
        result = attune_reports_remove(store, store->first_batch);
    }
    return result;
}

/* --- From RAM to flash --- */

static uint8_t most_evidences(const attune_backlog *backlog) {
    uint8_t most = 0;
    for (uint16_t i = 0; i < backlog->count; i++) {
        const attune_report *report = attune_backlog_at(backlog, i);
        most = report->evidences > most ? report->evidences : most;
    }
    return most;
}

/* How many reports there are to move, and the number of the last of them. */
static void choose(const attune_backlog *backlog, attune_batch *batch) {
    size_t room = (ATTUNE_FLASH_BLOCK - ATTUNE_FILE_FRAME - HEADER) / report_size(batch);
    size_t most = room < ATTUNE_BATCH ? room : ATTUNE_BATCH;
    const attune_report *report = attune_backlog_next(backlog, 0);
    while (report != NULL && batch->reports < most) {
        batch->reports += 1;
        batch->last_seq = report->seq;
        report = attune_backlog_next(backlog, report->seq);
    }
}

static attune_store_result write_batch(attune_store *store, const attune_batch *batch, const attune_backlog *backlog) {
    uint8_t bytes[REPORT_MAX];
    char name[ATTUNE_FILE_NAME];
    uint8_t *at = bytes;
    attune_file file;
    attune_put(&at, batch->boot, 4);
    attune_put(&at, batch->last_seq, 4);
    attune_put(&at, batch->reports, 1);
    attune_put(&at, batch->features, 1);
    attune_put(&at, batch->evidences, 1);
    attune_file_name(name, LETTER, batch->number);
    attune_file_begin(&file, store, name);
    attune_file_put(&file, bytes, HEADER);
    const attune_report *report = attune_backlog_next(backlog, 0);
    while (report != NULL && report->seq <= batch->last_seq) {
        attune_file_put(&file, bytes, put_report(report, batch, bytes));
        report = attune_backlog_next(backlog, report->seq);
    }
    return attune_file_end(&file);
}

static attune_store_result make_room(attune_store *store, uint8_t features);

attune_store_result attune_reports_move(attune_store *store, uint32_t boot, uint8_t features, attune_backlog *backlog) {
    attune_batch batch = {.boot = boot, .features = features, .evidences = most_evidences(backlog)};
    choose(backlog, &batch);
    if (batch.reports == 0) {
        return ATTUNE_STORE_NONE;
    }
    attune_store_result result = make_room(store, features);
    batch.number = store->next_batch;
    if (result == ATTUNE_STORE_OK) {
        result = write_batch(store, &batch, backlog);
    }
    if (result == ATTUNE_STORE_OK) {
        store->first_batch = store->batches == 0 ? batch.number : store->first_batch;
        store->batches += 1;
        store->next_batch += 1;
        attune_backlog_acknowledge(backlog, batch.last_seq, 0);
    }
    return result;
}

/* --- From flash --- */

static attune_store_result read_batch(attune_store *store, uint8_t features, uint32_t number, attune_batch *batch) {
    uint8_t bytes[HEADER];
    char name[ATTUNE_FILE_NAME];
    const uint8_t *at = bytes;
    size_t size = 0;
    batch->number = number;
    attune_file_name(name, LETTER, batch->number);
    attune_store_result result = attune_file_check(store, name, &size);
    if (result == ATTUNE_STORE_OK) {
        result = attune_file_read(store, name, 0, bytes, sizeof bytes);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    batch->boot = (uint32_t)attune_get(&at, 4);
    batch->last_seq = (uint32_t)attune_get(&at, 4);
    batch->reports = (uint8_t)attune_get(&at, 1);
    batch->features = (uint8_t)attune_get(&at, 1);
    batch->evidences = (uint8_t)attune_get(&at, 1);
    bool good = batch->features == features && batch->evidences < ATTUNE_MAX_CLASSES && batch->reports > 0 &&
                size == HEADER + batch->reports * report_size(batch);
    return good ? ATTUNE_STORE_OK : ATTUNE_STORE_DAMAGED;
}

attune_store_result attune_reports_oldest(attune_store *store, uint8_t features, attune_batch *batch) {
    while (store->batches > 0) {
        attune_store_result result = read_batch(store, features, store->first_batch, batch);
        if (result == ATTUNE_STORE_OK || result == ATTUNE_STORE_FLASH) {
            return result;
        }
        store->lost_reports += ATTUNE_BATCH;
        result = attune_reports_remove(store, store->first_batch);
        if (result != ATTUNE_STORE_OK) {
            return result;
        }
    }
    return ATTUNE_STORE_NONE;
}

attune_store_result attune_reports_read(attune_store *store, const attune_batch *batch, uint8_t index,
                                        attune_report *report) {
    uint8_t bytes[REPORT_MAX];
    char name[ATTUNE_FILE_NAME];
    if (index >= batch->reports) {
        return ATTUNE_STORE_NONE;
    }
    attune_file_name(name, LETTER, batch->number);
    size_t size = report_size(batch);
    attune_store_result result = attune_file_read(store, name, HEADER + index * size, bytes, size);
    if (result == ATTUNE_STORE_OK) {
        get_report(bytes, batch, report);
    }
    return result;
}

attune_store_result attune_reports_of_boot(attune_store *store, uint8_t features, uint32_t boot, attune_batch *batch) {
    attune_store_result result = attune_reports_oldest(store, features, batch);
    if (result != ATTUNE_STORE_OK || batch->boot == boot) {
        return result;
    }
    uint32_t end =
        store->next_batch - store->first_batch < MOST_NUMBERS ? store->next_batch : store->first_batch + MOST_NUMBERS;
    for (uint32_t number = store->first_batch + 1; number < end; number++) {
        result = read_batch(store, features, number, batch);
        if (result == ATTUNE_STORE_FLASH || (result == ATTUNE_STORE_OK && batch->boot == boot)) {
            return result;
        }
    }
    return ATTUNE_STORE_NONE;
}

/* --- A full backlog --- */

static attune_store_result summarise_oldest(attune_store *store, uint8_t features) {
    attune_batch batch;
    attune_summary summary;
    attune_store_result result = attune_reports_oldest(store, features, &batch);
    if (result == ATTUNE_STORE_OK) {
        result = attune_summary_make(store, &batch, &summary);
    }
    if (result == ATTUNE_STORE_OK) {
        result = attune_summary_write(store, features, &summary);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    store->summarised_reports += batch.reports;
    return attune_reports_remove(store, batch.number);
}

static attune_store_result make_room(attune_store *store, uint8_t features) {
    attune_store_result result = ATTUNE_STORE_OK;
    while (result == ATTUNE_STORE_OK && store->batches >= most_batches(store)) {
        result = summarise_oldest(store, features);
    }
    return result == ATTUNE_STORE_NONE ? ATTUNE_STORE_OK : result;
}
