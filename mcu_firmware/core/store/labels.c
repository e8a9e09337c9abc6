#include "store/labels.h"

#include "store/bytes.h"
#include "store/files.h"

#define SNAPSHOT_NAME "labels"
#define PART_LETTER 'l'
#define ENTRY_FIXED (4 + 4 + 4 + 2 + 1)
#define ENTRY_MAX (ENTRY_FIXED + 2 * ATTUNE_MAX_FEATURES)
/* Of a snapshot: number of the first part that it does not hold, and features. Of a part: features. */
#define SNAPSHOT_HEADER (4 + 1)
#define PART_HEADER 1
#define PART_ENTRIES ((ATTUNE_RECORD_MAX - PART_HEADER) / ENTRY_MAX)

static size_t entry_size(uint8_t features) { return ENTRY_FIXED + 2u * features; }

static size_t put_entry(const attune_label_entry *entry, uint8_t features, uint8_t *bytes) {
    uint8_t *at = bytes;
    attune_put(&at, entry->number, 4);
    attune_put(&at, entry->boot, 4);
    attune_put(&at, entry->seq, 4);
    attune_put(&at, entry->weight, 2);
    attune_put(&at, entry->class_index, 1);
    attune_put_i16(&at, entry->features, features);
    return (size_t)(at - bytes);
}

static void get_entry(const uint8_t *at, uint8_t features, attune_label_entry *entry) {
    memset(entry, 0, sizeof *entry);
    entry->number = (uint32_t)attune_get(&at, 4);
    entry->boot = (uint32_t)attune_get(&at, 4);
    entry->seq = (uint32_t)attune_get(&at, 4);
    entry->weight = (uint16_t)attune_get(&at, 2);
    entry->class_index = (uint8_t)attune_get(&at, 1);
    attune_get_i16(&at, entry->features, features);
}

/* Parts from a number on, up to the one before end; no more than a snapshot ever takes in. */
static attune_store_result remove_parts(attune_store *store, uint32_t number, uint32_t end) {
    char name[ATTUNE_FILE_NAME];
    number = end - number > ATTUNE_LABEL_FILES ? end - ATTUNE_LABEL_FILES : number;
    for (; number < end; number++) {
        attune_file_name(name, PART_LETTER, number);
        attune_store_result result = attune_file_remove(store, name);
        if (result != ATTUNE_STORE_OK && result != ATTUNE_STORE_NONE) {
            return result;
        }
    }
    return ATTUNE_STORE_OK;
}

typedef struct snapshot {
    uint32_t end; /* the first part that it does not hold; 0 without a snapshot */
    uint8_t features;
    size_t size; /* of its entries */
} snapshot;

/* A damaged snapshot counts as absent. */
static attune_store_result read_snapshot(attune_store *store, snapshot *found) {
    uint8_t bytes[SNAPSHOT_HEADER];
    const uint8_t *at = bytes;
    size_t size = 0;
    *found = (snapshot){.end = 0};
    attune_store_result result = attune_file_check(store, SNAPSHOT_NAME, &size);
    if (result == ATTUNE_STORE_OK) {
        result = attune_file_read(store, SNAPSHOT_NAME, 0, bytes, sizeof bytes);
    }
    if (result == ATTUNE_STORE_OK) {
        found->end = (uint32_t)attune_get(&at, 4);
        found->features = (uint8_t)attune_get(&at, 1);
        found->size = size - SNAPSHOT_HEADER;
    }
    return result == ATTUNE_STORE_FLASH ? result : ATTUNE_STORE_OK;
}

