// Random lives of a gateway among shards that refuse, reorder between tiles, die and come back, while views change; and
// clients that repeat what was answered UNAVAILABLE, or leave. After each life:
//
//   - every draw had exactly one verdict, unless its client had left
//   - PLACED was answered for nothing that was not applied
//   - draws of one tile were applied in the order in which they were handed in, each at its first time in its place
//   - no tile had draws in flight to two shards
//   - nothing was left over
//
// The shards follow PROTOCOL.md, part 2. A tile belongs to who took it last, as the fence of Redis has it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/mix.h"
#include "gateway/route.h"
#include "proto/verdict.h"

#define SHARDS 4u
#define TILES 6u
#define CLIENTS 12u
#define DRAWS_MAX 4000u
#define INBOX_MAX 4096u
#define EVENTS 1500u
#define LIVES 1000u

struct model_draw {
    uint16_t client, tile;
    bool applied;
    struct monotime first; // handed in
    uint32_t verdicts;
    bool forgotten;
    uint32_t order; // of handing in, the latest
};

struct inbox_draw {
    uint32_t id, nonce, refusals;
    uint16_t tile;
    uint32_t link; // the life of the link that it came on
};

struct shard {
    char address[32];
    bool alive, member, link_up;
    uint16_t slot;
    uint32_t link; // counts lives of the link
    uint64_t view; // that it has read
    uint32_t sent_refusals;
    uint32_t refused_until[TILES]; // refuses draws of the tile until a FORWARD has seen so many; 0 = does not
    struct inbox_draw inbox[INBOX_MAX];
    uint32_t inbox_count;
};

struct life {
    uint64_t random;
    bool calm; // nothing takes 3 s
    struct route *route;
    struct monotime now;
    struct member_view view; // the truth
    bool view_readable;
    struct shard shards[SHARDS];
    int taken_by[TILES];
    uint32_t flight_of[TILES]; // in flight by the model's count, and where
    struct cluster_client clients[CLIENTS];
    struct model_draw draws[DRAWS_MAX]; // by nonce - 1
    uint32_t draw_count, order_count;
    uint32_t last_applied[TILES]; // order
    uint32_t to_repeat[DRAWS_MAX];
    uint32_t to_repeat_count;
};

static struct life life;
static uint64_t last_seed;

static uint32_t below(uint32_t n)
{
    life.random += 0x9e3779b97f4a7c15u;
    return (uint32_t)(mix_final(life.random) % n);
}

static struct tile tile_at(uint32_t i)
{
    return (struct tile){(uint16_t)(i * 3), (uint16_t)i};
}

static void read_view(void)
{
    if (life.view_readable)
        route_set_view(life.route, &life.view, life.now);
}

static void change_view(void)
{
    uint64_t number = life.view.number + 1;
    life.view = (struct member_view){.number = number};
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (life.shards[i].member)
            assert_int_equal(member_view_add(&life.view, life.shards[i].address, strlen(life.shards[i].address), 1), 0);
    }
}

static void take_verdicts(void)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    while (route_next_verdict(life.route, &client, &verdict, &submitted)) {
        assert_in_range(verdict.nonce, 1, life.draw_count);
        struct model_draw *draw = &life.draws[verdict.nonce - 1];
        assert_ptr_equal(client, &life.clients[draw->client]);
        assert_false(draw->forgotten);
        assert_int_equal(draw->verdicts, 0);
        draw->verdicts++;
        if (verdict.code == VERDICT_PLACED) {
            assert_true(draw->applied);
        } else {
            assert_int_equal(verdict.code, VERDICT_UNAVAILABLE);
            assert_false(life.calm);
            life.to_repeat[life.to_repeat_count++] = verdict.nonce;
        }
    }
}

