// The inside of the edge, for its own files only.
#pragma once

#include "gateway/conn.h"
#include "gateway/edge.h"
#include "gateway/gzip.h"
#include "gateway/limits.h"

#define EDGE_READ_SIZE 16384u
#define EDGE_BODY_BYTES_MAX (256 << 20) // of bodies that HTTP clients are being sent; the whole canvas is 16 MiB
#define EDGE_PIXELS_PER_SECOND 500u     // over all addresses; long histories count more
#define EDGE_LOOKUPS_WAITING_MAX 256
#define EDGE_ACCEPTS_PER_TURN 64u
#define EDGE_TLS_ACCEPTS_PER_TURN 16u // a handshake costs 50 times as much as an accept

#define EDGE_RESPONSE_CLASSES 4u // 2xx … 5xx

struct listener {
    struct edge *edge;
    int fd; // -1 = none
    bool proxied;
    struct event event;
    struct loop_timer rest; // after the process ran out of descriptors
    bool starved;           // so it was at the last try; said once
};

struct edge_stats {
    uint64_t accepted;
    uint64_t requests;
    uint64_t responses[EDGE_RESPONSE_CLASSES];
    uint64_t http_bytes; // sent to HTTP clients
    struct hist request_us;
    uint64_t upgrades;
    uint64_t disconnects[CONN_REASON_COUNT];
    uint64_t messages;
    uint64_t pauses, turns;
    uint64_t handshakes_full, handshakes_resumed;
    struct hist handshake_us;
    int64_t handshakes; // connections in CONN_TLS
    uint64_t sessions_issued, sessions_renewed, sessions_refused;
    uint64_t lookups, lookups_refused;
    int64_t lookups_waiting;
    int64_t sockets;
    int64_t clients;    // WebSockets
    int64_t body_bytes; // of HTTP bodies on their way, each counted once
};

// A message for all clients, sent in slices.
struct broadcast {
    bool running;
    uint32_t at; // next place of the array
};

// The page around the tags of a link (page.c), packed at its first use.
struct edge_page {
    struct gzip_part before, behind;
};

// GET /api/v1/heat: one answer for all who ask within some seconds.
struct edge_heat {
    struct shared_buf *json; // NULL: none yet
    struct monotime made;
};

struct edge {
    struct loop *loop;
    struct edge_options options;
    struct edge_parts parts;
    struct limits *limits;
    struct limits_shared *thirsty; // addresses where somebody waits for tiles, utlist
    struct bucket pixels;          // of all addresses
    struct edge_heat heat;
    struct edge_page page;
    struct listener listeners[2]; // plain, proxied
    struct deadlines lists[CONN_LISTS];
    struct loop_timer tick;
    struct ws_recv_pool recv_pool;
    struct outbox_pool outbox_pool;
    struct edge_stats stats;
    struct conn *conns; // all, utlist
    int64_t body_bytes_max;
    int64_t handshakes_max, sockets_max, clients_max; // gauges
    uint64_t next_id;                                 // of a connection; the first is random
    char hsts[64];                                    // a header's line, or empty

    // WebSockets in the order of acceptance, with holes (NULL) that are closed now and then.
    struct conn **clients;
    uint64_t *users; // of each of them
    uint32_t places, capacity, holes;

    // What all clients are told (edge_broadcast.c).
    struct shared_buf *status;
    struct broadcast status_round, config_round, drain_round;
    uint32_t status_online;
    uint8_t status_flags;
    uint8_t status_number; // of `status`; 0 at first, when there is none
    bool status_stale;     // it changed since the last round began
    bool status_waits;     // the round has not begun: it goes along with other frames
    struct monotime status_last;
    struct canvas_config config;                  // as it was told last; version 0: never
    uint32_t config_number;                       // counts them
    uint32_t palette_number, announcement_number; // of the configuration that changed these last
    struct loop_timer slice;                      // the next slice of whatever is running

    bool draining;
    bool leaving; // clients are not told to move any more, but closed
    struct monotime drain_began;
    uint32_t drain_grace_ms; // for which the ports stay open
    void (*on_drained)(void *arg);
    void *on_drained_arg;

    char reason_labels[CONN_REASON_COUNT][32];
    uint8_t input[EDGE_READ_SIZE]; // where reads land
};

// Array of clients (edge_clients.c).
MUST_CHECK int edge_add_client(struct edge *edge, struct conn *conn, uint64_t user);
void edge_remove_client(struct edge *edge, struct conn *conn);
void edge_on_erased(uint64_t user, void *arg);

// api_heat.c
void api_heat_fini(struct edge *edge);

// page.c
void page_fini(struct edge *edge);

// edge_listen.c
void edge_stop_listening(struct edge *edge);

// edge_broadcast.c
void edge_broadcast_init(struct edge *edge);
void edge_broadcast_fini(struct edge *edge);
void edge_broadcast_tick(struct edge *edge);
void edge_round_begin(struct edge *edge, struct broadcast *round);
void edge_on_config(const struct canvas_config *config, void *arg);
void edge_on_status(uint32_t online, bool read_only, void *arg);
// Puts STATUS into the outbox of a client that is about to be written to.
void edge_status_along(struct conn *conn);

// edge_metrics.c
// As metrics_add.
MUST_CHECK int edge_add_metrics(struct edge *edge, struct metrics *metrics);

// edge_drain.c
void edge_drain_tick(struct edge *edge);
void edge_drain_tell(struct edge *edge, struct conn *conn);
void edge_conn_gone(struct edge *edge);

// ws_tiles.c: those whose turn has come get their tiles.
void ws_tiles_tick(struct edge *edge);

// ws_input.c
void edge_on_verdict(struct cluster_client *client, const struct ws_verdict *verdict, void *arg);

// ws_conn.c: as ws_conn_write_shared, for the edge's own frames: a full socket is not remembered for the hub.
enum ws_write edge_write_shared(struct conn *conn, struct shared_buf *buf, size_t from);
void edge_send_pong(struct conn *conn, const uint8_t *payload, size_t len);
void edge_close_ws(struct conn *conn, uint16_t code, enum conn_reason reason);

// Draws one client may have in flight, messages it may send a second: both depend on the cooldown.
uint32_t edge_in_flight_max(const struct edge *edge);
uint32_t edge_message_rate(const struct edge *edge);
uint32_t edge_messages_per_address(const struct edge *edge);
