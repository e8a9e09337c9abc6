/* Counts instructions under `qemu-system-arm -M mps2-an386 -icount shift=0`, where one takes a nanosecond and the 25 MHz system
 * tick counts 40 of them. UART2 gets a line a figure, "cost WHAT NUMBER", and "end". */
#ifndef COUNT_H
#define COUNT_H

#include <stdint.h>

typedef void work(void);

/* Sets up UART2 and the tick. */
void begin_counting(void);

/* Instructions of one call, in steps of 40; at most 671 million. */
uint32_t count_once(work *what);

/* Says a figure; its name is subject and what, one after the other. */
void say_cost(const char *subject, const char *what, uint32_t number);

/* Says that no more figures come. Does not return. */
_Noreturn void end_counting(void);

#endif
