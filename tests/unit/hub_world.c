// The Redis, bus and worker of hub_world.h.

#include "hub_world.h"

#include <stdio.h>

#define ALLOC_FAIL_NEVER
#include "alloc_fail.h"
#include "check.h"
#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "common/core/replica.h"
#include "common/io/log.h"
#include "common/io/metrics.h"
#include "fake_loop.h"
#include "gateway/bus.h"
#include "gateway/store.h"
#include "gateway/worker.h"
#include "hub_world_clients.h"

#define ENTRIES_MAX 20000u
#define QUEUE_MAX 65536u

struct entry {
    uint64_t epoch;
    uint32_t first, count;
    uint8_t updates[WORLD_ENTRY_MAX * 3];
};

struct truth {
    uint64_t epoch; // of the owner
    struct position pos;
    uint8_t px[WORLD_TILE_LEN];
    struct entry **entries;
    unsigned count, begin; // entries before `begin` are trimmed
    uint64_t checksum_of_stored;
    uint32_t checksum_seq;
};

enum question_kind { ASK_SNAPSHOT, ASK_POSITION, ASK_LOG };

struct question {
    enum question_kind kind;
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

struct bus_item {
    enum { BUS_ITEM_UP, BUS_ITEM_OPEN, BUS_ITEM_MESSAGE } kind;
    unsigned tile;
    struct bus_message message;
    uint8_t updates[WORLD_ENTRY_MAX * 3];
};

static struct {
    uint64_t random;
    struct hub *hub;
    struct truth truths[WORLD_TILES];
    uint64_t epochs;
    bool corrupt_next;

    bool store_up;
    void (*on_state)(bool ready, void *arg);
    void *on_state_arg;
    struct question *questions[QUEUE_MAX];
    unsigned question_count, reads_peak;

    bool bus_reachable, bus_up;
    struct bus_events events;
    bool subscribed[WORLD_TILES];
    struct bus_item *items[QUEUE_MAX];
    unsigned item_count, drop_percent;

    struct worker_job *jobs[64];
    unsigned job_count;

