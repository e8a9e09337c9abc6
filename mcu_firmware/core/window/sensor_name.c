#include "window/sensor_name.h"

#include "window/schema.h"

#include <string.h>

#define DEFAULT_OF_LEVELS ATTUNE_HISTORY

static const struct {
    const char *text;
    uint8_t bit;   /* of a level's byte */
    uint8_t value; /* of that bit where the suffix stands */
} suffixes[] = {
    {"+mean", ATTUNE_HISTORY, 0},
    {"+spread", ATTUNE_SPREAD, ATTUNE_SPREAD},
};

#define SUFFIXES (sizeof suffixes / sizeof suffixes[0])

static bool begins_with(const char *text, size_t size, const char *word) {
    size_t length = strlen(word);
    return size >= length && memcmp(text, word, length) == 0;
}

/* The kind with exactly this name, 0 if there is none. */
static uint8_t find_kind(const char *name, size_t size) {
    for (uint8_t kind = 1; kind <= ATTUNE_KIND_BITS; kind++) {
        const char *known = attune_kind_name(kind);
        if (known != NULL && strlen(known) == size && memcmp(known, name, size) == 0) {
            return kind;
        }
    }
    return 0;
}

/* The length of the suffix that text begins with, which changes byte; 0 if it is none. */
static size_t take_suffix(const char *text, size_t size, uint8_t *byte) {
    for (size_t i = 0; i < SUFFIXES; i++) {
        if (begins_with(text, size, suffixes[i].text)) {
            *byte = (uint8_t)((*byte & ~suffixes[i].bit) | suffixes[i].value);
            return strlen(suffixes[i].text);
        }
    }
    return 0;
}

attune_sensor_name_result attune_sensor_read(const char *text, size_t size, uint8_t *byte) {
    const char *plus = memchr(text, '+', size);
    size_t at = plus == NULL ? size : (size_t)(plus - text);
    uint8_t found = find_kind(text, at);
    if (found == 0) {
        return ATTUNE_SENSOR_NAME_KIND;
    }
    bool level = attune_kind_is_level(found);
    found |= level ? DEFAULT_OF_LEVELS : 0;
    while (at < size) {
        size_t taken = level ? take_suffix(text + at, size - at, &found) : 0;
        if (taken == 0) {
            return ATTUNE_SENSOR_NAME_MORE;
        }
        at += taken;
    }
    *byte = found;
    return ATTUNE_SENSOR_NAME_OK;
}

bool attune_sensor_write(uint8_t byte, char name[ATTUNE_SENSOR_NAME_SIZE]) {
    uint8_t kind = byte & ATTUNE_KIND_BITS;
    const char *known = attune_kind_name(kind);
    if (known == NULL || (byte != kind && !attune_kind_is_level(kind))) {
        return false;
    }
    strcpy(name, known);
    for (size_t i = 0; i < SUFFIXES && attune_kind_is_level(kind); i++) {
        uint8_t bit = suffixes[i].bit;
        if ((byte & bit) == suffixes[i].value && (DEFAULT_OF_LEVELS & bit) != suffixes[i].value) {
            strcat(name, suffixes[i].text);
        }
    }
    return true;
}
