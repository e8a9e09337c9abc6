/* Where the sample feed comes from: a file descriptor, read without blocking, at a pace if asked. */
#ifndef ATTUNE_HOST_SOURCE_H
#define ATTUNE_HOST_SOURCE_H

#include "feed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct source {
    int fd;
    double rate; /* milliseconds of feed in a millisecond; 0: as fast as it comes */
    bool ended;
    bool begun; /* the pace counts from the first line */
    uint64_t begun_ms;
    uint64_t begun_tick_ms;
    uint64_t malformed;
    attune_feed feed;
    attune_feed_event waiting; /* a line that is read and not due yet */
    size_t begin;
    size_t end;
    char buffer[65536];
} source;

/* Opens a file, or standard input for "-". Returns false, with errno set, if it cannot be opened. */
bool source_open(source *s, const char *path, double rate);

/* The next line that is due, in s->feed; ATTUNE_FEED_NONE if there is none now. Malformed lines are counted and skipped. */
attune_feed_event source_next(source *s, uint64_t now_ms);

/* True if source_next can say nothing before source_read. */
bool source_hungry(const source *s);

/* Reads once; call when poll(2) says that it does not block. A last line without its line feed counts. */
void source_read(source *s);

/* True once all is read and handed out. */
bool source_over(const source *s);

/* Milliseconds until the line that waits is due; 0 if it is, or if none waits. */
uint64_t source_wait_ms(const source *s, uint64_t now_ms);

#endif