    struct metrics_row rows[METRICS_ROWS_MAX];
    size_t row_count;
} world;

uint64_t world_random(uint64_t below)
{
    world.random += 0x9E3779B97F4A7C15u;
    return mix_final(world.random) % below;
}

struct hub *world_hub(void)
{
    return world.hub;
}

// ---- Truth ---------------------------------------------------------------------------------------------------------

struct tile world_tile(unsigned i)
{
    return (struct tile){(uint16_t)(i % WORLD_ACROSS), (uint16_t)(i / WORLD_ACROSS)};
}

unsigned world_tile_index(struct tile tile)
{
    return tile.ty * WORLD_ACROSS + tile.tx;
}

struct position world_position(unsigned tile)
{
    return world.truths[tile].pos;
}

const uint8_t *world_pixels(unsigned tile)
{
    return world.truths[tile].px;
}

static void apply(struct truth *truth, const struct entry *entry)
{
    for (uint32_t i = 0; i < entry->count; i++)
        truth->px[bytes_get_u16(entry->updates + 3 * i)] = entry->updates[3 * i + 2];
    truth->pos = (struct position){entry->epoch, entry->first + entry->count - 1};
}

static void publish(unsigned tile, const struct bus_message *message)
{
    if (!world.bus_up || !world.subscribed[tile] || world_random(100) < world.drop_percent)
        return;
    assert_true(world.item_count < QUEUE_MAX);
    struct bus_item *item = calloc(1, sizeof *item);
    item->kind = BUS_ITEM_MESSAGE;
    item->tile = tile;
    item->message = *message;
    if (message->type == BUS_UPDATE)
        memcpy(item->updates, message->updates, 3u * message->count);
    world.items[world.item_count++] = item;
}

void world_place(unsigned tile, unsigned count)
{
    struct truth *truth = &world.truths[tile];
    struct entry *entry = calloc(1, sizeof *entry);
    assert_true(count >= 1 && count <= WORLD_ENTRY_MAX && truth->count < ENTRIES_MAX);
    if (truth->epoch == 0)
        world_take(tile);
    *entry = (struct entry){.epoch = truth->epoch, .first = truth->pos.seq + 1, .count = count};
    for (unsigned i = 0; i < count; i++) {
        bytes_set_u16(entry->updates + 3 * i, (uint16_t)world_random(WORLD_TILE_LEN));
        entry->updates[3 * i + 2] = (uint8_t)world_random(32);
    }
    const struct bus_message message = {
        .type = BUS_UPDATE,
        .previous_epoch = truth->pos.epoch,
        .epoch = entry->epoch,
        .first = entry->first,
        .count = count,
        .updates = entry->updates,
    };
    truth->entries[truth->count++] = entry;
    apply(truth, entry);
    publish(tile, &message);
}

void world_take(unsigned tile)
{
    world.truths[tile].epoch = ++world.epochs;
}

void world_beat(unsigned tile)
{
    struct truth *truth = &world.truths[tile];
    truth->checksum_seq = truth->pos.seq;
    truth->checksum_of_stored = mix_tile_checksum(truth->px, WORLD_TILE_LEN);
    const struct bus_message message = {
        .type = BUS_POSITION,
        .epoch = truth->pos.epoch,
        .seq = truth->pos.seq,
        .checksum = truth->checksum_of_stored,
    };
    publish(tile, &message);
}

void world_trim(unsigned tile, unsigned keep)
{
    struct truth *truth = &world.truths[tile];
    if (truth->count > keep && truth->begin < truth->count - keep)
        truth->begin = truth->count - keep;
}

void world_crash(unsigned tile, unsigned lost)
{
    struct truth *truth = &world.truths[tile];
    while (lost-- > 0 && truth->count > truth->begin)
        free(truth->entries[--truth->count]);
    memset(truth->px, 0, sizeof truth->px);
    truth->pos = (struct position){0, 0};
    for (unsigned i = 0; i < truth->count; i++)
        apply(truth, truth->entries[i]);
    if (truth->checksum_seq > truth->pos.seq)
        truth->checksum_seq = 0;
    for (unsigned i = 0; i < WORLD_TILES; i++)
        world_take(i);
    world_bus(false);
    world_store(false);
}

void world_corrupt_next(void)
{
    world.corrupt_next = true;
}

// ---- The store -----------------------------------------------------------------------------------------------------

bool store_ready(const struct store *store)
{
    (void)store;
    return world.store_up;
}

int store_on_state(struct store *store, void (*cb)(bool ready, void *arg), void *arg)
{
    (void)store;
    world.on_state = cb;
    world.on_state_arg = arg;
    return 0;
}

void store_abandon(struct store *store, const void *arg)
{
    (void)store;
    for (unsigned i = 0; i < world.question_count; i++) {
        if (world.questions[i]->arg == arg)
            world.questions[i]->arg = NULL;
    }
    if (world.on_state_arg == arg)
        world.on_state = NULL;
}

static void deliver_answer(struct question *question, int err)
{
    if (question->arg != NULL && question->kind == ASK_SNAPSHOT) {
        const struct store_snapshot snapshot = {question->pos, question->px, WORLD_TILE_LEN};
        ((store_snapshot_cb)question->cb)(err, err == 0 ? &snapshot : NULL, question->arg);
    } else if (question->arg != NULL && question->kind == ASK_POSITION) {
        struct truth *truth = &world.truths[question->tile];
        const struct store_position position = {
            .pos = question->pos,
            .has_checksum = truth->checksum_seq == question->pos.seq && truth->pos.seq == question->pos.seq,
            .checksum_seq = truth->checksum_seq,
            .checksum = truth->checksum_of_stored,
        };
        ((store_position_cb)question->cb)(err, err == 0 ? &position : NULL, question->arg);
    } else if (question->arg != NULL) {
        ((store_log_cb)question->cb)(err, question->entries, question->count, question->arg);
    }
    for (size_t i = 0; i < question->count; i++)
        free((void *)(uintptr_t)question->entries[i].updates);
    free(question->entries);
    free(question);
}

static struct question *take_question(void)
{
    struct question *question = world.questions[0];
    world.question_count--;
    memmove(world.questions, world.questions + 1, world.question_count * sizeof world.questions[0]);
    return question;
}

static void ask(enum question_kind kind, struct tile tile, uint32_t from, uint32_t max, void (*cb)(void), void *arg)
{
    struct question *question = calloc(1, sizeof *question);
    *question =
        (struct question){.kind = kind, .tile = world_tile_index(tile), .from = from, .max = max, .cb = cb, .arg = arg};
    if (!world.store_up) {
        deliver_answer(question, ERR_CLOSED);
        return;
    }
    assert_true(world.question_count < QUEUE_MAX);
    world.questions[world.question_count++] = question;
    if (world.question_count > world.reads_peak)
        world.reads_peak = world.question_count;
}

void store_snapshot(struct store *store, struct tile tile, store_snapshot_cb cb, void *arg)
{
    (void)store;
    ask(ASK_SNAPSHOT, tile, 0, 0, (void (*)(void))cb, arg);
}

void store_position(struct store *store, struct tile tile, store_position_cb cb, void *arg)
{
    (void)store;
    ask(ASK_POSITION, tile, 0, 0, (void (*)(void))cb, arg);
}

void store_log(struct store *store, struct tile tile, uint32_t from, uint32_t max, store_log_cb cb, void *arg)
{
    (void)store;
    ask(ASK_LOG, tile, from, max, (void (*)(void))cb, arg);
}

static void read_log(struct question *question, const struct truth *truth)
{
    question->entries = calloc(question->max, sizeof question->entries[0]);
    for (unsigned i = truth->begin; i < truth->count && question->count < question->max; i++) {
        const struct entry *entry = truth->entries[i];
        if (entry->first + entry->count - 1 < question->from)
            continue;
        uint8_t *updates = malloc(3u * entry->count);
        memcpy(updates, entry->updates, 3u * entry->count);
        question->entries[question->count++] = (struct store_entry){entry->epoch, entry->first, entry->count, updates};
    }
}

bool world_serve(void)
{
    for (unsigned i = 0; i < world.question_count; i++) {
        struct question *question = world.questions[i];
        if (question->served)
            continue;
        const struct truth *truth = &world.truths[question->tile];
        question->served = true;
        question->pos = truth->pos;
        memcpy(question->px, truth->px, sizeof question->px);
        if (question->kind == ASK_LOG)
            read_log(question, truth);
        if (question->kind == ASK_SNAPSHOT && world.corrupt_next) {
            question->px[world_random(WORLD_TILE_LEN)] ^= 1;
            world.corrupt_next = false;
        }
        return true;
    }
    return false;
}

bool world_answer(void)
{
    if (world.question_count == 0 || !world.questions[0]->served)
        return false;
    deliver_answer(take_question(), 0);
    return true;
}

void world_store(bool up)
{
    if (world.store_up == up)
        return;
    world.store_up = up;
    while (!up && world.question_count > 0)
        deliver_answer(take_question(), ERR_CLOSED);
    if (world.on_state != NULL)
        world.on_state(up, world.on_state_arg);
}

unsigned world_reads_peak(void)
{
    return world.reads_peak;
}

// ---- The bus -------------------------------------------------------------------------------------------------------

struct bus *bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events)
{
    (void)loop;
    (void)options;
    world.events = *events;
    return (struct bus *)&world;
}

