/* One TCP connection to a gateway: non-blocking, framed, bounded, and dialled again when it breaks. */
#ifndef ATTUNE_HOST_LINK_H
#define ATTUNE_HOST_LINK_H

#include "framing/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Bytes that wait for the socket. Small, because the place to wait is a node's backlog: about a hundred reports. */
#define LINK_OUT_BYTES 8192

/* First wait before dialling again; doubled each time up to the longest; each is drawn between half and one and a half. */
#define LINK_WAIT_MS 250
#define LINK_WAIT_MAX_MS 15000

/* Where gateways listen. */
typedef struct link_address {
    struct sockaddr_storage socket_address;
    socklen_t size;
    int family;
} link_address;

typedef enum link_state { LINK_DOWN = 0, LINK_DIALLING, LINK_UP } link_state;

typedef struct link_line {
    const link_address *address;
    link_state state;
    int fd; /* -1 while down */
    uint64_t due_ms;
    uint32_t wait_ms;
    uint32_t ups;
    uint64_t frames_out;
    uint64_t frames_in;
    size_t out_begin;
    size_t out_end;
    attune_frame_decoder decoder;
    uint8_t out[LINK_OUT_BYTES];
} link_line;

/* What a link tells its owner. Called only from within link_serve. */
typedef struct link_owner {
    void *context;
    void (*state)(void *context, uint32_t link, bool up);
    void (*frame)(void *context, uint32_t link, uint8_t *frame, size_t size);
    void (*damaged)(void *context, uint32_t link);
} link_owner;

/* Resolves "host:port" or "[v6-address]:port". Returns NULL if good, else why not. */
const char *link_resolve(const char *text, link_address *address);

/* A link that is down and dials at once. */
void link_init(link_line *link, const link_address *address);

/* poll(2) events that the link waits for; 0 while it waits for link->due_ms. */
short link_events(const link_line *link);

/* Dials, finishes dialling, receives and sends, as revents and the time say. */
void link_serve(link_line *link, uint32_t index, short revents, uint64_t now_ms, const link_owner *owner);

/* True if the link is up and has room for a frame of a node. */
bool link_takes(const link_line *link);

/* Queues one frame; call only after link_takes. */
void link_put(link_line *link, const uint8_t *frame, size_t size);

/* Sends what is queued, as far as the socket takes it. */
void link_flush(link_line *link);

/* Bytes that wait for the socket. */
size_t link_waiting(const link_line *link);

#endif
