#include "feed_commands.h"

#include <string.h>

#ifdef ATTUNE_TEST_IMAGE

static bool says(const attune_feed *feed, const char *command) {
    return memcmp(feed->line, command, strlen(command)) == 0;
}

/* Named, and not inlined, so that the tests find the program counter between these symbols. */
__attribute__((noinline)) void attune_test_fault(void);
__attribute__((noinline)) void attune_test_hang(void);

void attune_test_fault(void) { __asm__ volatile("udf #0"); }

void attune_test_hang(void) {
    for (;;) {
        __asm__ volatile("nop");
    }
}

static void overflow(void) { __asm__ volatile("1: push {r0-r3}\n b 1b"); }

void attune_feed_command(const attune_feed *feed) {
    if (says(feed, "!fault")) {
        attune_test_fault();
    }
    if (says(feed, "!hang")) {
        attune_test_hang();
    }
    if (says(feed, "!overflow")) {
        overflow();
    }
}

#else

void attune_feed_command(const attune_feed *feed) { (void)feed; }

#endif
