#define _DEFAULT_SOURCE /* TCP_USER_TIMEOUT */
#include "link.h"

#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A gateway that vanished without a word is given up after this time with bytes unacknowledged. */
#define LINK_SILENCE_MS 20000

#define LINK_TEXT 256

static bool split_address(const char *text, char host[LINK_TEXT], const char **port) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    const bool brackets = text[0] == '[' && colon > text && colon[-1] == ']';
    const char *begin = brackets ? text + 1 : text;
    const char *end = brackets ? colon - 1 : colon;
    if (colon[1] == '\0' || end <= begin || (size_t)(end - begin) >= LINK_TEXT) {
        return false;
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *port = colon + 1;
    return true;
}

const char *link_resolve(const char *text, link_address *address) {
    char host[LINK_TEXT];
    const char *port = NULL;
    if (!split_address(text, host, &port)) {
        return "it has to be HOST:PORT";
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        return gai_strerror(error);
    }
    memset(address, 0, sizeof *address);
    memcpy(&address->socket_address, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    address->family = found->ai_family;
    freeaddrinfo(found);
    return NULL;
}

void link_init(link_line *link, const link_address *address) {
    memset(link, 0, sizeof *link);
    link->address = address;
    link->fd = -1;
    link->wait_ms = LINK_WAIT_MS;
}

short link_events(const link_line *link) {
    if (link->state == LINK_DIALLING) {
        return POLLOUT;
    }
    if (link->state == LINK_UP) {
        return (short)(POLLIN | (link->out_end > link->out_begin ? POLLOUT : 0));
    }
    return 0;
}

static void go_down(link_line *link, uint32_t index, uint64_t now_ms, const link_owner *owner) {
    const bool was_up = link->state == LINK_UP;
    if (link->fd >= 0) {
        (void)close(link->fd);
    }
    link->fd = -1;
    link->state = LINK_DOWN;
    /* Jitter, so that the nodes of a building do not all dial in the same instant after a power cut. */
    link->due_ms = now_ms + link->wait_ms / 2 + machine_random() % (link->wait_ms + 1);
    link->wait_ms = link->wait_ms >= LINK_WAIT_MAX_MS / 2 ? LINK_WAIT_MAX_MS : link->wait_ms * 2;
    if (was_up) {
        owner->state(owner->context, index, false);
    }
}

static void go_up(link_line *link, uint32_t index, const link_owner *owner) {
    link->state = LINK_UP;
    link->out_begin = 0;
    link->out_end = 0;
    link->ups++;
    attune_frame_decoder_init(&link->decoder);
    owner->state(owner->context, index, true);
}

static void set_options(int fd) {
    const int on = 1;
    const unsigned int silence_ms = LINK_SILENCE_MS;
    /* A kernel that knows one of them not makes a slower link, not a wrong one. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

static void dial(link_line *link, uint32_t index, uint64_t now_ms, const link_owner *owner) {
    link->fd = socket(link->address->family, SOCK_STREAM, 0);
    if (link->fd < 0 || fcntl(link->fd, F_SETFL, O_NONBLOCK) != 0) {
        go_down(link, index, now_ms, owner);
        return;
    }
    set_options(link->fd);
    link->state = LINK_DIALLING;
    if (connect(link->fd, (const struct sockaddr *)&link->address->socket_address, link->address->size) == 0) {
        go_up(link, index, owner);
    } else if (errno != EINPROGRESS) {
        go_down(link, index, now_ms, owner);
    }
}

static bool dialled(const link_line *link) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static void take_bytes(link_line *link, uint32_t index, const uint8_t *bytes, size_t size, const link_owner *owner) {
    for (size_t i = 0; i < size; i++) {
        const attune_frame_event event = attune_frame_decode(&link->decoder, bytes[i]);
        if (event == ATTUNE_FRAME_READY) {
            link->frames_in++;
            link->wait_ms = LINK_WAIT_MS; /* somebody who speaks our language is there */
            owner->frame(owner->context, index, link->decoder.buffer, link->decoder.size);
        } else if (event != ATTUNE_FRAME_NONE) {
            owner->damaged(owner->context, index);
        }
    }
}

/* Returns false if the connection is over. One read a turn, so that no link starves the others. */
static bool receive(link_line *link, uint32_t index, const link_owner *owner) {
    uint8_t bytes[4096];
    const ssize_t size = recv(link->fd, bytes, sizeof bytes, 0);
    if (size > 0) {
        take_bytes(link, index, bytes, (size_t)size, owner);
        return true;
    }
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

void link_serve(link_line *link, uint32_t index, short revents, uint64_t now_ms, const link_owner *owner) {
    if (link->state == LINK_DOWN) {
        if (now_ms >= link->due_ms) {
            dial(link, index, now_ms, owner);
        }
        return;
    }
    if (link->state == LINK_DIALLING) {
        if (revents == 0) {
            return;
        }
        if (!dialled(link)) {
            go_down(link, index, now_ms, owner);
            return;
        }
        go_up(link, index, owner);
        return;
    }
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !receive(link, index, owner)) {
        go_down(link, index, now_ms, owner);
        return;
    }
    if ((revents & POLLOUT) != 0) {
        link_flush(link);
    }
}

bool link_takes(const link_line *link) {
    return link->state == LINK_UP && link_waiting(link) + ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME) <= LINK_OUT_BYTES;
}

void link_put(link_line *link, const uint8_t *frame, size_t size) {
    if (LINK_OUT_BYTES - link->out_end < ATTUNE_STREAM_SIZE(size)) {
        memmove(link->out, link->out + link->out_begin, link_waiting(link));
        link->out_end -= link->out_begin;
        link->out_begin = 0;
    }
    const size_t written = attune_frame_encode(frame, size, link->out + link->out_end, LINK_OUT_BYTES - link->out_end);
    link->out_end += written;
    link->frames_out += written > 0 ? 1 : 0;
}

void link_flush(link_line *link) {
    if (link->state != LINK_UP || link_waiting(link) == 0) {
        return;
    }
    const ssize_t sent = send(link->fd, link->out + link->out_begin, link_waiting(link), MSG_NOSIGNAL);
    if (sent > 0) {
        link->out_begin += (size_t)sent;
    }
    /* A broken connection shows at the next poll(2); here it only keeps its bytes. */
    if (link->out_begin == link->out_end) {
        link->out_begin = 0;
        link->out_end = 0;
    }
}

size_t link_waiting(const link_line *link) { return link->out_end - link->out_begin; }
