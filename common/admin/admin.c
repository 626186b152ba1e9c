#include "common/admin/admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin/admin_impl.h"
#include "common/core/bytes.h"
#include "common/io/log.h"
#include "common/io/rand.h"
#include "common/io/sock.h"
#include "proto/lua_scripts.h"

#define BACKLOG 16
#define CHECK_EVERY_MS 1000
#define FULL_PAUSE_MS 100
#define REDIS_TIMEOUT_MS 5000
#define MESSAGE_TEXT_SIZE 512u
#define SAY_EVERY_MS 1000

enum conn_state { CONN_FREE, CONN_CHALLENGED, CONN_OPEN };

struct admin_conn {
    struct admin *admin;
    struct msg_sock *sock;
    enum conn_state state;
    struct monotime heard;
    struct addr peer;
    uint32_t number; // of the last COMMAND
    struct admin_call *call;
    uint8_t nonce[ADMIN_NONCE_LEN];
    uint8_t key[ADMIN_MAC_LEN];
};

struct admin {
    struct loop *loop;
    struct admin_options options;
    char via[ADMIN_VIA_SIZE];
    struct monotime started;
    struct redis_conn *redis;
    int fd;
    struct event acceptable;
    struct loop_timer check, resume;
    struct monotime say_from; // before, no more refusals are logged
    uint64_t unsaid;
    struct admin_conn conns[ADMIN_CONNECTIONS_MAX];
};

const char *admin_via(const struct admin *admin)
{
    return admin->via;
}

const char *admin_role(const struct admin *admin)
{
    return admin->options.role;
}

struct monotime admin_started(const struct admin *admin)
{
    return admin->started;
}

struct loop *admin_loop(const struct admin *admin)
{
    return admin->loop;
}

struct redis_conn *admin_redis(struct admin *admin)
{
    return admin->redis;
}

static void conn_close(struct admin_conn *conn)
{
    if (conn->state == CONN_FREE)
        return;
    conn->state = CONN_FREE;
    if (conn->call != NULL)
        conn->call->conn = NULL;
    conn->call = NULL;
    memset(conn->key, 0, sizeof conn->key);
    msg_sock_close(conn->sock);
    conn->sock = NULL;
}

// Whoever tries secrets does not fill the log.
static void refuse(struct admin_conn *conn, const char *why)
{
    struct admin *admin = conn->admin;
    struct monotime now = loop_now(admin->loop);
    if (monotime_before(now, admin->say_from)) {
        admin->unsaid++;
    } else {
        log_warn("admin connection refused", LOG_STR("reason", why), LOG_ADDR("peer", &conn->peer),
                 LOG_U64("unsaid", admin->unsaid));
        admin->say_from = monotime_add_ms(now, SAY_EVERY_MS);
        admin->unsaid = 0;
    }
    conn_close(conn);
}

