// The parts behind the edge, for tests of the edge alone: they note what they are asked, and answer as told, or say
// what is in edge_facts. And an edge in front of them, whose clients are at the far ends of socket pairs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gateway/edge.h"
#include "tests/unit/edge_facts.h"

#define EDGE_FAKES_USER UINT64_C(0xabcdef)

struct edge_fakes {
    struct loop *loop;
    struct metrics metrics;
    struct token_keys keys;
    struct edge *edge;
    char token[TOKEN_TEXT_SIZE]; // of EDGE_FAKES_USER, a guest

    unsigned joins, keeps, watches, resumes, leaves, forgets, writables, draws;
    int join_result, keep_result;
    uint16_t watched; // tiles of the last HELLO or WATCH that was granted
    uint16_t kept;    // so many of a WATCH are watched already, as it is asked when it has to wait
    struct hub_client *last_watcher;
    struct ws_conn *last_joined;
    struct ws_draw last_draw;
    struct cluster_client *last_drawer;
    bool answer_at_once; // draws are PLACED within cluster_draw

    store_user_cb user_cb; // waits for edge_fakes_answer_user
    void *user_arg;
    bool user_at_once, user_erased;

    // Of /api/v1: the last question of each kind.
    void *arg;
    unsigned pixels, heats, renames;
    struct store_pixel_asked pixel_asked;
    uint64_t names_asked[STORE_NAMES_MAX];
    size_t names_count;
    char renamed[2 * NAME_SIZE]; // "old>new"
    uint64_t erased;
    store_pixel_cb pixel_cb;
    store_names_cb names_cb;
    store_rename_cb rename_cb;
    store_erase_cb erase_cb;
    store_heat_cb heat_cb;

    struct cluster_events events;
};

extern struct edge_fakes edge_fakes;

// A fresh edge over fakes that know nothing yet, not even a canvas. What `options` leaves out is as small as it can be:
// no port, nobody's PROXY header, no files, no origins; the keys are always those above.
struct edge *edge_fakes_begin(const struct edge_options *options);
// Every connection ends, and nothing may be left of them.
void edge_fakes_end(void);
void edge_fakes_turn(unsigned turns);
// A client of loopback, over a socket pair of this type; `far` is its side.
struct conn *edge_fakes_connect(int type, int *far);
// The client's request for a WebSocket, with the token.
void edge_fakes_upgrade(char *text, size_t size);
// The client goes, if it is there. Its side becomes -1.
void edge_fakes_hang_up(int *far);

void edge_fakes_answer_user(int err, uint32_t last_nonce, uint64_t landed_ms, uint64_t now_ms);
void edge_fakes_answer_draw(struct cluster_client *client, uint32_t nonce);
