// The whole public port: bytes cut into reads of any length, sockets that fill up, time that passes, and everything
// behind the edge answering when and as it likes. What must hold: every answer is well-formed, every connection is
// closed once, a client has no more memory than its bounds say, and nothing is left of it.
//
//   setup u8, then steps: (what | connection << 5) u8, and what the step takes
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/edge_internal.h"
#include "gateway/http_conn.h"
#include "gateway/http_reply.h"
#include "proto/limits.h"
#include "tests/fuzz/edge_back.h"
#include "tests/fuzz/edge_client.h"
#include "tests/fuzz/edge_text.h"
#include "tests/fuzz/mem_sock.h"
#include "tests/fuzz/mem_world.h"
#include "tests/unit/fake_loop.h"

#define CLIENTS 4
#define STEPS_MAX 400
// Of one connection: what is read of a request and behind it, a message in pieces, a full outbox, an answer of text.
#define CLIENT_BYTES_MAX (98u << 10)
#define OTHER_BYTES_MAX (104u << 10) // addresses, the array of clients, the page in two packed pieces

enum setup {
    SETUP_FREE = 1,
    SETUP_UNKNOWN = 2,
    SETUP_TLS_BEFORE = 4,
    SETUP_REDIRECT = 8,
    SETUP_RATES = 16,
    SETUP_LONG = 32
};

struct client {
    int fd; // -1: none
    struct edge_client sees;
};

static struct {
    struct edge *edge;
    struct metrics metrics;
    struct client clients[CLIENTS];
    size_t heap; // before the first connection
    unsigned started;
    bool drained;
} run;

// ---- Looking --------------------------------------------------------------------------------------------------------

static void look_at_client(struct client *client)
{
    size_t len;
    if (client->fd < 0)
        return;
    const uint8_t *out = mem_sock_out(client->fd, &len);
    size_t eaten = edge_client_read(&client->sees, out, len);
    mem_sock_eat(client->fd, eaten);
    if (mem_sock_shut(client->fd))
        edge_client_end(&client->sees, len - eaten);
    if (!mem_sock_is_open(client->fd))
        client->fd = -1;
}

static void look_at_conn(const struct conn *conn)
{
    const struct http_conn *http = conn->http;
    const struct ws_conn *ws = &conn->ws;
    FUZZ_CHECK(http == NULL || (http->len <= HTTP_REQUEST_MAX + EDGE_READ_SIZE && http->capacity <= 2 * 16384));
    FUZZ_CHECK(ws->outbox.len <= OUTBOX_MAX + OUTBOX_LAST_MAX);
    FUZZ_CHECK(ws->stash.len <= EDGE_READ_SIZE);
    FUZZ_CHECK(ws->draws <= edge_in_flight_max(conn->edge) || ws->pauses != 0);
    FUZZ_CHECK((conn->state == CONN_WS) <= (http == NULL));
}

static void look(void)
{
    struct edge *edge = run.edge;
    unsigned open = 0;
    for (const struct conn *conn = edge->conns; conn != NULL; conn = conn->next, open++)
        look_at_conn(conn);
    FUZZ_CHECK(edge->stats.sockets == open);
    FUZZ_CHECK(edge->stats.body_bytes >= 0 && edge->stats.lookups_waiting >= 0);
    size_t pools = edge->recv_pool.count * (16u << 10) + edge->outbox_pool.count * OUTBOX_BLOCK;
    FUZZ_CHECK(fuzz_heap() <= run.heap + open * CLIENT_BYTES_MAX + OTHER_BYTES_MAX + pools + edge_back_bytes() +
                                  (size_t)edge->stats.body_bytes);
    for (unsigned i = 0; i < CLIENTS; i++)
        look_at_client(&run.clients[i]);
}

// ---- Steps ----------------------------------------------------------------------------------------------------------

static void open_client(struct client *client, struct fuzz_in *in)
{
    uint8_t from = fuzz_u8(in);
    if (client->fd >= 0)
        return;
    client->fd = mem_sock_connect((from & 1) != 0 ? "proxied" : "plain", 0x0a000000u | (uint32_t)(from >> 4));
    client->sees = (struct edge_client){0};
    run.started += client->fd >= 0;
}

