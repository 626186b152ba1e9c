// Two places over one Redis in memory, and a gateway that keeps the order as PROTOCOL.md asks, with everything that
// can happen between them in a random order: views that change, connections that break before or after a script ran,
// scripts of old connections that arrive late, links that break with messages under way. At the end every draw has been
// placed once, in the order of its tile.
//
// A failing seed is printed; PLACE_SEED=<seed> runs that one only.

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/core/mix.h"
#include "common/core/palette.h"
#include "fake_redis.h"

#define PLACES 2u
#define TILES 4u
#define DRAWS 400u
#define CONNECTIONS 3u
#define QUEUE 256u
#define SEEDS 400u
#define STEPS 3000u

static const char *const addresses[PLACES] = {"10.0.0.1:1", "10.0.0.2:1"};

enum fate { WAITING, FLYING, ANSWERED };

struct drawn {
    struct link_draw asked;
    unsigned tile, place;
    enum fate fate;
    uint32_t id; // on its link
};

// Something on its way to Redis.
struct command {
    enum { TAKE, BATCH, VIEW } kind;
    struct place_take take;
    struct batch *batch;
    struct batch_args args; // deep copy; owned
    void *memory;
};

// A FORWARD of one draw, or its answer.
struct message {
    uint32_t refusals;
    uint64_t view;
    unsigned draw;
    uint32_t id;
    bool not_owner;
};

struct queue {
    uint32_t count;
    union {
        struct command commands[QUEUE];
        struct message messages[QUEUE];
    };
};

struct world {
    uint32_t seed;
    uint64_t random;
    struct monotime now;
    struct fake_redis *redis;
    struct member_view view;
    unsigned members; // bits
    struct place *places[PLACES];
    bool connected[PLACES];
    struct queue commands[PLACES], orphans[PLACES], forwards[PLACES], answers[PLACES];
    uint32_t received[PLACES]; // NOT_OWNER messages at the gateway
    uint64_t gateway_view;
    unsigned members_seen;
    uint32_t next_id;
    unsigned count;
    struct drawn draws[DRAWS];
    uint32_t nonces[CONNECTIONS];
};

static uint32_t roll(struct world *world, uint32_t below)
{
    world->random = mix_final(world->random + 0x9e3779b97f4a7c15u);
    return (uint32_t)(world->random >> 33) % below;
}