static void hand_in(uint32_t nonce)
{
    struct model_draw *record = &life.draws[nonce - 1];
    struct link_draw draw = {.nonce = nonce, .kind = LINK_USER_MEMBER, .user = record->client, .connection = 1};
    record->order = ++life.order_count;
    record->verdicts = 0;
    assert_int_equal(route_submit(life.route, &life.clients[record->client], tile_at(record->tile), &draw, life.now),
                     0);
}

static void new_draw(void)
{
    if (life.draw_count == DRAWS_MAX)
        return;
    struct model_draw *draw = &life.draws[life.draw_count++];
    *draw = (struct model_draw){.client = (uint16_t)below(CLIENTS), .tile = (uint16_t)below(TILES), .first = life.now};
    hand_in(life.draw_count);
}

static void repeat_draw(void)
{
    if (life.to_repeat_count == 0)
        return;
    uint32_t nonce = life.to_repeat[0];
    memmove(life.to_repeat, life.to_repeat + 1, --life.to_repeat_count * sizeof life.to_repeat[0]);
    if (life.draws[nonce - 1].forgotten)
        return;
    hand_in(nonce);
}

static void leave(void)
{
    uint16_t i = (uint16_t)below(CLIENTS);
    for (uint32_t k = 0; k < life.draw_count; k++) {
        if (life.draws[k].client == i && life.draws[k].verdicts == 0)
            life.draws[k].forgotten = true;
    }
    route_forget(life.route, &life.clients[i]);
    assert_null(life.clients[i].draws);
}

// ---- Shards --------------------------------------------------------------------------------------------------------

static struct shard *shard_in(uint16_t slot)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (life.shards[i].slot == slot)
            return &life.shards[i];
    }
    return NULL;
}

// What stands behind a refused draw of a link that is gone must not be applied either.
static void drop_refused(struct shard *shard)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shard->inbox_count; i++) {
        struct inbox_draw draw = shard->inbox[i];
        if (draw.link != shard->link || shard->refused_until[draw.tile] <= draw.refusals)
            shard->inbox[kept++] = draw;
    }
    shard->inbox_count = kept;
}

static void link_down(struct shard *shard)
{
    if (!shard->link_up)
        return;
    shard->link_up = false;
    drop_refused(shard);
    shard->link++;
    route_link_down(life.route, shard->slot, life.now);
    for (uint32_t t = 0; t < TILES; t++) {
        if (life.flight_of[t] == shard - life.shards + 1)
            life.flight_of[t] = 0;
    }
}

static void link_up(struct shard *shard)
{
    if (shard->link_up || !shard->alive || shard->slot == UINT16_MAX)
        return;
    shard->link_up = true;
    shard->sent_refusals = 0;
    memset(shard->refused_until, 0, sizeof shard->refused_until);
    route_link_up(life.route, shard->slot, life.now);
    route_hint_view(life.route, shard->view);
}

static void follow_links(void)
{
    struct route_link_change change;
    while (route_next_link(life.route, life.now, &change)) {
        if (change.open) {
            for (uint32_t i = 0; i < SHARDS; i++) {
                if (strcmp(life.shards[i].address, change.address) == 0)
                    life.shards[i].slot = change.slot;
            }
        } else {
            struct shard *shard = shard_in(change.slot);
            link_down(shard);
            shard->slot = UINT16_MAX;
        }
    }
}

static uint32_t tile_index(uint32_t nonce)
{
    return life.draws[nonce - 1].tile;
}

// Everything that is to go leaves, and is in the inboxes then.
static void flush(void)
{
    struct route_forward forward;
    while (route_next_forward(life.route, &forward)) {
        struct shard *shard = shard_in(forward.slot);
        assert_non_null(shard);
        assert_true(shard->link_up);
        if (forward.view > shard->view)
            shard->view = life.view.number;
        for (uint32_t i = 0; i < forward.count; i++) {
            struct link_draw draw;
            assert_int_equal(link_draw_at(forward.draws, i, &draw), 0);
            uint32_t t = tile_index(draw.nonce);
            uint32_t here = (uint32_t)(shard - life.shards) + 1;
            assert_true(life.flight_of[t] == 0 || life.flight_of[t] == here);
            life.flight_of[t] = here;
            assert_true(shard->inbox_count < INBOX_MAX);
            shard->inbox[shard->inbox_count++] =
                (struct inbox_draw){draw.id, draw.nonce, forward.refusals, (uint16_t)t, shard->link};
        }
    }
}

