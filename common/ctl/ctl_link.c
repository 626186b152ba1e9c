#include "common/ctl/ctl_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/core/bytes.h"
#include "common/io/rand.h"
#include "common/io/sock.h"

#define HEAD_LEN 4u

static int fail(struct ctl_link *link, int err, const char *why)
{
    snprintf(link->why, sizeof link->why, "%s", why);
    return err;
}

// An address to listen on names no host; from here it is this one.
static const char *reachable(const char *host)
{
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(host, "::") == 0 ? "::1" : host;
}

static int dial(struct ctl_link *link, const struct addrinfo *found, uint32_t timeout_ms)
{
    const struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    int last = ENOENT;
    for (const struct addrinfo *at = found; at != NULL && link->fd < 0; at = at->ai_next) {
        int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
            connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            link->fd = fd;
        } else {
            last = errno;
            if (fd >= 0)
                close(fd);
        }
    }
    return link->fd >= 0 ? 0 : fail(link, ERR_IO, last == EINPROGRESS ? "no answer" : strerror(last));
}

static int connect_to(struct ctl_link *link, const char *address, uint32_t timeout_ms)
{
    char host[SOCK_HOST_SIZE], service[8];
    uint16_t port;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (sock_split(address, host, &port) != 0)
        return fail(link, ERR_MALFORMED, "the address is not host:port");
    snprintf(service, sizeof service, "%u", port);
    int err = getaddrinfo(reachable(host), service, &hints, &found);
    if (err != 0)
        return fail(link, ERR_IO, gai_strerror(err));
    err = dial(link, found, timeout_ms);
    freeaddrinfo(found);
    return err;
}

// ---- Messages ------------------------------------------------------------------------------------------------------

static int send_all(struct ctl_link *link, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(link->fd, data + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(link, ERR_IO, "the connection broke");
        at += (size_t)n;
    }
    return 0;
}

static int receive_all(struct ctl_link *link, uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(link->fd, data + at, len - at, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return fail(link, ERR_IO, "no answer in time");
        if (n <= 0)
            return fail(link, ERR_IO, "the connection was closed");
        at += (size_t)n;
    }
    return 0;
}

static int send_message(struct ctl_link *link, const uint8_t *data, size_t len)
{
    const uint8_t head[HEAD_LEN] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    int err = send_all(link, head, sizeof head);
    return err == 0 ? send_all(link, data, len) : err;
}

// *buffer is to be freed; `out` points into it.
static int receive_message(struct ctl_link *link, enum admin_type type, uint8_t **buffer, struct admin_message *out)
{
    uint8_t head[HEAD_LEN];
    *buffer = NULL;
    int err = receive_all(link, head, sizeof head);
    if (err != 0)
        return err;
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > ADMIN_ANSWER_MAX + ADMIN_OVERHEAD)
        return fail(link, ERR_MALFORMED, "that is no admin port");
    *buffer = malloc(len + 1);
    if (*buffer == NULL)
        return fail(link, ERR_NOMEM, "no memory");
    err = receive_all(link, *buffer, len);
    if (err == 0 && (admin_decode(*buffer, len, out) != 0 || out->type != type))
        err = fail(link, ERR_MALFORMED, "that is no admin port of this version");
    return err;
}

// ---- The challenge -------------------------------------------------------------------------------------------------

static int challenge(struct ctl_link *link, const char *secret)
{
    uint8_t own[ADMIN_NONCE_LEN], mac[ADMIN_MAC_LEN], response[2 * ADMIN_OVERHEAD];
    uint8_t *first = NULL, *second = NULL;
    struct admin_message message;
    int err = receive_message(link, ADMIN_CHALLENGE, &first, &message);
    if (err != 0)
        goto done;
    rand_bytes(own, sizeof own);
    const struct admin_keys keys = {secret, strlen(secret), message.nonce, own};
    if (message.version != ADMIN_VERSION || admin_mac_ctl(&keys, mac) != 0 ||
        admin_session_key(&keys, link->key) != 0) {
        err = fail(link, ERR_MALFORMED, "another version of the admin port");
        goto done;
    }
    err = send_message(link, response, admin_encode_response(response, own, mac));
    if (err == 0)
        err = receive_message(link, ADMIN_ACCEPT, &second, &message);
    if (err == ERR_IO)
        err = fail(link, ERR_AUTH, "the port does not accept the secret");
    if (err == 0 && (admin_mac_port(&keys, mac) != 0 || !bytes_equal_secret(mac, message.mac, sizeof mac)))
        err = fail(link, ERR_AUTH, "the port does not know the secret");
done:
    free(first);
    free(second);
    return err;
}

int ctl_link_open(struct ctl_link *link, const char *address, const char *secret, uint32_t timeout_ms)
{
    *link = (struct ctl_link){.fd = -1};
    int err = connect_to(link, address, timeout_ms);
    return err == 0 ? challenge(link, secret) : err;
}

void ctl_link_close(struct ctl_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

// ---- Commands ------------------------------------------------------------------------------------------------------

static int send_command(struct ctl_link *link, const char *json, size_t len)
{
    static uint8_t message[ADMIN_COMMAND_MAX + ADMIN_OVERHEAD];
    uint8_t mac[ADMIN_MAC_LEN];
    link->number++;
    if (admin_mac_message(link->key, ADMIN_COMMAND, link->number, json, len, mac) != 0)
        return fail(link, ERR_NOMEM, "no memory");
    size_t at = admin_encode_head(message, ADMIN_COMMAND, link->number, len);
    memcpy(message + at, json, len);
    at += len;
    at += admin_encode_mac(message + at, mac);
    return send_message(link, message, at);
}

static int receive_answer(struct ctl_link *link, json_t **answer)
{
    struct admin_message message;
    uint8_t mac[ADMIN_MAC_LEN], *buffer;
    int err = receive_message(link, ADMIN_ANSWER, &buffer, &message);
    if (err == 0 &&
        (message.number != link->number ||
         admin_mac_message(link->key, ADMIN_ANSWER, message.number, message.json, message.json_len, mac) != 0 ||
         !bytes_equal_secret(mac, message.mac, sizeof mac)))
        err = fail(link, ERR_AUTH, "an answer that was not signed");
    if (err == 0) {
        *answer = json_loadb(message.json, message.json_len, 0, NULL);
        if (!json_is_object(*answer))
            err = fail(link, ERR_MALFORMED, "an answer that is none");
    }
    free(buffer);
    return err;
}

int ctl_link_ask(struct ctl_link *link, const char *command, const char *const *args, size_t count, const char *who,
                 json_t **answer)
{
    json_t *list = json_array();
    *answer = NULL;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(args[i]));
    bool whole = json_array_size(list) == count;
    json_t *request = json_pack("{s:s, s:o, s:s}", "command", command, "args", list, "who", who);
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    int err = 0;
    if (text == NULL || !whole)
        err = fail(link, ERR_RANGE, "an argument that is no UTF-8");
    else if (strlen(text) > ADMIN_COMMAND_MAX)
        err = fail(link, ERR_RANGE, "the command is too long");
    if (err == 0)
        err = send_command(link, text, strlen(text));
    if (err == 0)
        err = receive_answer(link, answer);
    free(text);
    return err;
}