/* Power may have failed between a snapshot and the removal of the parts that it holds. */
attune_store_result attune_labels_open(attune_store *store) {
    attune_range range;
    snapshot found;
    attune_store_result result = read_snapshot(store, &found);
    if (result == ATTUNE_STORE_OK) {
        result = attune_file_range(store, PART_LETTER, &range);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    store->label_part = range.end > found.end ? range.end : found.end;
    uint32_t parts = store->label_part - found.end;
    store->label_parts = (uint8_t)(parts < ATTUNE_LABEL_FILES ? parts : ATTUNE_LABEL_FILES);
    return range.count > 0 && range.lowest < found.end ? remove_parts(store, range.lowest, found.end) : ATTUNE_STORE_OK;
}

static attune_store_result load_entry(attune_store *store, const char *name, size_t at, uint8_t features,
                                      attune_label_log *log) {
    uint8_t bytes[ENTRY_MAX];
    attune_label_entry entry;
    attune_store_result result = attune_file_read(store, name, at, bytes, entry_size(features));
    if (result == ATTUNE_STORE_OK) {
        get_entry(bytes, features, &entry);
        attune_label_log_place(log, &entry);
    }
    return result;
}

static attune_store_result load_entries(attune_store *store, const char *name, size_t at, size_t end, uint8_t features,
                                        attune_label_log *log) {
    attune_store_result result = ATTUNE_STORE_OK;
    for (; result == ATTUNE_STORE_OK && at + entry_size(features) <= end; at += entry_size(features)) {
        result = load_entry(store, name, at, features, log);
    }
    return result;
}

/* What power kept from being written, or does not pass its check, was never acknowledged or is beyond help. */
static attune_store_result load_part(attune_store *store, uint32_t number, uint8_t features, attune_label_log *log) {
    char name[ATTUNE_FILE_NAME];
    uint8_t found = 0;
    size_t size = 0;
    attune_file_name(name, PART_LETTER, number);
    attune_store_result result = attune_file_check(store, name, &size);
    if (result == ATTUNE_STORE_OK) {
        result = attune_file_read(store, name, 0, &found, PART_HEADER);
    }
    if (result == ATTUNE_STORE_OK && found == features) {
        result = load_entries(store, name, PART_HEADER, size, features, log);
    }
    return result == ATTUNE_STORE_FLASH ? result : ATTUNE_STORE_OK;
}

attune_store_result attune_labels_load(attune_store *store, uint8_t features, attune_label_log *log) {
    snapshot found;
    attune_label_log_init(log);
    attune_store_result result = read_snapshot(store, &found);
    if (result == ATTUNE_STORE_OK && found.features == features) {
        result = load_entries(store, SNAPSHOT_NAME, SNAPSHOT_HEADER, SNAPSHOT_HEADER + found.size, features, log);
    }
    for (uint32_t i = 0; i < store->label_parts && result == ATTUNE_STORE_OK; i++) {
        result = load_part(store, store->label_part - store->label_parts + i, features, log);
    }
    return result;
}

static attune_store_result write_snapshot(attune_store *store, uint8_t features, const attune_label_log *log) {
    uint8_t bytes[ENTRY_MAX];
    uint8_t *at = bytes;
    attune_file file;
    attune_put(&at, store->label_part, 4);
    attune_put(&at, features, 1);
    attune_file_begin(&file, store, SNAPSHOT_NAME);
    attune_file_put(&file, bytes, SNAPSHOT_HEADER);
    for (uint16_t i = 0; i < log->count; i++) {
        attune_file_put(&file, bytes, put_entry(&log->entry[i], features, bytes));
    }
    return attune_file_end(&file);
}

attune_store_result attune_labels_rewrite(attune_store *store, uint8_t features, const attune_label_log *log) {
    uint32_t first = store->label_part - store->label_parts;
    store->labels_behind = true;
    attune_store_result result = write_snapshot(store, features, log);
    if (result == ATTUNE_STORE_OK) {
        store->labels_behind = false;
        store->label_parts = 0;
        result = remove_parts(store, first, store->label_part);
    }
    return result;
}

static attune_store_result write_part(attune_store *store, uint8_t features, const attune_label_entry *entry,
                                      uint16_t count) {
    uint8_t bytes[ATTUNE_RECORD_MAX];
    char name[ATTUNE_FILE_NAME];
    size_t size = PART_HEADER;
    bytes[0] = features;
    for (uint16_t i = 0; i < count; i++) {
        size += put_entry(&entry[i], features, bytes + size);
    }
    attune_file_name(name, PART_LETTER, store->label_part);
    attune_store_result result = attune_record_write(store, name, bytes, size);
    if (result == ATTUNE_STORE_OK) {
        store->label_part += 1;
        store->label_parts += 1;
    }
    return result;
}

attune_store_result attune_labels_append(attune_store *store, uint8_t features, const attune_label_log *log,
                                         uint16_t learned) {
    uint16_t left = learned < log->count ? learned : log->count;
    uint16_t parts = (uint16_t)((left + PART_ENTRIES - 1) / PART_ENTRIES);
    if (left == 0 && !store->labels_behind) {
        return ATTUNE_STORE_OK;
    }
    if (store->labels_behind || store->label_parts + parts > ATTUNE_LABEL_FILES) {
        return attune_labels_rewrite(store, features, log);
    }
    attune_store_result result = ATTUNE_STORE_OK;
    while (left > 0 && result == ATTUNE_STORE_OK) {
        uint16_t take = left < PART_ENTRIES ? left : PART_ENTRIES;
        result = write_part(store, features, &log->entry[log->count - left], take);
        left = (uint16_t)(left - take);
    }
    store->labels_behind = result != ATTUNE_STORE_OK;
    return result;
}
