// The hub among clients, a bus and a Redis that lose, cut, take back and delay what the input says
// (tests/unit/hub_world.h): in the end every client has what Redis has, and those that only read never saw a gap.
//
//   steps: what u8, and what the step takes
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/alloc_fail.h"
#include "tests/unit/hub_world.h"

#define STEPS_MAX 400
#define SETTLE_TURNS 300
#define SETTLE_US 20000

static bool tight; // hardly any room for watches

static void check(int err)
{
    FUZZ_CHECK(err == 0 || (err == ERR_FULL && tight));
}

// The first half of the clients is strict: they watch what they watch, and read.
static void step_client(struct fuzz_in *in)
{
    unsigned client = fuzz_below(in, WORLD_CLIENTS), what = fuzz_below(in, 8), some = fuzz_u8(in);
    bool strict = client < WORLD_CLIENTS / 2;
    unsigned tiles = some % (1u << WORLD_TILES);
    if (!world_joined(client)) {
        if ((some & 64) != 0)
            world_forget(client);
        check(world_join(client, tiles, strict, 200 + 16 * fuzz_u8(in)));
    } else if (what < 4) {
        world_read(client, 16u * some);
    } else if (what == 4) {
        world_leave(client);
    } else if (what == 5 && !strict) {
        check(world_watch(client, tiles));
    } else if (what == 6 && !strict) {
        world_resume(client, some % WORLD_TILES, some >> 7);
    } else if (what == 7 && !strict) {
        check(world_keep(client, tiles));
    }
}

static void step_trouble(struct fuzz_in *in)
{
    unsigned what = fuzz_below(in, 8), some = fuzz_u8(in), tile = some % WORLD_TILES;
    switch (what) {
    case 0:
        world_bus(false);
        break;
    case 1:
        world_store(false);
        break;
    case 2:
        world_crash(tile, some >> 5);
        break;
    case 3:
        world_trim(tile, some >> 5);
        break;
    case 4:
        world_corrupt_next();
        break;
    case 5:
        world_drop_bus(some % 40);
        break;
    default:
        world_bus(true);
        world_store(true);
        world_drop_bus(0);
        break;
    }
}

static void step(struct fuzz_in *in)
{
    unsigned what = fuzz_below(in, 16), tile = 0;
    switch (what) {
    case 0:
    case 1:
    case 2:
        tile = fuzz_below(in, WORLD_TILES);
        world_place(tile, 1 + fuzz_u8(in) % (what == 0 ? 100u : 5u));
        break;
    case 3:
        world_take(fuzz_below(in, WORLD_TILES));
        break;
    case 4:
        world_beat(fuzz_below(in, WORLD_TILES));
        break;
    case 5:
    case 6:
        world_deliver();
        break;
    case 7:
        world_serve();
        break;
    case 8:
        world_answer();
        break;
    case 9:
        world_work();
        break;
    case 10:
    case 11:
    case 12:
        step_client(in);
        break;
    case 13:
        step_trouble(in);
        break;
    default:
        world_turn(fuzz_u8(in) * INT64_C(100));
        break;
    }
}

// As world_settle, with less patience where nothing happens.
static void settle(void)
{
    world_drop_bus(0);
    world_bus(true);
    world_store(true);
    for (unsigned turn = 0; turn < SETTLE_TURNS; turn++) {
        while (world_deliver() || world_serve() || world_answer() || world_work())
            continue;
        for (unsigned i = 0; i < WORLD_CLIENTS; i++)
            world_read(i, SIZE_MAX);
        world_turn(SETTLE_US);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    uint8_t setup = fuzz_u8(&in);
    tight = (setup & 1) != 0;
    const struct hub_options options = world_options(tight);
    world_begin(setup, &options);
    world_bus(true);
    world_store(true);
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++)
        step(&in);
    settle();
    for (unsigned i = 0; i < WORLD_TILES; i++)
        world_beat(i);
    settle();
    world_check_equal();
    FUZZ_CHECK(world_metric("tessera_clients_lagging", NULL) == 0);
    world_end();
    return 0;
}
