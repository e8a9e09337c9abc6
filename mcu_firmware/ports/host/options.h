/* Command lines of the host port: each option is `--name VALUE` or, without a value, `--name`. */
#ifndef ATTUNE_HOST_OPTIONS_H
#define ATTUNE_HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct option_row {
    const char *name;   /* without the dashes */
    const char **value; /* set to the value if the option has one */
    bool *given;        /* set otherwise */
} option_row;

/* Reads the command line into rows (ended by a row without a name). --help and --version print to standard output and end
 * the process; what is not understood ends it with a sentence and exit code 2. */
void options_read(int argc, char **argv, const char *usage, const option_row *rows);

/* The number in text, from 0 to limit; ends the process with a sentence that names the option if it is none. */
uint64_t options_number(const char *name, const char *text, int base, uint64_t limit);

/* A finite number above zero, likewise. */
double options_positive(const char *name, const char *text);

/* The value; ends the process with a sentence if it is missing. */
const char *options_required(const char *name, const char *value);

#endif
