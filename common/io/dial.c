#include "common/io/dial.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A running look-up outlives its cancellation: evdns answers once more, later. So it has memory of its own.
struct dial_lookup {
    struct dial *dial; // NULL = cancelled
    struct evdns_getaddrinfo_request *request;
};

static void attempt_end(struct dial *dial)
{
    if (dial->fd < 0)
        return;
    event_del(&dial->connected);
    close(dial->fd);
    dial->fd = -1;
}

void dial_cancel(struct dial *dial)
{
    loop_deferred_cancel(&dial->start);
    loop_timer_disarm(&dial->deadline);
    attempt_end(dial);
    if (dial->lookup != NULL) {
        struct dial_lookup *lookup = dial->lookup;
        dial->lookup = NULL;
        lookup->dial = NULL;
        if (lookup->request != NULL)
            evdns_getaddrinfo_cancel(lookup->request);
    }
}

static void finish(struct dial *dial, int fd, const char *why)
{
    dial_cancel(dial);
    dial->on_done(dial->arg, fd, why);
}

static void attempt_next(struct dial *dial);

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct dial *dial = arg;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        dial->last_errno = error;
        attempt_end(dial);
        attempt_next(dial);
        return;
    }
    int connected = dial->fd;
    event_del(&dial->connected);
    dial->fd = -1;
    finish(dial, connected, "connected");
}

static socklen_t address_len(const struct sockaddr_storage *sa)
{
    return sa->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

// Starts one attempt. Returns false when it failed at once.
static bool attempt_start(struct dial *dial, const struct sockaddr_storage *sa)
{
    dial->fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        dial->last_errno = errno;
        return false;
    }
    int result = connect(dial->fd, (const struct sockaddr *)sa, address_len(sa));
    if (result != 0 && errno != EINPROGRESS) {
        dial->last_errno = errno;
        close(dial->fd);
        dial->fd = -1;
        return false;
    }
    event_assign(&dial->connected, loop_base(dial->loop), dial->fd, EV_WRITE, on_connected, dial);
    if (event_add(&dial->connected, NULL) != 0) {
        dial->last_errno = ENOMEM;
        attempt_end(dial);
        return false;
    }
    return true;
}

static const char *errno_text(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "host unreachable";
    case EMFILE:
    case ENFILE:
        return "out of descriptors";
    case 0:
        return "the name has no address";
    default:
        return "connection failed";
    }
}

static void attempt_next(struct dial *dial)
{
    while (dial->next < dial->count) {
        if (attempt_start(dial, &dial->addresses[dial->next++]))
            return;
    }
    finish(dial, ERR_IO, errno_text(dial->last_errno));
}

static void on_resolved(int result, struct evutil_addrinfo *list, void *arg)
{
    struct dial_lookup *lookup = arg;
    struct dial *dial = lookup->dial;
    if (dial != NULL) {
        dial->lookup = NULL;
        for (struct evutil_addrinfo *ai = list; ai != NULL && dial->count < DIAL_ADDRESSES_MAX; ai = ai->ai_next) {
            if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
                memcpy(&dial->addresses[dial->count++], ai->ai_addr, ai->ai_addrlen);
        }
    }
    if (list != NULL)
        evutil_freeaddrinfo(list);
    free(lookup);
    if (dial == NULL)
        return;
    if (result != 0)
        finish(dial, ERR_NOT_FOUND, "the name was not found");
    else
        attempt_next(dial);
}

static int lookup_start(struct dial *dial)
{
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_protocol = IPPROTO_TCP,
        .ai_flags = EVUTIL_AI_ADDRCONFIG,
    };
    char port[8];
    struct evdns_base *dns = loop_dns(dial->loop);
    struct dial_lookup *lookup = dns != NULL ? calloc(1, sizeof *lookup) : NULL;
    if (lookup == NULL)
        return ERR_NOMEM;
    lookup->dial = dial;
    dial->lookup = lookup;
    evutil_snprintf(port, sizeof port, "%u", dial->port);
    // It may answer within the call (names of the hosts file), and `lookup` is gone then.
    struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(dns, dial->host, port, &hints, on_resolved, lookup);
    if (request != NULL)
        lookup->request = request;
    return 0;
}

static void on_start(void *arg)
{
    struct dial *dial = arg;
    if (dial->count > 0)
        attempt_next(dial);
    else if (lookup_start(dial) != 0)
        finish(dial, ERR_NOT_FOUND, "no resolver");
}

static void on_deadline(void *arg)
{
    finish(arg, ERR_TIMEOUT, "no connection in time");
}

void dial_init(struct dial *dial, struct loop *loop, dial_cb *on_done, void *arg)
{
    memset(dial, 0, sizeof *dial);
    dial->loop = loop;
    dial->on_done = on_done;
    dial->arg = arg;
    dial->fd = -1;
    loop_deferred_init(&dial->start, on_start, dial);
    loop_timer_init(&dial->deadline, loop, on_deadline, dial);
}

int dial_start(struct dial *dial, const char *address, uint32_t timeout_ms)
{
    socklen_t len;
    int err = sock_split(address, dial->host, &dial->port);
    if (err != 0 || dial->host[0] == '\0')
        return ERR_MALFORMED;
    dial->next = 0;
    dial->last_errno = 0;
    // A numeric address needs no resolver.
    dial->count = sock_parse(address, &dial->addresses[0], &len) == 0 ? 1 : 0;
    loop_timer_arm_ms(&dial->deadline, timeout_ms);
    loop_defer(dial->loop, &dial->start);
    return 0;
}
