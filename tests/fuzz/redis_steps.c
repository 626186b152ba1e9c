#include "tests/fuzz/redis_steps.h"

#include <string.h>

#include "tests/fuzz/mem_world.h"
#include "tests/fuzz/redis_state.h"

#define SERVE_TURNS 8 // more than what follows from one thing asks one after the other

bool redis_steps_reply(unsigned how, struct fuzz_in *in, redis_steps_right *right)
{
    static uint8_t bytes[1 << 16];
    struct mem_redis_command command;
    struct resp resp = resp_begin(bytes, sizeof bytes);
    const char *error;
    const uint8_t *raw;
    size_t len;
    if (!mem_redis_next(&command))
        return false;
    switch (how) {
    case 0:
        right(&resp, &command, in);
        mem_redis_answer(&command, bytes, resp.len);
        break;
    case 1:
        right(&resp, &command, in);
        bytes[fuzz_u16(in) % resp.len] = fuzz_u8(in);
        mem_redis_answer(&command, bytes, resp.len);
        break;
    case 2:
        error = redis_state_error(in);
        mem_redis_answer(&command, error, strlen(error));
        break;
    default:
        raw = fuzz_take(in, fuzz_u8(in), &len);
        mem_redis_answer(&command, raw, len);
        break;
    }
    return true;
}

void redis_steps_push(const char *channel, struct fuzz_in *in)
{
    uint8_t bytes[512];
    struct resp resp = resp_begin(bytes, sizeof bytes);
    size_t len;
    const uint8_t *payload = fuzz_take(in, fuzz_u8(in), &len);
    resp_array(&resp, 3);
    resp_text(&resp, "message");
    resp_text(&resp, channel);
    resp_bytes(&resp, payload, len);
    mem_redis_push(bytes, resp.len);
}

void redis_steps_serve(struct fuzz_in *in, redis_steps_right *right, int64_t us)
{
    for (unsigned i = 0; i < SERVE_TURNS; i++) {
        while (mem_redis_dialled(false))
            continue;
        mem_world_turn(0);
        while (redis_steps_reply(0, in, right))
            continue;
        mem_world_turn(i == 0 ? us : 0);
    }
}

bool redis_steps_step(const struct redis_steps *steps, unsigned what, struct fuzz_in *in)
{
    struct fuzz_in nothing = {0};
    switch (what) {
    case 0:
        mem_world_turn(steps->times_us[fuzz_below(in, 8)]);
        return true;
    case 1:
        redis_steps_serve(&nothing, steps->right, steps->serve_us);
        return true;
    case 2:
        (void)mem_redis_dialled(fuzz_u8(in) == 1);
        return true;
    case 3:
    case 4:
    case 5:
    case 6:
        (void)redis_steps_reply(what - 3, in, steps->right);
        return true;
    case 8:
        mem_redis_break();
        return true;
    case 9:
        redis_state_change(steps->state, in);
        return true;
    default:
        return false;
    }
}
