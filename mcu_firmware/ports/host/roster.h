/* Who the nodes of a process are: identity, window and sensors, from options or from a file. */
#ifndef ATTUNE_HOST_ROSTER_H
#define ATTUNE_HOST_ROSTER_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct roster_entry {
    uint8_t id[8];
    uint16_t window_s;
    uint8_t sensors;
    uint8_t sensor[ATTUNE_MAX_SENSORS]; /* wire bytes */
} roster_entry;

/* These return NULL if all is well, else what is wrong, as the end of a sentence. */
const char *roster_id(const char *text, uint8_t id[8]);
const char *roster_window(const char *text, uint16_t *window_s);
const char *roster_sensors(const char *text, roster_entry *entry);

/* Reads a file with a line `16HEX_ID WINDOW_S sensor,sensor,...` for each node; empty lines and lines that begin with # say
 * nothing. Returns the entries (to be freed) and their count; ends the process with a sentence if the file is not good. */
roster_entry *roster_read(const char *path, uint32_t *count);

/* The first four bytes of the id as the frame's hint. */
uint32_t roster_hint(const uint8_t id[8]);

#endif
