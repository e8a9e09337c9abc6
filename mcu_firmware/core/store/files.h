/* Files of the store, each with a format byte in front and a CRC-32 behind. Not for ports.
 *
 * A file is replaced wholly or not at all: what is written becomes visible with the sync at its end. */
#ifndef ATTUNE_STORE_FILES_H
#define ATTUNE_STORE_FILES_H

#include "store/store.h"

/* What stands around the contents of a file. */
#define ATTUNE_FILE_FRAME 5

/* Largest contents of a file that is read at once. */
#define ATTUNE_RECORD_MAX (ATTUNE_STORE_CACHE - ATTUNE_FILE_FRAME)

typedef struct attune_file {
    attune_store *store;
    lfs_file_t file;
    struct lfs_file_config config;
    uint32_t crc;
    bool open;
    int error; /* of littlefs; the first one stays */
} attune_file;

/* Writing: begin, any number of puts, end. What went wrong shows at the end. One file at a time. */
void attune_file_begin(attune_file *file, attune_store *store, const char *name);
void attune_file_put(attune_file *file, const uint8_t *bytes, size_t size);
ATTUNE_CHECKED attune_store_result attune_file_end(attune_file *file);

/* Contents of up to ATTUNE_RECORD_MAX bytes in one go. Reading wants exactly size bytes: ATTUNE_STORE_DAMAGED for others. */
ATTUNE_CHECKED attune_store_result attune_record_write(attune_store *store, const char *name, const uint8_t *bytes,
                                                       size_t size);
ATTUNE_CHECKED attune_store_result attune_record_read(attune_store *store, const char *name, uint8_t *bytes,
                                                      size_t size);

/* Reads a file through and gives the size of its contents; ATTUNE_STORE_DAMAGED if its CRC is wrong. */
ATTUNE_CHECKED attune_store_result attune_file_check(attune_store *store, const char *name, size_t *size);

/* Reads bytes of the contents of a file that has been checked. ATTUNE_STORE_DAMAGED if there are not so many. */
ATTUNE_CHECKED attune_store_result attune_file_read(attune_store *store, const char *name, size_t offset,
                                                    uint8_t *bytes, size_t size);

/* ATTUNE_STORE_NONE where there is no such file. */
ATTUNE_CHECKED attune_store_result attune_file_remove(attune_store *store, const char *name);

/* Numbered files: a letter and eight hexadecimal digits. name has room for ATTUNE_FILE_NAME. */
#define ATTUNE_FILE_NAME 10

void attune_file_name(char name[ATTUNE_FILE_NAME], char letter, uint32_t number);

typedef struct attune_range {
    uint32_t count;
    uint32_t lowest;
    uint32_t end; /* one above the highest; 0 if there are none */
} attune_range;

/* The numbered files of a letter. Their numbers are below UINT32_MAX; other names are skipped. */
ATTUNE_CHECKED attune_store_result attune_file_range(attune_store *store, char letter, attune_range *range);

attune_store_result attune_store_result_of(int error);

/* What the parts of the store do when it is opened. */
ATTUNE_CHECKED attune_store_result attune_identity_open(attune_store *store);
ATTUNE_CHECKED attune_store_result attune_slots_open(attune_store *store);
ATTUNE_CHECKED attune_store_result attune_labels_open(attune_store *store);
ATTUNE_CHECKED attune_store_result attune_reports_open(attune_store *store);

#endif
