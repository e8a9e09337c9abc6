#include "roster.h"

#include "machine.h"
#include "window/schema.h"
#include "window/sensor_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each node takes about 20 KB; a machine for simulations has room for that many. */
#define ROSTER_LARGEST 100000u

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

uint32_t roster_hint(const uint8_t id[8]) {
    return (uint32_t)id[0] | (uint32_t)id[1] << 8 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 24;
}

const char *roster_id(const char *text, uint8_t id[8]) {
    if (strlen(text) != 16) {
        return "a node id has 16 hex digits";
    }
    for (int i = 0; i < 8; i++) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return "a node id has 16 hex digits";
        }
        id[i] = (uint8_t)(high << 4 | low);
    }
    return roster_hint(id) == 0 ? "a node id must not begin with eight zeros, which would speak to every node" : NULL;
}

const char *roster_window(const char *text, uint16_t *window_s) {
    char *end = NULL;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < ATTUNE_MIN_WINDOW_S ||
        value > ATTUNE_MAX_WINDOW_S) {
        return "a window lasts 10 to 600 seconds";
    }
    *window_s = (uint16_t)value;
    return NULL;
}

static const char *add_sensor(const char *name, size_t size, roster_entry *entry) {
    if (entry->sensors == ATTUNE_MAX_SENSORS) {
        return "a node has at most 12 sensors";
    }
    switch (attune_sensor_read(name, size, &entry->sensor[entry->sensors])) {
    case ATTUNE_SENSOR_NAME_OK:
        entry->sensors++;
        return NULL;
    case ATTUNE_SENSOR_NAME_KIND:
        break;
    case ATTUNE_SENSOR_NAME_MORE:
        return "after a level may follow +mean (its mean alone) or +spread (its deviation too), after other kinds "
               "nothing; slope and variation come with a plain name";
    }
    return "sensors are kinds such as temperature,co2,pir, with +mean or +spread after a level";
}

static const char *check_schema(const roster_entry *entry) {
    attune_schema schema;
    const uint16_t window_s = entry->window_s > 0 ? entry->window_s : ATTUNE_MIN_WINDOW_S;
    switch (attune_schema_init(&schema, entry->sensor, entry->sensors, window_s)) {
    case ATTUNE_SCHEMA_OK:
        return NULL;
    case ATTUNE_SCHEMA_FEATURES:
        return "these sensors have more than 24 features; write +mean after the levels that matter least, as in "
               "co2+mean";
    case ATTUNE_SCHEMA_KIND:
    case ATTUNE_SCHEMA_SENSORS:
    case ATTUNE_SCHEMA_WINDOW:
        break;
    }
    return "a node has 1 to 12 sensors and windows of 10 to 600 seconds";
}

const char *roster_sensors(const char *text, roster_entry *entry) {
    entry->sensors = 0;
    for (const char *name = text;; name++) {
        const size_t size = strcspn(name, ",");
        const char *wrong = add_sensor(name, size, entry);
        if (wrong != NULL) {
            return wrong;
        }
        name += size;
        if (*name == '\0') {
            return check_schema(entry);
        }
    }
}

static const char *parse_entry(char *line, roster_entry *entry) {
    char *rest = NULL;
    const char *id = strtok_r(line, " \t\r\n", &rest);
    const char *window = strtok_r(NULL, " \t\r\n", &rest);
    const char *sensors = strtok_r(NULL, " \t\r\n", &rest);
    if (sensors == NULL || strtok_r(NULL, " \t\r\n", &rest) != NULL) {
        return "a line is `NODE_ID WINDOW_S SENSOR,SENSOR,...`";
    }
    memset(entry, 0, sizeof *entry);
    const char *wrong = roster_id(id, entry->id);
    wrong = wrong != NULL ? wrong : roster_window(window, &entry->window_s);
    return wrong != NULL ? wrong : roster_sensors(sensors, entry);
}

static bool says_nothing(const char *line) {
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#';
}

static roster_entry *grown(roster_entry *entries, uint32_t count, uint32_t *capacity) {
    if (count < *capacity) {
        return entries;
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    roster_entry *more = realloc(entries, *capacity * sizeof *entries);
    if (more == NULL || count >= ROSTER_LARGEST) {
        machine_fail(1, "There is no room for more than %u nodes in one process.", count);
    }
    return more;
}

roster_entry *roster_read(const char *path, uint32_t *count) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        machine_fail(2, "The node file %s cannot be read (%s).", path, strerror(errno));
    }
    roster_entry *entries = NULL;
    uint32_t capacity = 0;
    unsigned int number = 0;
    char *line = NULL;
    size_t room = 0;
    *count = 0;
    while (getline(&line, &room, file) >= 0) {
        number++;
        if (says_nothing(line)) {
            continue;
        }
        entries = grown(entries, *count, &capacity);
        const char *wrong = parse_entry(line, &entries[*count]);
        if (wrong != NULL) {
            machine_fail(2, "%s line %u: %s.", path, number, wrong);
        }
        (*count)++;
    }
    free(line);
    (void)fclose(file);
    if (*count == 0) {
        machine_fail(2, "%s names no node; write a line `NODE_ID WINDOW_S SENSOR,SENSOR,...` for each.", path);
    }
    return entries;
}