static void drop_items(void)
{
    while (world.item_count > 0)
        free(world.items[--world.item_count]);
}

void bus_free(struct bus *bus)
{
    (void)bus;
    drop_items();
}

bool bus_is_up(const struct bus *bus)
{
    (void)bus;
    return world.bus_up;
}

const struct bus_stats *bus_stats(const struct bus *bus)
{
    static const struct bus_stats stats;
    (void)bus;
    return &stats;
}

static unsigned confirmations(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world.item_count; i++)
        count += world.items[i]->kind == BUS_ITEM_OPEN;
    return count;
}

// Only few at once, so that the queue for them is used.
int bus_subscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    if (!world.bus_up)
        return ERR_CLOSED;
    if (confirmations() >= 2)
        return ERR_FULL;
    struct bus_item *item = calloc(1, sizeof *item);
    item->kind = BUS_ITEM_OPEN;
    item->tile = world_tile_index(tile);
    world.items[world.item_count++] = item;
    assert_false(world.subscribed[item->tile]);
    world.subscribed[item->tile] = true;
    return 0;
}

void bus_unsubscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    assert_true(world.subscribed[world_tile_index(tile)]);
    world.subscribed[world_tile_index(tile)] = false;
}

unsigned world_subscriptions(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WORLD_TILES; i++)
        count += world.subscribed[i];
    return count;
}

void world_bus(bool up)
{
    if (world.bus_reachable == up)
        return;
    world.bus_reachable = up;
    if (up) {
        struct bus_item *item = calloc(1, sizeof *item);
        item->kind = BUS_ITEM_UP;
        world.items[world.item_count++] = item;
        return;
    }
    drop_items();
    memset(world.subscribed, 0, sizeof world.subscribed);
    if (world.bus_up) {
        world.bus_up = false;
        world.events.on_down(world.events.arg);
    }
}

