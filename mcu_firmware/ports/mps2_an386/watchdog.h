/* The board's watchdog: an unmaskable interrupt when it was not kicked in time (reset.h records where the program was).
 */
#ifndef ATTUNE_MPS2_WATCHDOG_H
#define ATTUNE_MPS2_WATCHDOG_H

/* Long against a step of the loop even where an emulator has to share its processor. */
#define ATTUNE_WATCHDOG_MS 4000u

/* Starts it; nothing stops it again. */
void attune_watchdog_begin(void);

#endif