static void answered(struct shard *shard, uint32_t tile)
{
    for (uint32_t i = 0; i < shard->inbox_count; i++) {
        if (shard->inbox[i].tile == tile && shard->inbox[i].link == shard->link)
            return;
    }
    life.flight_of[tile] = 0;
}

static void refuse(struct shard *shard, const struct inbox_draw *draw)
{
    uint8_t id[LINK_ID_LEN];
    shard->refused_until[draw->tile] = ++shard->sent_refusals;
    link_put_id(id, draw->id);
    answered(shard, draw->tile);
    assert_int_equal(route_not_owner(life.route, shard->slot, shard->view, id, 1, life.now), 0);
}

static void apply(const struct inbox_draw *draw)
{
    struct model_draw *record = &life.draws[draw->nonce - 1];
    if (record->applied)
        return;
    record->applied = true;
    // After that the gateway has let go of it: a shard that it lost may still apply it, or the client repeat it.
    if (monotime_reached(monotime_add_ms(record->first, ROUTE_GIVE_UP_MS), life.now))
        return;
    assert_true(record->order > life.last_applied[draw->tile]);
    life.last_applied[draw->tile] = record->order;
}

static void drop_link(struct shard *shard, uint32_t link)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shard->inbox_count; i++) {
        if (shard->inbox[i].link != link)
            shard->inbox[kept++] = shard->inbox[i];
    }
    shard->inbox_count = kept;
}

static void decide(struct shard *shard, const struct inbox_draw *draw)
{
    bool current = shard->link_up && draw->link == shard->link;
    int me = (int)(shard - life.shards);
    const struct member *owner = shard->view == life.view.number ? member_owner(&life.view, tile_at(draw->tile)) : NULL;
    if (owner != NULL && strcmp(owner->address, shard->address) == 0)
        life.taken_by[draw->tile] = me;
    bool mine = life.taken_by[draw->tile] == me;
    bool blocked = current && shard->refused_until[draw->tile] > draw->refusals;
    if (!mine || blocked || below(8) == 0) {
        // Draws of links that are gone are dropped in order, too: nobody follows them.
        if (current)
            refuse(shard, draw);
        else
            drop_link(shard, draw->link);
        return;
    }
    apply(draw);
    if (!current)
        return;
    shard->refused_until[draw->tile] = 0;
    answered(shard, draw->tile);
    uint8_t record[LINK_VERDICT_LEN];
    link_put_verdict(record, &(struct link_verdict){.id = draw->id, .code = VERDICT_PLACED});
    assert_int_equal(route_verdicts(life.route, shard->slot, record, 1, life.now), 0);
}

// The next draw of a random tile: in order within the tile, in none between tiles.
static void work(struct shard *shard)
{
    uint32_t start = below(TILES);
    for (uint32_t k = 0; k < TILES; k++) {
        for (uint32_t i = 0; i < shard->inbox_count; i++) {
            if (shard->inbox[i].tile != (start + k) % TILES)
                continue;
            struct inbox_draw draw = shard->inbox[i];
            memmove(&shard->inbox[i], &shard->inbox[i + 1], (--shard->inbox_count - i) * sizeof draw);
            decide(shard, &draw);
            return;
        }
    }
}

static void die(struct shard *shard)
{
    link_down(shard);
    shard->alive = false;
    shard->inbox_count = 0;
}

// ---- Lives ---------------------------------------------------------------------------------------------------------

