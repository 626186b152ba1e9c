#include "tests/fuzz/edge_back.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/edge_internal.h"
#include "gateway/watch_list.h"
#include "proto/verdict.h"
#include "tests/fuzz/edge_back_impl.h"

#define CLIENTS_MAX 16
#define DRAWS_MAX 4096

struct edge_back edge_back;

static struct {
    struct hub_client *clients[CLIENTS_MAX]; // joined
    struct {
        struct cluster_client *client;
        struct ws_draw draw;
    } draws[DRAWS_MAX];
    unsigned draw_count;
} back;

// ---- Hub ------------------------------------------------------------------------------------------------------------

static int read_watch(struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    struct watch_list watch;
    int err = watch_list_read(&watch, &edge_facts.config.geom, entries, count);
    client->asked = err == 0 ? watch.count : 0;
    return err == 0 && count == 200 ? ERR_FULL : err;
}

static unsigned number_of(const struct hub_client *client)
{
    unsigned i = 0;
    while (i < CLIENTS_MAX && back.clients[i] != client)
        i++;
    return i;
}

int hub_join(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    FUZZ_CHECK(number_of(client) == CLIENTS_MAX); // HELLO comes once
    unsigned free_place = number_of(NULL);
    FUZZ_CHECK(free_place < CLIENTS_MAX);
    back.clients[free_place] = client;
    return read_watch(client, entries, count);
}

int hub_watch(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    FUZZ_CHECK(number_of(client) < CLIENTS_MAX);
    return read_watch(client, entries, count);
}

int hub_keep(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    return hub_watch(hub, client, entries, count);
}

int hub_resume(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    return hub_watch(hub, client, entries, count);
}

void hub_leave(struct hub *hub, struct hub_client *client)
{
    (void)hub;
    unsigned number = number_of(client);
    if (number < CLIENTS_MAX)
        back.clients[number] = NULL;
}

void hub_writable(struct hub *hub, struct hub_client *client)
{
    (void)hub;
    FUZZ_CHECK(number_of(client) < CLIENTS_MAX);
    if (edge_back.next == NULL)
        return;
    if (ws_conn_write_shared(client->conn, edge_back.next, 0) == WS_WRITE_TAKEN) {
        shared_buf_unref(edge_back.next);
        edge_back.next = NULL;
    }
}

struct shared_buf *edge_back_frame(unsigned count)
{
    uint8_t payload_head[WS_TILE_HEAD_LEN + 8], head[10];
    const struct ws_tile tile = {.count = (uint16_t)count, .first = 1, .epoch = 7, .previous_epoch = 7};
    size_t payload_head_len = ws_encode_tile_head(payload_head, &tile);
    size_t len = payload_head_len + (size_t)count * WS_UPDATE_LEN;
    size_t head_len = ws_frame_head(head, len);
    struct shared_buf *frame = shared_buf_new(head_len + len);
    if (frame == NULL)
        abort();
    memcpy(frame->bytes, head, head_len);
    memcpy(frame->bytes + head_len, payload_head, payload_head_len);
    memset(frame->bytes + head_len + payload_head_len, 1, (size_t)count * WS_UPDATE_LEN);
    return frame;
}

void edge_back_send(unsigned number, struct shared_buf *frame)
{
    struct hub_client *client = back.clients[number % CLIENTS_MAX];
    if (client != NULL)
        (void)ws_conn_write_shared(client->conn, frame, 0);
}

// ---- Cluster --------------------------------------------------------------------------------------------------------

void cluster_draw(struct cluster *cluster, struct cluster_client *client, const struct ws_draw *draw, uint64_t user,
                  uint8_t kind, uint64_t connection, const struct addr *address)
{
    (void)cluster;
    (void)kind;
    (void)address;
    unsigned in_flight = 1;
    for (unsigned i = 0; i < back.draw_count; i++)
        in_flight += back.draws[i].client == client;
    FUZZ_CHECK(user != 0 && connection != 0 && draw->nonce != 0);
    FUZZ_CHECK(in_flight <= edge_back.draws_max && back.draw_count < DRAWS_MAX);
    back.draws[back.draw_count].client = client;
    back.draws[back.draw_count++].draw = *draw;
}

bool edge_back_verdict(struct fuzz_in *in)
{
    if (back.draw_count == 0)
        return false;
    unsigned i = fuzz_below(in, back.draw_count);
    struct cluster_client *client = back.draws[i].client;
    const struct ws_draw draw = back.draws[i].draw;
    const struct ws_verdict verdict = {.code = fuzz_u8(in) % VERDICT_COUNT,
                                       .x = draw.x,
                                       .y = draw.y,
                                       .nonce = draw.nonce,
                                       .next_nonce = draw.nonce + 1};
    back.draws[i] = back.draws[--back.draw_count];
    edge_back.events.on_verdict(client, &verdict, edge_back.events.arg);
    return true;
}

void cluster_forget(struct cluster *cluster, struct cluster_client *client)
{
    (void)cluster;
    for (unsigned i = 0; i < back.draw_count; i++)
        if (back.draws[i].client == client)
            back.draws[i--] = back.draws[--back.draw_count];
}

// ---- Time, which starts when the session of edge_text.h was issued --------------------------------------------------

int64_t loop_wall_ms(struct loop *loop)
{
    return loop_now(loop).us / 1000;
}

uint32_t loop_wall_s(struct loop *loop)
{
    return (uint32_t)(loop_wall_ms(loop) / 1000);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

void edge_back_begin(void)
{
    memset(&edge_back, 0, sizeof edge_back);
    edge_facts = (struct edge_facts){0};
    memset(&back, 0, sizeof back);
    edge_facts.config = (struct canvas_config){
        .version = 3, .geom = {1000, 700, 64}, .cooldown_ms = 5000, .palette = *palette_default()};
    edge_facts.config_known = true;
}

size_t edge_back_bytes(void)
{
    return edge_back_question_bytes() + (edge_back.next != NULL ? edge_back.next->len + 64 : 0);
}

void edge_back_end(void)
{
    edge_back_questions_end();
    shared_buf_unref(edge_back.next);
    edge_back.next = NULL;
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        FUZZ_CHECK(back.clients[i] == NULL);
    FUZZ_CHECK(back.draw_count == 0);
}