// One frame, its mask all zeros so that the payload lies in the input as it is.
static void feed_frame(int fd, uint8_t first, const uint8_t *payload, size_t len)
{
    uint8_t bytes[8 + LIMIT_WS_MESSAGE + 300];
    size_t head = len < 126 ? 2 : 4;
    memset(bytes, 0, 8);
    bytes[0] = first;
    bytes[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (head == 4) {
        bytes[2] = (uint8_t)(len >> 8);
        bytes[3] = (uint8_t)len;
    }
    memcpy(bytes + head + 4, payload, len);
    mem_sock_feed(fd, bytes, head + 4 + len);
}

static void feed_message(int fd, uint8_t count, struct fuzz_in *in)
{
    uint8_t bytes[LIMIT_WS_MESSAGE];
    struct ws_entry entries[LIMIT_WATCH_TILES] = {0};
    for (uint16_t i = 0; i < count; i++)
        entries[i].tile = (struct tile){i % 16, i / 16};
    uint8_t what = fuzz_u8(in);
    const struct ws_draw draw = {.color = what, .x = fuzz_u8(in), .y = 3, .nonce = count};
    size_t len = what % 4 == 0   ? ws_encode_hello(bytes, 1 + what, entries, count)
                 : what % 4 == 1 ? ws_encode_draw(bytes, &draw)
                 : what % 4 == 2 ? ws_encode_watch(bytes, WS_WATCH, entries, count)
                                 : ws_encode_watch(bytes, WS_RESUME, entries, count);
    feed_frame(fd, 0x82, bytes, len);
}

// What a peer does.
static void step_peer(struct client *client, unsigned what, struct fuzz_in *in)
{
    static const uint8_t zeros[LIMIT_WS_MESSAGE + 300];
    static const size_t rooms[] = {0, 1, 7, 100, 4096, 20000, SIZE_MAX, SIZE_MAX};
    size_t len;
    uint8_t some = fuzz_u8(in);
    const uint8_t *bytes;
    const char *text;
    bool filled;
    switch (what) {
    case 0:
    case 1:
        bytes = fuzz_take(in, what == 0 ? some : 64u * some, &len);
        mem_sock_feed(client->fd, bytes, len);
        break;
    case 2:
        text = edge_text(some, &len);
        mem_sock_feed(client->fd, text, len);
        break;
    case 3:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        filled = len == 0; // a long one takes too much of an input
        if (filled)
            len = 128u * fuzz_below(in, 34);
        feed_frame(client->fd, some, filled ? zeros : bytes, len);
        break;
    case 4:
        feed_message(client->fd, some, in);
        break;
    case 5:
        mem_sock_room(client->fd, rooms[some % 8]);
        break;
    case 6:
        mem_sock_end(client->fd);
        break;
    default:
        mem_sock_break(client->fd);
        break;
    }
}

static void change_config(struct fuzz_in *in)
{
    static const char *const announced[] = {"", "Hello", "Guten Tag, \xf0\x9f\x98\x80"};
    static const unsigned colors[] = {0, 1, 100, PALETTE_COLORS_MAX}; // that are added
    struct canvas_config *config = &edge_facts.config;
    const char *text = announced[fuzz_below(in, 3)];
    config->version++;
    config->restores += fuzz_below(in, 2);
    config->cooldown_ms = fuzz_below(in, 4) == 0 ? 0 : 5000;
    config->announced_len = strlen(text);
    memcpy(config->announced, text, config->announced_len + 1);
    for (unsigned more = colors[fuzz_below(in, 4)]; more > 0 && config->palette.count < PALETTE_COLORS_MAX; more--) {
        struct palette_color *color = &config->palette.colors[config->palette.count++];
        *color = (struct palette_color){.r = 1, .name = "a name as long as there may be"};
    }
    // What is in flight was let through by the rule of before.
    edge_back.draws_max = 256;
    edge_facts.config_known = true;
    edge_back.events.on_config(config, edge_back.events.arg);
}

static void on_drained(void *arg)
{
    *(bool *)arg = true;
}

// What happens behind the edge, and time.
static void step_server(unsigned what, struct fuzz_in *in)
{
    static const int64_t times_us[] = {0, 1000, 20000, 100000, 500000, 2500000, 6000000, 31000000};
    static const unsigned counts[] = {1, 30, 400, 8192};
    struct shared_buf *frame;
    switch (what) {
    case 0:
        mem_world_turn(times_us[fuzz_below(in, 8)]);
        break;
    case 1:
        (void)edge_back_answer(in);
        break;
    case 2:
        (void)edge_back_verdict(in);
        break;
    case 3:
        frame = edge_back_frame(counts[fuzz_below(in, 4)]);
        edge_back_send(fuzz_u8(in), frame);
        shared_buf_unref(frame);
        break;
    case 4:
        if (edge_back.next == NULL)
            edge_back.next = edge_back_frame(counts[fuzz_below(in, 4)]);
        break;
    case 5:
        change_config(in);
        break;
    case 6:
        edge_facts.read_only = fuzz_below(in, 2) == 1;
        edge_facts.online = fuzz_u8(in);
        edge_back.events.on_status(edge_facts.online, edge_facts.read_only, edge_back.events.arg);
        break;
    case 7:
        edge_back.events.on_erased(EDGE_TEXT_USER, edge_back.events.arg);
        break;
    default:
        edge_drain(run.edge, on_drained, &run.drained);
        break;
    }
}

static void step(struct fuzz_in *in)
{
    uint8_t what = fuzz_u8(in);
    struct client *client = &run.clients[what >> 5 & 3];
    what &= 31;
    if (what < 14 && client->fd < 0)
        open_client(client, in);
    else if (what < 14)
        step_peer(client, what / 2, in);
    else if (what == 14 && client->fd >= 0)
        step_peer(client, 7, in);
    else
        step_server((what - 15u) / 2, in);
}

// ---- A run ----------------------------------------------------------------------------------------------------------

static void begin(uint8_t setup)
{
    static struct addr_list anybody;
    const char *which;
    FUZZ_CHECK(addr_list_parse(&anybody, "0.0.0.0/0", 9) == 0);
    mem_world_reset();
    json_object_seed(1); // of its hash tables
    edge_back_begin();
    metrics_init(&run.metrics);
    if ((setup & SETUP_FREE) != 0)
        edge_facts.config.cooldown_ms = 0;
    edge_facts.config_known = (setup & SETUP_UNKNOWN) == 0;
    edge_back.draws_max = (setup & SETUP_FREE) != 0 ? 256 : 4;
    bool rates = (setup & SETUP_RATES) != 0;
    const struct edge_options options = {.listen = "plain",
                                         .proxy_listen = "proxied",
                                         .proxy_networks = &anybody,
                                         .tls_before = (setup & SETUP_TLS_BEFORE) != 0,
                                         .https_redirect = (setup & SETUP_REDIRECT) != 0,
                                         .hsts_s = 100,
                                         .keys = edge_text_keys(),
                                         .files = edge_text_files(),
                                         .allowed_origins = "https://other.example",
                                         .public_origin = "",
                                         .message_rate = rates ? 5 : -1,
                                         .messages_per_address = -1,
                                         .connections_per_address = rates ? 2 : 0,
                                         .sessions_per_minute = 3,
                                         .lookups_per_second = rates ? 10 : 0,
                                         .session_life_s = 1000,
                                         .name_keep_ms = 1000,
                                         .max_connections = 3,
                                         .max_sockets = rates ? 3 : 100,
                                         .drain_spread_ms = 1000};
    run.edge = edge_new(fake_loop(), &run.metrics, &options);
    edge_attach(run.edge, &(struct edge_parts){0});
    edge_back.events = edge_cluster_events(run.edge);
    FUZZ_CHECK(edge_listen(run.edge, &which) == 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        run.clients[i].fd = -1;
    run.started = 0;
    run.drained = false;
    run.heap = fuzz_heap();
}

// Nobody reads any more: whoever has anything to read is gone in time, whoever asked for nothing as well.
static void let_time_pass(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (run.clients[i].fd >= 0)
            mem_sock_room(run.clients[i].fd, 0);
    for (unsigned i = 0; i < 12; i++) {
        struct fuzz_in nothing = {0};
        while (edge_back_answer(&nothing) || edge_back_verdict(&nothing))
            continue;
        mem_world_turn(10000000);
        look();
    }
    FUZZ_CHECK(run.edge->conns == NULL);
}

static void end(void)
{
    uint64_t disconnects = 0;
    edge_close(run.edge);
    fake_loop_turn(0);
    for (unsigned i = 0; i < CONN_REASON_COUNT; i++)
        disconnects += run.edge->stats.disconnects[i];
    FUZZ_CHECK(disconnects == run.edge->stats.accepted && run.edge->stats.accepted <= run.started);
    FUZZ_CHECK(run.edge->stats.clients == 0 && run.edge->stats.handshakes == 0 && run.edge->stats.body_bytes == 0);
    edge_back_end();
    FUZZ_CHECK(run.edge->stats.lookups_waiting == 0);
    edge_free(run.edge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    uint8_t setup = fuzz_u8(&in);
    begin(setup);
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++) {
        step(&in);
        look();
    }
    mem_world_turn(0);
    look();
    if ((setup & SETUP_LONG) != 0)
        let_time_pass();
    end();
    return 0;
}
