#include "options.h"

#include "feed.h"
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ATTUNE_VERSION
#define ATTUNE_VERSION "0.1.0"
#endif

static _Noreturn void print_and_end(const char *text) {
    (void)fputs(text, stdout);
    exit(0);
}

static const option_row *find_row(const option_row *rows, const char *argument) {
    if (strncmp(argument, "--", 2) == 0) {
        for (const option_row *row = rows; row->name != NULL; row++) {
            if (strcmp(row->name, argument + 2) == 0) {
                return row;
            }
        }
    }
    machine_fail(2, "There is no option %s; --help names them all.", argument);
}

void options_read(int argc, char **argv, const char *usage, const option_row *rows) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_and_end(usage);
        }
        if (strcmp(argv[i], "--version") == 0) {
            print_and_end(ATTUNE_VERSION "\n");
        }
        const option_row *row = find_row(rows, argv[i]);
        if (row->given != NULL) {
            *row->given = true;
        } else if (i + 1 < argc) {
            *row->value = argv[++i];
        } else {
            machine_fail(2, "The option %s needs a value; --help says which.", argv[i]);
        }
    }
}

uint64_t options_number(const char *name, const char *text, int base, uint64_t limit) {
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, base);
    if (*text == '\0' || strchr("+- \t", *text) != NULL || *end != '\0' || errno != 0 || value > limit) {
        machine_fail(2, "--%s has to be a whole number of at most %llu%s, not %s.", name, (unsigned long long)limit,
                     base == 16 ? " in hex digits" : "", text);
    }
    return value;
}

double options_positive(const char *name, const char *text) {
    attune_real value = 0;
    const size_t size = strlen(text);
    if (size > ATTUNE_FEED_LINE || !attune_feed_number(text, (uint8_t)size, &value) || !attune_finite(value) ||
        value <= 0) {
        machine_fail(2, "--%s has to be a number above zero, not %s.", name, text);
    }
    return (double)value;
}

const char *options_required(const char *name, const char *value) {
    if (value == NULL) {
        machine_fail(2, "The option --%s is missing; --help says what it means.", name);
    }
    return value;
}