#define CHECK(condition_)                                                                                              \
    do {                                                                                                               \
        if (!(condition_))                                                                                             \
            fail_msg("PLACE_SEED=%u: %s", world->seed, #condition_);                                                   \
    } while (0)

static void drop_first(struct queue *queue, size_t size)
{
    queue->count--;
    memmove((char *)queue->commands, (char *)queue->commands + size, queue->count * size);
}

// ---- Redis ---------------------------------------------------------------------------------------------------------

static void copy_args(struct command *command, const struct batch_args *args)
{
    size_t count = args->key_count + args->arg_count, bytes = count * sizeof(struct batch_arg);
    for (size_t i = 0; i < count; i++)
        bytes += i < args->key_count ? args->keys[i].len : args->args[i - args->key_count].len;
    struct batch_arg *copies = malloc(bytes);
    assert_non_null(copies);
    char *at = (char *)(copies + count);
    for (size_t i = 0; i < count; i++) {
        const struct batch_arg *from = i < args->key_count ? &args->keys[i] : &args->args[i - args->key_count];
        memcpy(at, from->data, from->len);
        copies[i] = (struct batch_arg){at, from->len};
        at += from->len;
    }
    command->memory = copies;
    command->args = (struct batch_args){copies, args->key_count, copies + args->key_count, args->arg_count};
}

static void pump(struct world *world, unsigned p)
{
    struct place *place = world->places[p];
    struct queue *queue = &world->commands[p];
    struct command command = {.kind = VIEW};
    struct batch_args args;
    struct draw *draw;
    uint32_t refused = 0;
    if (place_next_view(place))
        queue->commands[queue->count++] = command;
    command.kind = TAKE;
    while (place_next_take(place, &command.take))
        queue->commands[queue->count++] = command;
    command.kind = BATCH;
    while ((command.batch = place_next_batch(place, world->now, &args)) != NULL) {
        copy_args(&command, &args);
        queue->commands[queue->count++] = command;
    }
    while ((draw = place_next_answer(place)) != NULL) {
        const struct peer *peer = place_peer(place, 0);
        if (peer->open && peer->generation == draw->peer_generation) {
            struct message answer = {.id = draw->asked.id, .not_owner = draw->not_owner, .view = place_view(place)};
            CHECK(draw->not_owner || draw->verdict.code == VERDICT_PLACED);
            refused += draw->not_owner; // each is a message of its own here
            world->answers[p].messages[world->answers[p].count++] = answer;
        }
        place_release(place, draw);
    }
    peer_flushed(place_peer(place, 0), refused);
    CHECK(queue->count < QUEUE - 40 && world->answers[p].count < QUEUE - 40);
}

static void run_command(struct world *world, unsigned p, struct command *command)
{
    struct place *place = world->places[p];
    if (command->kind == VIEW) {
        place_view_read(place, world->now, &world->view);
    } else if (command->kind == TAKE) {
        fake_take(world->redis, place, world->now, p + 1, &command->take);
    } else {
        size_t count = fake_place(world->redis, &command->args);
        CHECK(place_batch_done(place, world->now, command->batch, world->redis->results, count) == 0);
        free(command->memory);
    }
}

static void redis_runs_one(struct world *world, unsigned p)
{
    if (world->commands[p].count == 0)
        return;
    struct command command = world->commands[p].commands[0];
    drop_first(&world->commands[p], sizeof command);
    run_command(world, p, &command);
    pump(world, p);
}

// A command of a connection that is gone is run all the same; nobody hears of it.
static void redis_runs_orphan(struct world *world, unsigned p)
{
    struct queue *queue = &world->orphans[p];
    if (queue->count == 0)
        return;
    struct command command = queue->commands[0];
    drop_first(queue, sizeof command);
    if (command.kind == TAKE)
        (void)fake_steal(world->redis, command.take.tile, p + 1, world->view.number);
    if (command.kind == BATCH)
        fake_place(world->redis, &command.args);
    free(command.memory);
}

static void connection_breaks(struct world *world, unsigned p)
{
    struct place *place = world->places[p];
    struct queue *queue = &world->commands[p], *orphans = &world->orphans[p];
    if (!world->connected[p])
        return;
    // The first of them may have run, or may run later.
    uint32_t reach = roll(world, 3) == 0 ? 0 : roll(world, queue->count + 1);
    for (uint32_t i = 0; i < queue->count; i++) {
        struct command *command = &queue->commands[i];
        if (command->kind == VIEW)
            place_view_read(place, world->now, NULL);
        else if (command->kind == TAKE)
            place_take_failed(place, world->now, command->take.tile, 0);
        else
            place_batch_unknown(place, world->now, command->batch);
        if (i < reach && command->kind == BATCH && orphans->count < QUEUE - 1)
            orphans->commands[orphans->count++] = *command;
        else
            free(command->memory);
    }
    queue->count = 0;
    if (roll(world, 2) == 0) {
        while (orphans->count > 0)
            redis_runs_orphan(world, p);
    }
    place_disconnected(place, world->now);
    world->connected[p] = false;
    pump(world, p);
}

static void connects(struct world *world, unsigned p)
{
    if (world->connected[p])
        return;
    world->connected[p] = true;
    place_connected(world->places[p]);
    pump(world, p);
}

static void view_changes(struct world *world)
{
    unsigned members = 1 + roll(world, (1u << PLACES) - 1);
    struct member_view view = {.number = world->view.number + 1};
    for (unsigned p = 0; p < PLACES; p++) {
        if (members >> p & 1)
            CHECK(member_view_add(&view, addresses[p], strlen(addresses[p]), p + 1) == 0);
    }
    world->view = view;
    world->members = members;
}

// ---- The gateway ---------------------------------------------------------------------------------------------------

static void draw_arrives(struct world *world)
{
    if (world->count == DRAWS)
        return;
    uint32_t connection = roll(world, CONNECTIONS);
    struct drawn *drawn = &world->draws[world->count++];
    drawn->tile = roll(world, TILES);
    drawn->asked = (struct link_draw){
        .nonce = NONCE_COUNTED + ++world->nonces[connection],
        .x = (uint16_t)(drawn->tile * FAKE_EDGE + roll(world, 8)),
        .color = (uint8_t)(1 + roll(world, 31)),
        .kind = LINK_USER_GUEST,
        .user = connection + 1,
        .connection = connection + 100,
    };
}

// The first draw of the tile that waits, if no other place has one in flight.
static void gateway_sends(struct world *world, unsigned tile)
{
    const struct member *owner = member_owner(&world->view, (struct tile){(uint16_t)tile, 0});
    unsigned p = owner != NULL && owner->incarnation == 2;
    // It may not have heard of the newest view.
    if (world->gateway_view != world->view.number && roll(world, 2) == 0)
        p = roll(world, PLACES);
    else
        world->gateway_view = world->view.number;
    for (unsigned i = 0; i < world->count; i++) {
        struct drawn *drawn = &world->draws[i];
        if (drawn->tile != tile || drawn->fate == ANSWERED)
            continue;
        if (drawn->fate == FLYING && drawn->place != p)
            return;
        if (drawn->fate == WAITING) {
            // Later ones that are still in flight: what comes back has to be in front of them.
            for (unsigned k = i + 1; k < world->count; k++) {
                if (world->draws[k].tile == tile && world->draws[k].fate == FLYING)
                    return;
            }
            struct queue *queue = &world->forwards[p];
            if (queue->count == QUEUE)
                return;
            drawn->fate = FLYING;
            drawn->place = p;
            drawn->id = ++world->next_id;
            queue->messages[queue->count++] = (struct message){
                .refusals = world->received[p], .view = world->gateway_view, .draw = i, .id = drawn->id};
            return;
        }
    }
}

static void forward_arrives(struct world *world, unsigned p)
{
    struct queue *queue = &world->forwards[p];
    if (queue->count == 0)
        return;
    struct message message = queue->messages[0];
    drop_first(queue, sizeof message);
    struct link_draw asked = world->draws[message.draw].asked;
    struct link_verdict verdict;
    asked.id = message.id;
    CHECK(place_forward(world->places[p], 0, message.view, message.refusals) == 0);
    enum place_result result = place_draw(world->places[p], world->now, 0, &asked, &verdict);
    CHECK(result != PLACE_DECIDED);
    if (result == PLACE_NOT_OWNER) {
        world->answers[p].messages[world->answers[p].count++] = (struct message){.id = asked.id, .not_owner = true};
        peer_flushed(place_peer(world->places[p], 0), 1);
    }
    if (roll(world, 2) == 0)
        pump(world, p);
}

static void answer_arrives(struct world *world, unsigned p)
{
    struct queue *queue = &world->answers[p];
    if (queue->count == 0)
        return;
    struct message message = queue->messages[0];
    drop_first(queue, sizeof message);
    world->received[p] += message.not_owner;
    for (unsigned i = 0; i < world->count; i++) {
        struct drawn *drawn = &world->draws[i];
        if (drawn->fate != FLYING || drawn->place != p || drawn->id != message.id)
            continue;
        drawn->fate = message.not_owner ? WAITING : ANSWERED;
        return;
    }
    fail_msg("PLACE_SEED=%u: an answer to nothing", world->seed);
}

static void link_breaks(struct world *world, unsigned p)
{
    place_peer_close(world->places[p], 0);
    place_peer_open(world->places[p], 0);
    world->forwards[p].count = world->answers[p].count = 0;
    world->received[p] = 0;
    for (unsigned i = 0; i < world->count; i++) {
        if (world->draws[i].fate == FLYING && world->draws[i].place == p)
            world->draws[i].fate = WAITING;
    }
}

// ---- Runs ----------------------------------------------------------------------------------------------------------

static void start(struct world *world, uint32_t seed)
{
    const struct canvas_config config = {
        .version = 1, .geom = {TILES * FAKE_EDGE, FAKE_EDGE, FAKE_EDGE}, .palette = *palette_default()};
    *world = (struct world){.seed = seed, .random = seed, .now = {1000000}, .redis = fake_new()};
    view_changes(world);
    for (unsigned p = 0; p < PLACES; p++) {
        const struct place_options options = {.address = addresses[p], .incarnation = p + 1};
        world->places[p] = place_new(&options);
        assert_non_null(world->places[p]);
        place_set_config(world->places[p], &config);
        place_peer_open(world->places[p], 0);
        connects(world, p);
    }
}

static void step(struct world *world, bool calm)
{
    unsigned p = roll(world, PLACES);
    world->now = monotime_add_ms(world->now, roll(world, 3));
    world->redis->now_ms += roll(world, 2);
    switch (roll(world, calm ? 8 : 14)) {
    case 0:
    case 1:
    case 2:
        gateway_sends(world, roll(world, TILES));
        break;
    case 3:
        forward_arrives(world, p);
        break;
    case 4:
        answer_arrives(world, p);
        break;
    case 5:
        redis_runs_one(world, p);
        break;
    case 6:
        connects(world, p);
        pump(world, p);
        break;
    case 7:
        place_tick(world->places[p], world->now);
        pump(world, p);
        break;
    case 8:
    case 9:
    case 10:
        draw_arrives(world);
        break;
    case 11:
        redis_runs_orphan(world, p);
        break;
    case 12:
        if (roll(world, 8) == 0)
            connection_breaks(world, p);
        else if (roll(world, 8) == 0)
            view_changes(world);
        break;
    case 13:
        if (roll(world, 10) == 0)
            link_breaks(world, p);
        else
            place_view_hint(world->places[p], world->view.number);
        break;
    }
}

static bool all_answered(const struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        if (world->draws[i].fate != ANSWERED)
            return false;
    }
    return true;
}

