/* Erasures of a day, with a link and without. */
#ifndef POWER_LOSS_WEAR_H
#define POWER_LOSS_WEAR_H

#include <stdint.h>

/* Prints both and returns how many of them are beyond their budget. */
uint64_t wear_report(void);

#endif
