/* What the host port asks of its machine: monotonic time, random numbers, an end signal. */
#ifndef ATTUNE_HOST_MACHINE_H
#define ATTUNE_HOST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds of a clock that never goes back, from an arbitrary start. */
uint64_t machine_now_ms(void);

/* At most 256 random bytes from the operating system; ends the process with a sentence if there are none. */
void machine_entropy(uint8_t *bytes, size_t size);

/* 32 random bits from the operating system; ends the process with a sentence if there are none. */
uint32_t machine_random(void);

/* Bits that follow from seed and index alone (SplitMix64), for runs that must repeat. */
uint32_t machine_seeded(uint64_t seed, uint64_t index);

/* From now on SIGTERM and SIGINT make the returned file descriptor readable instead of ending the process. */
int machine_end_signal(void);

/* Writes a whole sentence to standard error, with the program's name before it. */
void machine_say(const char *sentence, ...) __attribute__((format(printf, 1, 2)));

/* The same, and ends the process with exit code 2 (wrong usage) or 1 (failed). */
_Noreturn void machine_fail(int code, const char *sentence, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed memory for count objects; ends the process if there is none. */
void *machine_memory(uint32_t count, uint32_t size);

/* The name that machine_say puts before each sentence. */
void machine_name(const char *program);

#endif
