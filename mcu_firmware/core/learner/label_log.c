#include "learner/label_log.h"

#include <string.h>

void attune_label_log_init(attune_label_log *log) { memset(log, 0, sizeof *log); }

/* Index of the entry for the same window, count if there is none. */
static uint16_t find(const attune_label_log *log, const attune_label_entry *entry) {
    uint16_t i = 0;
    while (i < log->count && (log->entry[i].boot != entry->boot || log->entry[i].seq != entry->seq)) {
        i++;
    }
    return i;
}

static uint16_t find_lowest(const attune_label_log *log) {
    uint16_t lowest = 0;
    for (uint16_t i = 1; i < log->count; i++) {
        if (log->entry[i].number < log->entry[lowest].number) {
            lowest = i;
        }
    }
    return lowest;
}

static void take_out(attune_label_log *log, uint16_t index) {
    size_t after = (size_t)log->count - index - 1;
    memmove(&log->entry[index], &log->entry[index + 1], after * sizeof log->entry[0]);
    log->count -= 1;
}

static void append(attune_label_log *log, const attune_label_entry *entry) {
    log->entry[log->count] = *entry;
    log->count += 1;
}

void attune_label_log_place(attune_label_log *log, const attune_label_entry *entry) {
    uint16_t gone = find(log, entry);
    if (gone == log->count && log->count == ATTUNE_LABEL_LOG) {
        gone = find_lowest(log);
    }
    if (gone < log->count) {
        take_out(log, gone);
    }
    append(log, entry);
}

attune_label_result attune_label_log_learn(attune_label_log *log, const attune_label_entry *entry,
                                           const attune_pupil *pupil) {
    if (entry->class_index >= ATTUNE_MAX_CLASSES || entry->weight == 0) {
        return ATTUNE_LABEL_REFUSED;
    }
    uint16_t gone = find(log, entry);
    if (gone < log->count && log->entry[gone].number >= entry->number) {
        return log->entry[gone].number == entry->number ? ATTUNE_LABEL_KNOWN : ATTUNE_LABEL_SUPERSEDED;
    }
    if (gone == log->count && log->count < ATTUNE_LABEL_LOG) {
        if (pupil->teach(pupil->who, entry) != ATTUNE_HEAD_OK) {
            return ATTUNE_LABEL_REFUSED;
        }
        append(log, entry);
        return ATTUNE_LABEL_LEARNED;
    }
    if (gone == log->count && log->entry[find_lowest(log)].number > entry->number) {
        return ATTUNE_LABEL_SUPERSEDED;
    }
    attune_label_log_place(log, entry);
    attune_label_log_replay(log, pupil);
    return ATTUNE_LABEL_LEARNED;
}

uint16_t attune_label_log_forget(attune_label_log *log, uint32_t number, const attune_pupil *pupil) {
    uint16_t kept = 0;
    for (uint16_t i = 0; i < log->count; i++) {
        if (log->entry[i].number != number) {
            log->entry[kept] = log->entry[i];
            kept += 1;
        }
    }
    uint16_t gone = (uint16_t)(log->count - kept);
    log->count = kept;
    if (gone > 0) {
        attune_label_log_replay(log, pupil);
    }
    return gone;
}

void attune_label_log_replay(const attune_label_log *log, const attune_pupil *pupil) {
    pupil->restart(pupil->who);
    for (uint16_t i = 0; i < log->count; i++) {
        /* An entry that a head has no room for teaches nothing, now as whenever the log is replayed. */
        (void)pupil->teach(pupil->who, &log->entry[i]);
    }
}
