#include "feed_commands.h"

#ifdef ATTUNE_TEST_IMAGE

#include "flash.h"
#include "memory.h"
#include "uart.h"

#include <string.h>

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

static uint32_t last_block(void) { return FLASH_SIZE - ATTUNE_FLASH_BLOCK; }

/* Says a digit for each result, an attune_flash_result. */
static void try_flash(void) {
    const uint32_t begin = last_block();
    const uint32_t end = FLASH_SIZE;
    uint8_t bytes[2] = {0xF0, 0x0F};
    const uint8_t fewer = 0x30;
    const uint8_t more = 0xF1;
    const attune_flash_result results[] = {
        attune_flash_program(begin, bytes, sizeof bytes),
        attune_flash_program(begin, &fewer, 1),
        attune_flash_program(begin, &more, 1),
        attune_flash_program(end - 1, bytes, sizeof bytes),
        attune_flash_read(UINT32_MAX, bytes, sizeof bytes),
        attune_flash_erase(begin + 1),
        attune_flash_erase(end),
    };
    attune_uart_say("flash ");
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        const char digit[2] = {(char)('0' + results[i]), '\0'};
        attune_uart_say(digit);
    }
    attune_uart_say(".\n");
}

static void erase(void) {
    (void)attune_flash_erase(last_block());
    attune_uart_say("erased.\n");
}

void attune_feed_command(const attune_feed *feed) {
    static const struct {
        const char *name;
        void (*run)(void);
    } commands[] = {{"!fault", attune_test_fault},
                    {"!hang", attune_test_hang},
                    {"!overflow", overflow},
                    {"!flash", try_flash},
                    {"!erase", erase}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (says(feed, commands[i].name)) {
            commands[i].run();
        }
    }
}

#else

void attune_feed_command(const attune_feed *feed) { (void)feed; }

#endif
