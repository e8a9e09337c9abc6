/* The golden files of tests/vectors. Tests that read them run in the folder of the project. */
#ifndef VECTORS_H
#define VECTORS_H

#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Hex digits in pairs, comments from # to the end of the line. */
static inline size_t read_vector(const char *stem, uint8_t *bytes, size_t capacity) {
    char path[128];
    char line[256];
    size_t size = 0;
    snprintf(path, sizeof path, "tests/vectors/%s.hex", stem);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s is missing: run this test in the folder of the project.", path);
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        for (const char *c = line; *c != 0 && *c != '#' && *c != '\n'; c++) {
            if (!isspace((unsigned char)*c)) {
                assert_true(isxdigit((unsigned char)c[0]) && isxdigit((unsigned char)c[1]) && size < capacity);
                bytes[size++] = (uint8_t)strtoul((char[]){c[0], c[1], 0}, NULL, 16);
                c++;
            }
        }
    }
    fclose(file);
    return size;
}

#endif
