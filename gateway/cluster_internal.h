// What the files of cluster share. Not for others.
#pragma once

#include "common/core/hist.h"
#include "gateway/cluster.h"
#include "gateway/route.h"
#include "gateway/shard_link.h"
#include "proto/verdict.h"

struct cluster_slot {
    struct cluster *cluster;
    uint16_t number;
    struct shard_link *link; // NULL when the slot is free, or could not be opened yet
    const char *address;     // the route's; NULL when the slot is free
};

struct cluster_counts {
    uint64_t draws; // taken in, refusals of our own included
    uint64_t forwards;
    uint64_t view_reads;
    uint64_t verdicts[VERDICT_COUNT];
    char labels[VERDICT_COUNT][32]; // for the metrics
    struct hist latency_us;         // from a draw to its verdict
};

struct cluster {
    struct loop *loop;
    struct store *store;
    const uint8_t *secret;
    size_t secret_len;
    struct canvas_config flags;
    unsigned flags_given;
    struct cluster_events events;
    uint64_t id;

    struct canvas_config config; // version 0: not known yet
    bool reading_config, config_wanted;
    bool reading_view, view_wanted;

    uint32_t connections; // of this gateway
    uint32_t online;      // of all
    bool pressure;
    bool beating;
    uint32_t told_online;
    bool told_read_only;
    bool another_canvas; // is in Redis: its tiles have another edge

    struct route *route;
    struct cluster_slot slots[ROUTE_LINKS_MAX];
    uint32_t links_up;
    bool pumping;
    struct monotime wake_at;
    struct loop_timer wake, beat, retry;
    struct loop_deferred flush;
    struct cluster_counts counts;
};

// Does what route asks for. After everything that changes it.
void cluster_pump(struct cluster *cluster);

// ---- cluster_state.c -----------------------------------------------------------------------------------------------

// Reads; once more afterwards when that is under way already.
void cluster_read_config(struct cluster *cluster);
void cluster_read_view(struct cluster *cluster);
// Tries again what failed, in half a second.
void cluster_retry_later(struct cluster *cluster);
void cluster_on_retry(void *arg);
void cluster_on_beat(void *arg);
void cluster_on_store(bool ready, void *arg);

// ---- cluster_links.c -----------------------------------------------------------------------------------------------

// Opens and closes links as route says.
void cluster_follow_links(struct cluster *cluster);
// Opens those that could not be opened.
void cluster_retry_links(struct cluster *cluster);

// ---- cluster_metrics.c ---------------------------------------------------------------------------------------------

MUST_CHECK int cluster_add_metrics(struct cluster *cluster, struct metrics *metrics);
