/* Milliseconds from the system tick. */
#ifndef ATTUNE_MPS2_CLOCK_H
#define ATTUNE_MPS2_CLOCK_H

#include <stdint.h>

/* Starts counting from 0. */
void attune_clock_begin(void);

uint64_t attune_clock_ms(void);

/* Interrupt, once a millisecond. */
void attune_clock_handler(void);

#endif
