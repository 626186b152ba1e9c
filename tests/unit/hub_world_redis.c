// The Redis of hub_world.h: what is stored, and who asks for it.
#include "hub_world_impl.h"

#define ALLOC_FAIL_NEVER
#include "alloc_fail.h"
#include "check.h"
#include "common/core/bytes.h"
#include "common/core/mix.h"

// ---- What is stored -------------------------------------------------------------------------------------------------

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

static void apply(struct world_truth *truth, const struct world_entry *entry)
{
    for (uint32_t i = 0; i < entry->count; i++)
        truth->px[bytes_get_u16(entry->updates + 3 * i)] = entry->updates[3 * i + 2];
    truth->pos = (struct position){entry->epoch, entry->first + entry->count - 1};
}

void world_place(unsigned tile, unsigned count)
{
    struct world_truth *truth = &world.truths[tile];
    struct world_entry *entry = calloc(1, sizeof *entry);
    assert_true(count >= 1 && count <= WORLD_ENTRY_MAX && truth->count < WORLD_ENTRIES_MAX);
    if (truth->epoch == 0)
        world_take(tile);
    *entry = (struct world_entry){.epoch = truth->epoch, .first = truth->pos.seq + 1, .count = count};
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
    world_publish(tile, &message);
}

void world_take(unsigned tile)
{
    world.truths[tile].epoch = ++world.epochs;
}

void world_beat(unsigned tile)
{
    struct world_truth *truth = &world.truths[tile];
    truth->checksum_seq = truth->pos.seq;
    truth->checksum_of_stored = mix_tile_checksum(truth->px, WORLD_TILE_LEN);
    const struct bus_message message = {
        .type = BUS_POSITION,
        .epoch = truth->pos.epoch,
        .seq = truth->pos.seq,
        .checksum = truth->checksum_of_stored,
    };
    world_publish(tile, &message);
}

void world_trim(unsigned tile, unsigned keep)
{
    struct world_truth *truth = &world.truths[tile];
    if (truth->count > keep && truth->begin < truth->count - keep)
        truth->begin = truth->count - keep;
}

void world_crash(unsigned tile, unsigned lost)
{
    struct world_truth *truth = &world.truths[tile];
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

// ---- The store ------------------------------------------------------------------------------------------------------

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

static void deliver_answer(struct world_question *question, int err)
{
    if (question->arg != NULL && question->kind == ASK_SNAPSHOT) {
        const struct store_snapshot snapshot = {question->pos, question->px, WORLD_TILE_LEN};
        ((store_snapshot_cb)question->cb)(err, err == 0 ? &snapshot : NULL, question->arg);
    } else if (question->arg != NULL && question->kind == ASK_POSITION) {
        struct world_truth *truth = &world.truths[question->tile];
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

static struct world_question *take_question(void)
{
    struct world_question *question = world.questions[0];
    world.question_count--;
    memmove(world.questions, world.questions + 1, world.question_count * sizeof world.questions[0]);
    return question;
}

static void ask(enum world_ask kind, struct tile tile, uint32_t from, uint32_t max, void (*cb)(void), void *arg)
{
    struct world_question *question = calloc(1, sizeof *question);
    *question = (struct world_question){
        .kind = kind, .tile = world_tile_index(tile), .from = from, .max = max, .cb = cb, .arg = arg};
    if (!world.store_up) {
        deliver_answer(question, ERR_CLOSED);
        return;
    }
    assert_true(world.question_count < WORLD_QUEUE_MAX);
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

static void read_log(struct world_question *question, const struct world_truth *truth)
{
    question->entries = calloc(question->max, sizeof question->entries[0]);
    for (unsigned i = truth->begin; i < truth->count && question->count < question->max; i++) {
        const struct world_entry *entry = truth->entries[i];
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
        struct world_question *question = world.questions[i];
        if (question->served)
            continue;
        const struct world_truth *truth = &world.truths[question->tile];
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
