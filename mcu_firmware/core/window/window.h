/* Samples in, one row of int16 features a window out; streaming, constant memory.
 *
 * Windows end at whole multiples of window_s of the node's ticks; the window that ends at e holds ticks (e - window, e], the
 * first one tick 0 as well. A sample that comes in after its window was closed is late, be it of the very tick of the end.
 * The features of a sensor are all present or all missing: missing when it had no reading in the window (events: ever).
 * Levels: mean and deviation (Welford), 0 of one reading, and what the windows before say (window/history.h). Events: a
 * sample of value v > 0 is v events at its tick. */
#ifndef ATTUNE_WINDOW_H
#define ATTUNE_WINDOW_H

#include "window/history.h"
#include "window/schema.h"

/* No quantity of a room is larger; its square, summed over a window, stays finite in float32. */
#define ATTUNE_SAMPLE_LIMIT ATTUNE_REAL(1e9)

typedef struct attune_channel {
    attune_real count;      /* readings of a level, or events, in the open window */
    attune_real mean;       /* of a level; of the clock, its last reading */
    attune_real m2;         /* sum of squared differences from the mean */
    attune_real activity;   /* events per minute, exponentially averaged */
    attune_history history; /* of a level with ATTUNE_HISTORY */
    uint64_t last_event_ms;
    bool seen; /* a level: any reading in the open window; events: any reading, also of 0, since the cold start */
    bool ever; /* any event since the cold start */
} attune_channel;

typedef struct attune_window {
    const attune_schema *schema;
    uint64_t open_ms; /* start of the open window */
    attune_real activity_kept;
    attune_history_keep history_keep;
    attune_channel channel[ATTUNE_MAX_SENSORS];
} attune_window;

typedef enum attune_sample_result {
    ATTUNE_SAMPLE_OK = 0,
    ATTUNE_SAMPLE_SENSOR, /* no such sensor */
    ATTUNE_SAMPLE_VALUE,  /* not finite, or beyond what its kind can read: ATTUNE_SAMPLE_LIMIT, 0 for events, a week */
    ATTUNE_SAMPLE_LATE,   /* belongs to a window that is closed already */
    ATTUNE_SAMPLE_EARLY   /* belongs to a window after the open one: close first */
} attune_sample_result;

/* Starts cold, with the window that holds tick now_ms open. The schema must outlive the window. */
void attune_window_init(attune_window *window, const attune_schema *schema, uint64_t now_ms);

/* End of the open window in ticks. */
uint64_t attune_window_end_ms(const attune_window *window);

attune_sample_result attune_window_sample(attune_window *window, uint8_t sensor, uint64_t tick_ms, attune_real value);

/* Closes the open window, writes its features (schema->features of them), and opens the next. */
void attune_window_close(attune_window *window, int16_t *features);

#endif
