/* A node's flash that somebody has written into: a store as a node leaves it, changed as the input says, is opened and used. The
 * metadata's checksums can be made right again, so that what littlefs believes is wrong, too. Properties: nothing reads or writes
 * outside its memory or goes on for ever, whatever runs has its digest, and the log and the batches keep to their sizes. */
#include "emulated_flash.h"
#include "fuzz/script.h"
#include "store/files.h"
#include "store/incoming.h"
#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include <monocypher.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FEATURES 5
#define BOOT 9u
/* Blocks that the store below uses; changes elsewhere would change nothing. */
#define USED_BLOCKS 8u
#define FIRST_TAG 4u

static emulated_flash made;
static emulated_flash flash;
static attune_store store;

static attune_slot_info release(uint8_t seed, uint16_t size, uint8_t *bytes) {
    attune_slot_info info = {.sequence = seed, .labels = 1, .size = size};
    uint8_t digest[64];
    memset(bytes, seed, size);
    crypto_blake2b(digest, sizeof digest, bytes, size);
    memcpy(info.digest, digest, sizeof info.digest);
    return info;
}

static void fill_backlog(void) {
    static attune_backlog backlog;
    attune_report report = {.evidences = 1};
    attune_backlog_init(&backlog);
    for (int i = 0; i < 70; i++) {
        attune_backlog_push(&backlog, &report);
    }
    must(attune_reports_move(&store, BOOT, FEATURES, &backlog) == ATTUNE_STORE_OK);
}

static void fill_log(void) {
    static attune_label_log log;
    attune_label_entry entry = {.number = 2, .boot = BOOT, .weight = 256};
    attune_label_log_init(&log);
    for (entry.seq = 1; entry.seq <= 6; entry.seq++) {
        attune_label_log_place(&log, &entry);
    }
    must(attune_labels_rewrite(&store, FEATURES, &log) == ATTUNE_STORE_OK);
    attune_label_log_place(&log, &entry);
    must(attune_labels_append(&store, FEATURES, &log, 1) == ATTUNE_STORE_OK);
}

/* A store with something of every kind. */
static void make_store(void) {
    static uint8_t bytes[600];
    const attune_keys keys = {.held = 1};
    const attune_tie tie = {.boot = BOOT};
    uint32_t offset = 0;
    emulated_flash_init(&flash);
    must(attune_store_open(&store, &flash.port) == ATTUNE_STORE_OK);
    must(attune_store_write_keys(&store, &keys) == ATTUNE_STORE_OK);
    must(attune_store_write_tie(&store, &tie) == ATTUNE_STORE_OK);
    attune_slot_info info = release(5, 600, bytes);
    must(attune_slots_install(&store, &info, bytes, 1000) == ATTUNE_STORE_OK);
    must(attune_slots_commit(&store, 5) == ATTUNE_STORE_OK);
    info = release(6, 100, bytes);
    must(attune_slots_install(&store, &info, bytes, 1000) == ATTUNE_STORE_OK);
    must(attune_incoming_begin(&store, info.digest, 500, &offset) == ATTUNE_STORE_OK);
    must(attune_incoming_write(&store, 0, bytes, 100) == ATTUNE_STORE_OK);
    fill_log();
    fill_backlog();
    made = flash;
}

