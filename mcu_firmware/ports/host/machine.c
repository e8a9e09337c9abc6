#define _DEFAULT_SOURCE /* getentropy */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "attune";
static int end_pipe[2] = {-1, -1};

void machine_name(const char *program) { program_name = program; }

uint64_t machine_now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void machine_entropy(uint8_t *bytes, size_t size) {
    if (getentropy(bytes, size) != 0) {
        machine_fail(1, "The operating system gives no random numbers (%s).", strerror(errno));
    }
}

uint32_t machine_random(void) {
    uint32_t bits = 0;
    machine_entropy((uint8_t *)&bits, sizeof bits);
    return bits;
}

uint32_t machine_seeded(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static void on_end(int signal_number) {
    const int saved = errno;
    const char byte = (char)signal_number;
    if (write(end_pipe[1], &byte, 1) < 0) {
        /* The pipe is full: the end has been asked for already. */
    }
    errno = saved;
}

int machine_end_signal(void) {
    if (pipe(end_pipe) != 0 || fcntl(end_pipe[1], F_SETFL, O_NONBLOCK) != 0) {
        machine_fail(1, "No pipe for the end signal could be made (%s).", strerror(errno));
    }
    struct sigaction action = {.sa_handler = on_end};
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0) {
        machine_fail(1, "The end signals could not be taken (%s).", strerror(errno));
    }
    return end_pipe[0];
}

static void say(const char *sentence, va_list arguments) {
    (void)fprintf(stderr, "%s: ", program_name);
    (void)vfprintf(stderr, sentence, arguments);
    (void)fputc('\n', stderr);
}

void machine_say(const char *sentence, ...) {
    va_list arguments;
    va_start(arguments, sentence);
    say(sentence, arguments);
    va_end(arguments);
}

_Noreturn void machine_fail(int code, const char *sentence, ...) {
    va_list arguments;
    va_start(arguments, sentence);
    say(sentence, arguments);
    va_end(arguments);
    exit(code);
}

void *machine_memory(uint32_t count, uint32_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) {
        machine_fail(1, "There is not enough memory; give this process fewer nodes.");
    }
    return memory;
}
