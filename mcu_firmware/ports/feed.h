/* The sample feed: how samples reach a node that has no sensors of its own. One text line a fact; every port reads it with
 * this parser, so that equal lines give equal bits everywhere.
 *
 *     NODE TICK_MS SENSOR VALUE    a reading: NODE counts the nodes of this process from 0, SENSOR those of the node type
 *     NODE TICK_MS button CLASS    a press of the node's button: CLASS is `free` or `occupied`
 *     @TICK_MS                     the time is now TICK_MS for all nodes
 *
 * Fields are separated by one or more blanks. VALUE is a decimal number with an optional exponent, `nan`, `inf` or
 * `-inf`. An empty line and one that begins with `#` say nothing. A line feed ends a line; a carriage return is a blank. */
#ifndef ATTUNE_FEED_H
#define ATTUNE_FEED_H

#include "real/real.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest line: four fields at their widest take 56. */
#define ATTUNE_FEED_LINE 79

typedef enum attune_feed_event {
    ATTUNE_FEED_NONE = 0, /* the line is not complete, or said nothing */
    ATTUNE_FEED_SAMPLE,   /* node, tick_ms, sensor and value are set */
    ATTUNE_FEED_PRESS,    /* node, tick_ms and class_index are set */
    ATTUNE_FEED_TIME,     /* tick_ms is set */
    ATTUNE_FEED_MALFORMED /* a line that is none of these; dropped */
} attune_feed_event;

typedef struct attune_feed {
    uint64_t tick_ms;
    uint32_t node;
    uint8_t sensor;
    uint8_t class_index; /* 0 free, 1 occupied */
    attune_real value;
    bool overlong;
    uint8_t size;
    char line[ATTUNE_FEED_LINE + 1];
} attune_feed;

void attune_feed_init(attune_feed *feed);

/* Takes one byte. What it set stays until the end of the next line. */
attune_feed_event attune_feed_take(attune_feed *feed, char byte);

/* Number of `length` characters of text, all of it: the float nearest to it (decimal.h) for up to 19 digits; digits after the
 * 19th are read as zeros. Returns false if it is no number. */
bool attune_feed_number(const char *text, uint8_t length, attune_real *value);

#endif