static uint32_t read_tag(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Bytes that follow a tag: the ten bits at its end, of which all ones stand for none. */
static uint32_t tag_size(uint32_t tag) { return (tag & 0x3FFu) == 0x3FFu ? 0 : tag & 0x3FFu; }

/* The format is littlefs's SPEC.md: tags are big endian, each exclusive-or the one before, and a commit ends with the CRC-32 of all that
 * stands before it, of the kind 0x5xx whose lowest bit flips the next tag's validity. */
static void mend(uint8_t *block) {
    uint32_t at = FIRST_TAG;
    uint32_t tag = UINT32_MAX;
    uint32_t crc = lfs_crc(UINT32_MAX, block, FIRST_TAG);
    while (at + 8 <= ATTUNE_FLASH_BLOCK) {
        uint32_t stored = read_tag(block + at) ^ tag;
        uint32_t size = tag_size(stored);
        if ((stored & 0x80000000u) != 0 || at + 4 + size > ATTUNE_FLASH_BLOCK) {
            return;
        }
        if ((stored >> 20 & 0x780u) == 0x500u && (stored >> 20 & 0x7FFu) != 0x5FFu) {
            crc = lfs_crc(crc, block + at, 4);
            for (int i = 0; i < 4; i++) {
                block[at + 4 + (uint32_t)i] = (uint8_t)(crc >> (8 * i));
            }
            crc = UINT32_MAX;
            tag = stored ^ (stored >> 20 & 1u) << 31;
        } else {
            crc = lfs_crc(crc, block + at, 4 + size);
            tag = stored;
        }
        at += 4 + size;
    }
}

/* The input's bytes at a place of a block: combined with what is there, or instead of it. */
static void change(const step *what, bool combine) {
    uint8_t *block = flash.cells + what->argument % USED_BLOCKS * ATTUNE_FLASH_BLOCK;
    uint32_t at = what->size < 2 ? 0 : ((uint32_t)what->bytes[0] << 8 | what->bytes[1]) % ATTUNE_FLASH_BLOCK;
    for (size_t i = 2; i < what->size && at + i - 2 < ATTUNE_FLASH_BLOCK; i++) {
        uint8_t *cell = block + at + i - 2;
        *cell = combine ? (uint8_t)(*cell ^ what->bytes[i]) : what->bytes[i];
    }
}

/* The input's bytes as the contents of one of the store's files, with a check that passes. */
static void forge(const step *what) {
    static const char *const name[] = {"identity",  "tie",       "slots",     "slot-a",    "slot-b",
                                       "labels",    "l00000001", "b00000000", "s00000000", "incoming",
                                       "b00000001", "bffffffff", "l00000007", "s00000002"};
    attune_file file;
    memcpy(flash.kept, flash.cells, sizeof flash.cells);
    if (attune_store_open(&store, &flash.port) == ATTUNE_STORE_OK) {
        attune_file_begin(&file, &store, name[what->argument % (sizeof name / sizeof name[0])]);
        attune_file_put(&file, what->bytes, what->size);
        (void)!attune_file_end(&file);
    }
}

static void take(const step *what) {
    uint8_t *block = flash.cells + what->argument % USED_BLOCKS * ATTUNE_FLASH_BLOCK;
    switch (what->operation % 4) {
    case 0:
    case 1:
        change(what, what->operation % 4 == 1);
        break;
    case 2:
        mend(block);
        break;
    default:
        forge(what);
    }
}

/* Whatever runs has its digest, by Monocypher on the bytes themselves. */
static void expect_verified(uint8_t slot) {
    static uint8_t bytes[ATTUNE_RELEASE_MAX];
    uint8_t digest[64];
    if (slot >= ATTUNE_SLOTS) {
        return;
    }
    const attune_slot_info *info = &store.slots.info[slot];
    must(attune_slots_read(&store, (attune_slot)slot, bytes, sizeof bytes) == ATTUNE_STORE_OK);
    crypto_blake2b(digest, sizeof digest, bytes, info->size);
    must(memcmp(digest, info->digest, sizeof info->digest) == 0);
}

static void read_everything(void) {
    static attune_label_log log;
    attune_batch batch;
    attune_report report;
    attune_summary summary;
    attune_tie tie;
    uint8_t bytes[64];
    (void)!attune_store_read_tie(&store, &tie);
    (void)!attune_labels_load(&store, FEATURES, &log);
    must(log.count <= ATTUNE_LABEL_LOG);
    if (attune_reports_oldest(&store, FEATURES, &batch) == ATTUNE_STORE_OK) {
        must(attune_reports_read(&store, &batch, batch.reports, &report) == ATTUNE_STORE_NONE);
        must(attune_reports_read(&store, &batch, (uint8_t)(batch.reports - 1), &report) != ATTUNE_STORE_OK ||
             report.evidences <= batch.evidences);
    }
    (void)!attune_summaries_oldest(&store, FEATURES, &summary);
    (void)!attune_incoming_read(&store, 0, bytes, sizeof bytes);
}

static void write_everything(void) {
    static uint8_t bytes[600];
    static attune_label_log log;
    uint32_t offset = 0;
    uint32_t sequence = attune_store_sequence(&store);
    attune_slot_info info = release(7, 600, bytes);
    info.sequence = sequence;
    must(attune_slots_install(&store, &info, bytes, 1000) == ATTUNE_STORE_ORDER);
    (void)!attune_labels_rewrite(&store, FEATURES, &log);
    if (attune_incoming_begin(&store, info.digest, 300, &offset) == ATTUNE_STORE_OK) {
        must(offset <= 300);
        (void)!attune_incoming_write(&store, offset, bytes, 300 - offset);
    }
    attune_batch batch;
    while (attune_reports_of_boot(&store, FEATURES, BOOT, &batch) == ATTUNE_STORE_OK &&
           attune_reports_remove(&store, batch.number) == ATTUNE_STORE_OK) {
    }
    (void)!attune_slots_poll(&store, 100000);
    must(attune_store_sequence(&store) == sequence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    script input = {data, size};
    step next;
    if (made.port.blocks == 0) {
        make_store();
    }
    flash = made;
    flash.port.context = &flash;
    for (int i = 0; i < 24 && next_step(&input, &next); i++) {
        take(&next);
    }
    memcpy(flash.kept, flash.cells, sizeof flash.cells);
    flash.pendings = 0;
    flash.last_program = 0;
    if (attune_store_open(&store, &flash.port) == ATTUNE_STORE_OK && attune_slots_start(&store) == ATTUNE_STORE_OK) {
        expect_verified(store.slots.committed);
        expect_verified(store.slots.trial);
        read_everything();
        write_everything();
    }
    return 0;
}
