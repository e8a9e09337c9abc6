#include "feed.h"

#include "decimal.h"

#include <math.h>
#include <string.h>

/* Beyond this exponent every mantissa is zero or infinite. */
#define LARGEST_EXPONENT 400

/* A mantissa below this takes one more digit without overflow. */
#define MANTISSA_FULL ((UINT64_MAX - 9) / 10)

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static bool is_digit(const cursor *c) { return c->at < c->end && *c->at >= '0' && *c->at <= '9'; }

static bool skip_blanks(cursor *c) {
    const char *begin = c->at;
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r')) {
        c->at++;
    }
    return c->at != begin;
}

static bool skip_char(cursor *c, char wanted) {
    if (c->at == c->end || *c->at != wanted) {
        return false;
    }
    c->at++;
    return true;
}

static bool read_integer(cursor *c, uint64_t limit, uint64_t *number) {
    if (!is_digit(c)) {
        return false;
    }
    uint64_t value = 0;
    for (; is_digit(c); c->at++) {
        const uint64_t digit = (uint64_t)(*c->at - '0');
        if (value > (limit - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

typedef struct decimal {
    uint64_t mantissa;
    int exponent;
    bool digits;
} decimal;

/* Digits before (step 0) or after (step 1) the point; what no longer fits the mantissa only moves the point. */
static void read_digits(cursor *c, decimal *d, int step) {
    for (; is_digit(c); c->at++) {
        d->digits = true;
        if (d->mantissa < MANTISSA_FULL) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(*c->at - '0');
            d->exponent -= step;
        } else {
            d->exponent += 1 - step;
        }
    }
}

static bool read_exponent(cursor *c, decimal *d) {
    if (!skip_char(c, 'e') && !skip_char(c, 'E')) {
        return true;
    }
    const bool negative = skip_char(c, '-');
    if (!negative) {
        (void)skip_char(c, '+');
    }
    uint64_t power = 0;
    if (!read_integer(c, LARGEST_EXPONENT, &power)) {
        return false;
    }
    d->exponent += negative ? -(int)power : (int)power;
    return true;
}

static bool read_word(cursor *c, const char *word) {
    const char *at = c->at;
    for (; *word != '\0'; word++, at++) {
        if (at == c->end || *at != *word) {
            return false;
        }
    }
    c->at = at;
    return true;
}

static bool read_value(cursor *c, attune_real *value) {
    if (read_word(c, "nan")) {
        *value = (attune_real)NAN;
        return true;
    }
    const bool negative = skip_char(c, '-');
    float size = INFINITY;
    if (!read_word(c, "inf")) {
        decimal d = {0};
        read_digits(c, &d, 0);
        if (skip_char(c, '.')) {
            read_digits(c, &d, 1);
        }
        if (!d.digits || !read_exponent(c, &d)) {
            return false;
        }
        size = attune_decimal(d.mantissa, d.exponent);
    }
    *value = (attune_real)(negative ? -size : size);
    return true;
}

bool attune_feed_number(const char *text, uint8_t length, attune_real *value) {
    cursor c = {text, text + length};
    return read_value(&c, value) && c.at == c.end;
}

static attune_feed_event parse_time(attune_feed *feed, cursor *c) {
    uint64_t tick_ms = 0;
    if (!read_integer(c, UINT64_MAX, &tick_ms)) {
        return ATTUNE_FEED_MALFORMED;
    }
    (void)skip_blanks(c);
    if (c->at != c->end) {
        return ATTUNE_FEED_MALFORMED;
    }
    feed->tick_ms = tick_ms;
    return ATTUNE_FEED_TIME;
}

static bool read_sample(attune_feed *feed, cursor *c) {
    uint64_t sensor = 0;
    if (!read_integer(c, UINT8_MAX, &sensor) || !skip_blanks(c) || !read_value(c, &feed->value)) {
        return false;
    }
    feed->sensor = (uint8_t)sensor;
    return true;
}

static bool read_class(attune_feed *feed, cursor *c) {
    feed->class_index = read_word(c, "occupied");
    return feed->class_index == 1 || read_word(c, "free");
}

/* What a line says that begins with a node and a tick. */
static attune_feed_event parse_fact(attune_feed *feed, cursor *c) {
    uint64_t node = 0;
    uint64_t tick_ms = 0;
    if (!read_integer(c, UINT32_MAX, &node) || !skip_blanks(c) || !read_integer(c, UINT64_MAX, &tick_ms) ||
        !skip_blanks(c)) {
        return ATTUNE_FEED_MALFORMED;
    }
    feed->node = (uint32_t)node;
    feed->tick_ms = tick_ms;
    const bool press = read_word(c, "button");
    const bool good = press ? skip_blanks(c) && read_class(feed, c) : read_sample(feed, c);
    (void)skip_blanks(c);
    if (!good || c->at != c->end) {
        return ATTUNE_FEED_MALFORMED;
    }
    return press ? ATTUNE_FEED_PRESS : ATTUNE_FEED_SAMPLE;
}

static attune_feed_event parse_line(attune_feed *feed) {
    cursor c = {feed->line, feed->line + feed->size};
    (void)skip_blanks(&c);
    if (c.at == c.end || *c.at == '#') {
        return ATTUNE_FEED_NONE;
    }
    return skip_char(&c, '@') ? parse_time(feed, &c) : parse_fact(feed, &c);
}

void attune_feed_init(attune_feed *feed) { memset(feed, 0, sizeof *feed); }

attune_feed_event attune_feed_take(attune_feed *feed, char byte) {
    if (byte != '\n') {
        if (feed->size == ATTUNE_FEED_LINE) {
            feed->overlong = true;
        } else {
            feed->line[feed->size++] = byte;
        }
        return ATTUNE_FEED_NONE;
    }
    /* A comment may be as long as it likes. */
    const bool dropped = feed->overlong && feed->line[0] != '#';
    const attune_feed_event event = dropped ? ATTUNE_FEED_MALFORMED : parse_line(feed);
    feed->size = 0;
    feed->overlong = false;
    return event;
}
