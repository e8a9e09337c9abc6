#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool source_open(source *s, const char *path, double rate) {
    memset(s, 0, sizeof *s);
    s->rate = rate;
    attune_feed_init(&s->feed);
    s->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return s->fd >= 0;
}

uint64_t source_wait_ms(const source *s, uint64_t now_ms) {
    if (s->waiting == ATTUNE_FEED_NONE || s->rate <= 0.0 || s->feed.tick_ms <= s->begun_tick_ms) {
        return 0;
    }
    const double ahead_ms = (double)(s->feed.tick_ms - s->begun_tick_ms) / s->rate;
    const double passed_ms = (double)(now_ms - s->begun_ms);
    return ahead_ms > passed_ms ? (uint64_t)(ahead_ms - passed_ms) + 1 : 0;
}

/* Parses up to the end of the next line that says something. */
static void parse(source *s) {
    while (s->waiting == ATTUNE_FEED_NONE && s->begin < s->end) {
        const attune_feed_event event = attune_feed_take(&s->feed, s->buffer[s->begin++]);
        if (event == ATTUNE_FEED_MALFORMED) {
            s->malformed++;
        } else {
            s->waiting = event;
        }
    }
}

attune_feed_event source_next(source *s, uint64_t now_ms) {
    parse(s);
    const attune_feed_event event = s->waiting;
    if (event == ATTUNE_FEED_NONE) {
        return event;
    }
    if (!s->begun) {
        s->begun = true;
        s->begun_ms = now_ms;
        s->begun_tick_ms = s->feed.tick_ms;
    }
    if (source_wait_ms(s, now_ms) > 0) {
        return ATTUNE_FEED_NONE;
    }
    s->waiting = ATTUNE_FEED_NONE;
    return event;
}

bool source_hungry(const source *s) { return !s->ended && s->waiting == ATTUNE_FEED_NONE && s->begin == s->end; }

void source_read(source *s) {
    const ssize_t size = read(s->fd, s->buffer, sizeof s->buffer);
    s->begin = 0;
    s->end = size > 0 ? (size_t)size : 0;
    if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) {
        s->ended = true;
        s->buffer[0] = '\n';
        s->end = 1;
    }
}

bool source_over(const source *s) { return s->ended && s->waiting == ATTUNE_FEED_NONE && s->begin == s->end; }