void world_drop_bus(unsigned percent)
{
    world.drop_percent = percent;
}

bool world_deliver(void)
{
    if (world.item_count == 0)
        return false;
    struct bus_item *item = world.items[0];
    world.item_count--;
    memmove(world.items, world.items + 1, world.item_count * sizeof world.items[0]);
    item->message.updates = item->updates;
    switch (item->kind) {
    case BUS_ITEM_UP:
        world.bus_up = true;
        world.events.on_up(world.events.arg);
        break;
    case BUS_ITEM_OPEN:
        world.events.on_open(world_tile(item->tile), world.events.arg);
        break;
    case BUS_ITEM_MESSAGE:
        world.events.on_message(world_tile(item->tile), &item->message, world.events.arg);
        break;
    }
    free(item);
    return true;
}

// ---- The worker ----------------------------------------------------------------------------------------------------

int worker_submit(struct worker *worker, struct worker_job *job)
{
    (void)worker;
    if (world.job_count == 2)
        return ERR_FULL;
    world.jobs[world.job_count++] = job;
    return 0;
}

bool world_work(void)
{
    if (world.job_count == 0)
        return false;
    struct worker_job *job = world.jobs[0];
    world.job_count--;
    memmove(world.jobs, world.jobs + 1, world.job_count * sizeof world.jobs[0]);
    job->run(job);
    job->done(job);
    return true;
}

// ---- The rest ------------------------------------------------------------------------------------------------------

bool log_enabled(enum log_level level)
{
    (void)level;
    return false;
}

void log_write(struct log_site *site, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count)
{
    (void)site;
    (void)level;
    (void)msg;
    (void)fields;
    (void)count;
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    (void)metrics;
    memcpy(world.rows + world.row_count, rows, count * sizeof *rows);
    world.row_count += count;
    return 0;
}

uint64_t world_metric(const char *name, const char *labels)
{
    for (size_t i = 0; i < world.row_count; i++) {
        const struct metrics_row *row = &world.rows[i];
        if (strcmp(row->name, name) != 0 || (labels != NULL && strcmp(row->labels, labels) != 0))
            continue;
        if (row->read != NULL)
            return (uint64_t)row->read(row->arg);
        return row->type == METRICS_HIST ? ((const struct hist *)row->value)->count : *(const uint64_t *)row->value;
    }
    fail_msg("no metric %s", name);
    return 0;
}

void world_begin(uint64_t seed, const struct hub_options *options)
{
    const struct canvas_config config = {
        .version = 1,
        .geom = {WORLD_ACROSS * WORLD_EDGE, WORLD_TILES / WORLD_ACROSS * WORLD_EDGE, WORLD_EDGE},
    };
    memset(&world, 0, sizeof world);
    world.random = seed;
    fake_loop_reset();
    for (unsigned i = 0; i < WORLD_TILES; i++)
        world.truths[i].entries = calloc(ENTRIES_MAX, sizeof(struct entry *));
    world.hub = hub_new(fake_loop(), NULL, (struct store *)&world, NULL, options);
    assert_non_null(world.hub);
    hub_configure(world.hub, &config);
    world_clients_begin();
}

void world_end(void)
{
    world_clients_end();
    while (world_work())
        ;
    hub_free(world.hub);
    while (world.question_count > 0) {
        assert_null(world.questions[0]->arg);
        world.questions[0]->served = true;
        world_answer();
    }
    for (unsigned i = 0; i < WORLD_TILES; i++) {
        while (world.truths[i].count > 0)
            free(world.truths[i].entries[--world.truths[i].count]);
        free(world.truths[i].entries);
    }
}

void world_turn(int64_t us)
{
    fake_loop_turn(us);
}

void world_settle(void)
{
    alloc_fail_one_in(0, 0);
    world_drop_bus(0);
    world_bus(true);
    world_store(true);
    for (unsigned turn = 0; turn < 4000; turn++) {
        bool busy = false;
        for (unsigned i = 0; i < 64; i++)
            busy = world_deliver() || world_serve() || world_answer() || world_work() || busy;
        for (unsigned i = 0; i < WORLD_CLIENTS; i++)
            world_read(i, SIZE_MAX);
        // Long enough for a poll of every tile.
        world_turn(busy ? 1000 : 10000);
    }
}