static void check(struct world *world)
{
    for (unsigned tile = 0; tile < TILES; tile++) {
        const struct fake_tile *stored = fake_tile(world->redis, (struct tile){(uint16_t)tile, 0});
        uint32_t seq = 0;
        for (unsigned i = 0; i < world->count; i++) {
            const struct link_draw *asked = &world->draws[i].asked;
            if (world->draws[i].tile != tile)
                continue;
            CHECK(seq < stored->seq);
            CHECK(stored->log[seq].user == asked->user && stored->log[seq].color == asked->color);
            CHECK(stored->log[seq].offset == asked->x % FAKE_EDGE);
            seq++;
        }
        CHECK(seq == stored->seq);
    }
    struct place_beat beat;
    for (unsigned p = 0; p < PLACES; p++) {
        place_tick(world->places[p], monotime_add_ms(world->now, 1000));
        while (place_next_beat(world->places[p], &beat)) {
            const struct fake_tile *stored = fake_tile(world->redis, beat.tile);
            if (stored->owner == p + 1 && stored->epoch == beat.epoch)
                CHECK(beat.seq == stored->seq && beat.checksum == mix_tile_checksum(stored->px, sizeof stored->px));
        }
    }
}

static void finish(struct world *world)
{
    for (unsigned p = 0; p < PLACES; p++) {
        for (uint32_t i = 0; i < world->orphans[p].count; i++)
            free(world->orphans[p].commands[i].memory);
        for (uint32_t i = 0; i < world->commands[p].count; i++)
            free(world->commands[p].commands[i].memory);
        place_free(world->places[p]);
    }
    fake_free(world->redis);
}

static void run(uint32_t seed)
{
    static struct world memory;
    struct world *world = &memory;
    start(world, seed);
    for (unsigned i = 0; i < STEPS; i++)
        step(world, false);
    for (unsigned p = 0; p < PLACES; p++)
        place_view_hint(world->places[p], world->view.number);
    for (unsigned i = 0; i < 200000 && !all_answered(world); i++)
        step(world, true);
    CHECK(all_answered(world));
    check(world);
    finish(world);
}

static void test_seeds(void **state)
{
    (void)state;
    const char *only = getenv("PLACE_SEED");
    uint32_t first = only != NULL ? (uint32_t)strtoul(only, NULL, 10) : 1;
    for (uint32_t seed = first; seed < first + (only != NULL ? 1 : SEEDS); seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
