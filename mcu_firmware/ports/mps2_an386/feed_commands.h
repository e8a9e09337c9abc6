/* Feed lines that make the board fail on purpose, or try its flash, in the image for tests only (ATTUNE_TEST_IMAGE). */
#ifndef ATTUNE_MPS2_FEED_COMMANDS_H
#define ATTUNE_MPS2_FEED_COMMANDS_H

#include "feed.h"

/* Obeys the line that the feed's parser just refused. Any other line, and every line in the image that ships, is ignored.
 *
 *     !fault     runs an undefined instruction
 *     !hang      stops kicking the watchdog
 *     !overflow  uses up the stack
 *     !flash     programs and erases against and within the rules of port.h in the last block, and says the results
 *     !erase     erases the last block */
void attune_feed_command(const attune_feed *feed);

#endif