static void disturb(void)
{
    struct shard *shard = &life.shards[below(SHARDS)];
    switch (below(8)) {
    case 0:
        shard->member = !shard->member;
        change_view();
        break;
    case 1:
        die(shard);
        break;
    case 2:
        shard->alive = true;
        break;
    case 3:
        link_down(shard);
        break;
    case 4:
        shard->view = life.view.number;
        break;
    case 5:
        life.view_readable = below(3) > 0;
        break;
    case 6:
        read_view();
        break;
    case 7:
        leave();
        break;
    default:
        break;
    }
}

static void pass(int64_t ms)
{
    life.now = monotime_add_ms(life.now, ms);
    route_tick(life.route, life.now);
}

static void step(void)
{
    uint32_t what = below(100);
    if (what < 35)
        new_draw();
    else if (what < 80)
        work(&life.shards[below(SHARDS)]);
    else if (what < 84)
        link_up(&life.shards[below(SHARDS)]);
    else if (what < 88)
        repeat_draw();
    else if (what < 92 && !life.calm)
        disturb();
    else
        pass(life.calm ? 1 : (int64_t)below(below(6) == 0 ? 1500 : 30));
    if (route_wants_view(life.route) && below(2) == 0)
        read_view();
    follow_links();
    take_verdicts();
    if (below(3) == 0)
        flush();
}

// Everything heals, and all draws find their end.
static void settle(void)
{
    life.view_readable = true;
    for (uint32_t i = 0; i < SHARDS; i++)
        life.shards[i].alive = life.shards[i].member = true;
    change_view();
    read_view();
    for (uint32_t round = 0; round < 20000; round++) {
        follow_links();
        for (uint32_t i = 0; i < SHARDS; i++) {
            life.shards[i].view = life.view.number;
            link_up(&life.shards[i]);
            work(&life.shards[i]);
        }
        take_verdicts();
        repeat_draw();
        pass(round % 16 == 0);
        flush();
        if (route_stats(life.route)->tiles == 0 && life.to_repeat_count == 0)
            break;
    }
    take_verdicts();
}

static void check_end(void)
{
    assert_int_equal(route_stats(life.route)->tiles, 0);
    assert_int_equal(route_stats(life.route)->waiting, 0);
    assert_int_equal(route_stats(life.route)->in_flight, 0);
    assert_false(route_has_forward(life.route));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_null(life.clients[i].draws);
        assert_int_equal(life.clients[i].in_flight, 0);
    }
    for (uint32_t i = 0; i < life.draw_count; i++) {
        if (life.draws[i].forgotten)
            continue;
        assert_int_equal(life.draws[i].verdicts, 1);
        assert_true(life.draws[i].applied);
    }
}

static void live(uint64_t seed, bool calm)
{
    memset(&life, 0, sizeof life);
    life.random = seed;
    life.calm = calm;
    life.route = route_new();
    assert_non_null(life.route);
    life.now = (struct monotime){1};
    life.view_readable = true;
    for (uint32_t t = 0; t < TILES; t++)
        life.taken_by[t] = -1;
    for (uint32_t i = 0; i < SHARDS; i++) {
        snprintf(life.shards[i].address, sizeof life.shards[i].address, "10.0.0.%u:7", i);
        life.shards[i].slot = UINT16_MAX;
        life.shards[i].alive = life.shards[i].member = calm || i < 2;
    }
    change_view();
    read_view();
    for (uint32_t i = 0; i < EVENTS; i++)
        step();
    settle();
    check_end();
    route_free(life.route);
}

static void test_lives(void **state)
{
    (void)state;
    const char *one = getenv("TESSERA_SEED");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (one != NULL ? 1 : LIVES); seed++) {
        last_seed = seed;
        live(seed, seed % 4 == 0);
    }
    last_seed = 0;
}

// A life that failed is lived again with its seed.
static int say_seed(void **state)
{
    (void)state;
    if (last_seed != 0)
        print_message("failed with TESSERA_SEED=%llu\n", (unsigned long long)last_seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_lives, say_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
