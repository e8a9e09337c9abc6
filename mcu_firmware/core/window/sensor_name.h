/* How people write a sensor: its kind, and after a level what differs from the default.
 *
 *   co2              mean, slope and variation: what a level gives unless told otherwise
 *   co2+mean         its mean alone
 *   co2+spread       its deviation too
 *   co2+mean+spread  mean and deviation
 *
 * A node's byte on the wire (window/schema.h) says everything itself and knows no default. */
#ifndef ATTUNE_SENSOR_NAME_H
#define ATTUNE_SENSOR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the longest one, `temperature+mean+spread`, and its end. */
#define ATTUNE_SENSOR_NAME_SIZE 24

typedef enum attune_sensor_name_result {
    ATTUNE_SENSOR_NAME_OK = 0,
    ATTUNE_SENSOR_NAME_KIND, /* begins with no kind */
    ATTUNE_SENSOR_NAME_MORE  /* +mean or +spread after what is no level, or anything else after a kind */
} attune_sensor_name_result;

/* Reads text[size], which need not end in 0; byte is written only if all is well. */
attune_sensor_name_result attune_sensor_read(const char *text, size_t size, uint8_t *byte);

/* Writes the name of a sensor byte; false, and nothing written, if there is no such sensor. */
bool attune_sensor_write(uint8_t byte, char name[ATTUNE_SENSOR_NAME_SIZE]);

#endif