static void send_bytes(struct admin_conn *conn, const void *data, size_t len)
{
    if (msg_sock_send(conn->sock, data, len) != 0)
        conn_close(conn);
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

static void call_free(struct admin_call *call)
{
    if (call->free_state != NULL)
        call->free_state(call->state);
    else
        free(call->state);
    json_decref(call->request);
    free(call);
}

static void send_answer(struct admin_conn *conn, uint32_t number, const char *json, size_t len)
{
    uint8_t mac[ADMIN_MAC_LEN];
    uint8_t *message = malloc(len + ADMIN_OVERHEAD);
    if (message == NULL || admin_mac_message(conn->key, ADMIN_ANSWER, number, json, len, mac) != 0) {
        free(message);
        conn_close(conn);
        return;
    }
    size_t at = admin_encode_head(message, ADMIN_ANSWER, number, len);
    memcpy(message + at, json, len);
    at += len;
    at += admin_encode_mac(message + at, mac);
    send_bytes(conn, message, at);
    free(message);
}

// Ends the call with this answer, which is taken over; NULL: no memory.
static void end(struct admin_call *call, json_t *answer)
{
    struct admin_conn *conn = call->conn;
    if (conn != NULL) {
        char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
        size_t len = text != NULL ? strlen(text) : 0;
        conn->call = NULL;
        conn->heard = loop_now(call->admin->loop);
        if (text == NULL || len > ADMIN_ANSWER_MAX)
            conn_close(conn);
        else
            send_answer(conn, call->number, text, len);
        if (conn->sock != NULL)
            msg_sock_pause(conn->sock, false);
        free(text);
    }
    json_decref(answer);
    call_free(call);
}

void admin_answer(struct admin_call *call, json_t *result)
{
    end(call, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

void admin_fail(struct admin_call *call, const char *error, const char *format, ...)
{
    char message[MESSAGE_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log_info("admin refused", LOG_STR("who", call->who), LOG_STR("command", call->name), LOG_STR("error", error),
             LOG_STR("why", message));
    end(call, json_pack("{s:b, s:s, s:s}", "ok", 0, "error", error, "message", message));
}

// ---- Commands ------------------------------------------------------------------------------------------------------

static bool read_args(struct admin_call *call, const json_t *args)
{
    size_t count = json_array_size(args);
    if (!json_is_array(args) || count > ADMIN_ARGS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        call->args[i] = json_string_value(json_array_get(args, i));
        // A text with NUL inside would be checked as one thing and stored as another.
        if (call->args[i] == NULL || strlen(call->args[i]) != json_string_length(json_array_get(args, i)))
            return false;
    }
    call->arg_count = count;
    return true;
}

static bool read_request(struct admin_call *call, const char *json, size_t len)
{
    call->request = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    call->name = json_string_value(json_object_get(call->request, "command"));
    call->who = json_string_value(json_object_get(call->request, "who"));
    size_t who_len = call->who != NULL ? strlen(call->who) : 0;
    return call->name != NULL && who_len >= 1 && who_len <= ADMIN_WHO_MAX &&
           read_args(call, json_object_get(call->request, "args"));
}

static void dispatch(struct admin_call *call)
{
    for (size_t i = 0; i < admin_command_count; i++) {
        const struct admin_command *command = &admin_commands[i];
        if (strcmp(command->name, call->name) != 0)
            continue;
        if (call->arg_count < command->min || call->arg_count > command->max)
            admin_fail(call, "usage", "usage: %s", command->usage);
        else
            command->run(call);
        return;
    }
    admin_fail(call, "usage", "this process does not know the command");
}

static void on_command(struct admin_conn *conn, const struct admin_message *message)
{
    uint8_t mac[ADMIN_MAC_LEN];
    if (message->number != conn->number + 1 ||
        admin_mac_message(conn->key, ADMIN_COMMAND, message->number, message->json, message->json_len, mac) != 0 ||
        !bytes_equal_secret(mac, message->mac, sizeof mac)) {
        refuse(conn, "a command that was not signed");
        return;
    }
    struct admin_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        conn_close(conn);
        return;
    }
    conn->number = message->number;
    *call = (struct admin_call){.admin = conn->admin, .conn = conn, .number = message->number};
    if (!read_request(call, message->json, message->json_len)) {
        call_free(call);
        refuse(conn, "a command that is none");
        return;
    }
    conn->call = call;
    msg_sock_pause(conn->sock, true);
    dispatch(call);
}

// ---- The challenge -------------------------------------------------------------------------------------------------

static void on_response(struct admin_conn *conn, const struct admin_message *message)
{
    const struct admin_options *options = &conn->admin->options;
    const struct admin_keys keys = {options->secret, strlen(options->secret), conn->nonce, message->nonce};
    uint8_t mac[ADMIN_MAC_LEN], accept[ADMIN_OVERHEAD];
    if (admin_mac_ctl(&keys, mac) != 0 || !bytes_equal_secret(mac, message->mac, sizeof mac)) {
        refuse(conn, "wrong secret");
        return;
    }
    if (admin_session_key(&keys, conn->key) != 0 || admin_mac_port(&keys, mac) != 0) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_OPEN;
    conn->number = 0;
    send_bytes(conn, accept, admin_encode_accept(accept, mac));
}

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    struct admin_conn *conn = arg;
    struct admin_message message;
    if (conn->state == CONN_FREE)
        return;
    conn->heard = loop_now(conn->admin->loop);
    bool good = admin_decode(data, len, &message) == 0;
    if (good && conn->state == CONN_CHALLENGED && message.type == ADMIN_RESPONSE && message.version == ADMIN_VERSION)
        on_response(conn, &message);
    else if (good && conn->state == CONN_OPEN && message.type == ADMIN_COMMAND)
        on_command(conn, &message);
    else
        refuse(conn, "malformed message");
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    (void)reason;
    conn_close(arg);
}

// ---- Accepting -----------------------------------------------------------------------------------------------------

static void open_conn(struct admin_conn *conn, int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
    // What strangers can have us keep is no more than the longest COMMAND, with the secret or without.
    static const struct msg_sock_limits limits = {.max_len = ADMIN_ANSWER_MAX + ADMIN_OVERHEAD,
                                                  .max_in = ADMIN_COMMAND_MAX + ADMIN_OVERHEAD,
                                                  .high_water = 2 * (ADMIN_ANSWER_MAX + ADMIN_OVERHEAD),
                                                  .messages_per_turn = 1};
    static const struct msg_sock_handlers handlers = {.on_message = on_message, .on_closed = on_closed};
    uint8_t challenge[ADMIN_OVERHEAD];
    if (msg_sock_accept(&conn->sock, conn->admin->loop, fd, &limits, &handlers, conn) != 0) {
        close(fd);
        return;
    }
    conn->state = CONN_CHALLENGED;
    conn->heard = loop_now(conn->admin->loop);
    if (addr_from_sockaddr(&conn->peer, (const struct sockaddr *)peer, peer_len) != 0)
        conn->peer = (struct addr){0};
    rand_bytes(conn->nonce, sizeof conn->nonce);
    send_bytes(conn, challenge, admin_encode_challenge(challenge, conn->nonce));
}

static struct admin_conn *free_conn(struct admin *admin)
{
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        if (admin->conns[i].state == CONN_FREE)
            return &admin->conns[i];
    }
    return NULL;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct admin *admin = arg;
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;
    (void)what;
    int accepted = sock_accept(fd, &peer, &peer_len);
    if (accepted == ERR_FULL) {
        event_del(&admin->acceptable);
        loop_timer_arm_ms(&admin->resume, FULL_PAUSE_MS);
    }
    if (accepted < 0)
        return;
    struct admin_conn *conn = free_conn(admin);
    if (conn != NULL)
        open_conn(conn, accepted, &peer, peer_len);
    else
        close(accepted);
}

static void on_resume(void *arg)
{
    struct admin *admin = arg;
    event_add(&admin->acceptable, NULL);
}

static void on_check(void *arg)
{
    struct admin *admin = arg;
    loop_timer_arm_ms(&admin->check, CHECK_EVERY_MS);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        struct admin_conn *conn = &admin->conns[i];
        int64_t limit_ms = conn->state == CONN_OPEN ? ADMIN_SILENCE_MS : ADMIN_HANDSHAKE_MS;
        if (conn->state != CONN_FREE && conn->call == NULL &&
            monotime_reached(monotime_add_ms(conn->heard, limit_ms), loop_now(admin->loop)))
            conn_close(conn);
    }
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static int listen_on(struct admin *admin)
{
    admin->fd = sock_listen(admin->options.listen, BACKLOG, false);
    if (admin->fd < 0)
        return admin->fd;
    if (event_assign(&admin->acceptable, loop_base(admin->loop), admin->fd, EV_READ | EV_PERSIST, on_acceptable,
                     admin) != 0 ||
        event_add(&admin->acceptable, NULL) != 0)
        return ERR_NOMEM;
    loop_timer_arm_ms(&admin->check, CHECK_EVERY_MS);
    return 0;
}

static int open_redis(struct admin *admin)
{
    const struct redis_conn_config config = {.address = admin->options.redis,
                                             .user = admin->options.redis_user,
                                             .password = admin->options.redis_password,
                                             .scripts = lua_scripts,
                                             .script_count = LUA_SCRIPT_COUNT,
                                             .command_timeout_ms = REDIS_TIMEOUT_MS};
    static const struct redis_conn_handlers handlers = {0};
    return redis_conn_open(&admin->redis, admin->loop, &config, &handlers, admin);
}

int admin_open(struct admin **out, struct loop *loop, const struct admin_options *options)
{
    *out = NULL;
    if (options->listen[0] == '\0')
        return 0;
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        return ERR_NOMEM;
    admin->loop = loop;
    admin->options = *options;
    admin->started = loop_now(loop);
    admin->fd = -1;
    snprintf(admin->via, sizeof admin->via, "%s %s", options->role, options->name);
    admin->options.name = NULL;
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        admin->conns[i].admin = admin;
    loop_timer_init(&admin->check, loop, on_check, admin);
    loop_timer_init(&admin->resume, loop, on_resume, admin);
    int err = listen_on(admin);
    if (err == 0)
        err = open_redis(admin);
    if (err != 0) {
        admin_close(admin);
        return err;
    }
    log_info("admin port open", LOG_STR("listen", options->listen), LOG_U64("port", admin_port(admin)));
    *out = admin;
    return 0;
}

uint16_t admin_port(const struct admin *admin)
{
    return sock_port(admin->fd);
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    int saved = errno;
    loop_timer_disarm(&admin->check);
    loop_timer_disarm(&admin->resume);
    for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        conn_close(&admin->conns[i]);
    redis_conn_close(admin->redis); // the calls that wait for it end here
    if (admin->fd >= 0) {
        if (event_initialized(&admin->acceptable))
            event_del(&admin->acceptable);
        close(admin->fd);
    }
    free(admin);
    errno = saved;
}
