// What the parts of hub_world.h share.
#pragma once

#include "common/core/geom.h"
#include "common/io/metrics.h"
#include "gateway/bus.h"
#include "gateway/store.h"
#include "gateway/worker.h"
#include "hub_world.h"

#define WORLD_ENTRIES_MAX 20000u
#define WORLD_QUEUE_MAX 65536u

struct world_entry {
    uint64_t epoch;
    uint32_t first, count;
    uint8_t updates[WORLD_ENTRY_MAX * 3];
};

struct world_truth {
    uint64_t epoch; // of the owner
    struct position pos;
    uint8_t px[WORLD_TILE_LEN];
    struct world_entry **entries;
    unsigned count, begin; // entries before `begin` are trimmed
    uint64_t checksum_of_stored;
    uint32_t checksum_seq;
};

enum world_ask { ASK_SNAPSHOT, ASK_POSITION, ASK_LOG };

struct world_question {
    enum world_ask kind;
    unsigned tile;
    uint32_t from, max;
    void (*cb)(void);
    void *arg; // NULL: given up
    bool served;
    struct position pos;
    uint8_t px[WORLD_TILE_LEN];
    uint64_t checksum;
    struct store_entry *entries;
    size_t count;
};

struct world_item {
    enum { ITEM_UP, ITEM_OPEN, ITEM_MESSAGE } kind;
    unsigned tile;
    struct bus_message message;
    uint8_t updates[WORLD_ENTRY_MAX * 3];
};

struct world {
    uint64_t random;
    struct hub *hub;
    struct world_truth truths[WORLD_TILES];
    uint64_t epochs;
    bool corrupt_next;

    bool store_up;
    void (*on_state)(bool ready, void *arg);
    void *on_state_arg;
    struct world_question *questions[WORLD_QUEUE_MAX];
    unsigned question_count, reads_peak;

    bool bus_reachable, bus_up;
    struct bus_events events;
    bool subscribed[WORLD_TILES];
    struct world_item *items[WORLD_QUEUE_MAX];
    unsigned item_count, drop_percent;

    struct worker_job *jobs[64];
    unsigned job_count;

    struct metrics_row rows[METRICS_ROWS_MAX];
    size_t row_count;
};

extern struct world world;

unsigned world_tile_index(struct tile tile);
// On the bus, when the tile is subscribed and nothing is dropped.
void world_publish(unsigned tile, const struct bus_message *message);

void world_clients_begin(void);
void world_clients_end(void);
