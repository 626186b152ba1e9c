#include "tests/fuzz/redis_state.h"

#include <inttypes.h>
#include <stdio.h>

#define OTHER "10.0.0.9:7000"
#define OTHER_MEMBER "0123456789abcdef 1700000000000"

static void put_pair(struct resp *resp, const char *name, const char *value)
{
    resp_text(resp, name);
    resp_text(resp, value);
}

static void put_number(struct resp *resp, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put_pair(resp, name, text);
}

void redis_state_config(const struct redis_state *state, struct resp *resp)
{
    resp_array(resp, 20);
    put_number(resp, "version", state->version);
    put_number(resp, "width", REDIS_STATE_WIDTH);
    put_number(resp, "height", REDIS_STATE_WIDTH);
    put_number(resp, "edge", 64);
    put_number(resp, "cooldown_ms", state->cooldown_ms);
    put_number(resp, "read_only", state->read_only);
    put_number(resp, "restores", state->restores);
    put_number(resp, "guests_per_address", 16);
    put_number(resp, "user_groups", 64);
    put_pair(resp, "palette", "a=#000000,b=#111111,c=#222222");
}

void redis_state_view(const struct redis_state *state, struct resp *resp)
{
    char name[80], member[40];
    snprintf(name, sizeof name, "s:%s", state->address);
    snprintf(member, sizeof member, "%016" PRIx64 " 1700000000000", state->incarnation);
    resp_array(resp, state->others ? 6 : 4);
    put_number(resp, "view", state->view);
    put_pair(resp, name, member);
    if (state->others)
        put_pair(resp, "s:" OTHER, OTHER_MEMBER);
}

void redis_state_change(struct redis_state *state, struct fuzz_in *in)
{
    uint8_t what = fuzz_u8(in);
    state->version++;
    state->cooldown_ms = (what & 1) != 0 ? 0 : 5000;
    state->read_only = (what & 2) != 0;
    state->others = (what & 4) != 0;
    state->view += what >> 6 & 1;
    state->restores += what >> 7;
}

const char *redis_state_error(struct fuzz_in *in)
{
    static const char *const errors[] = {"-OOM command not allowed\r\n",
                                         "-MISCONF no\r\n",
                                         "-NOSCRIPT No\r\n",
                                         "-READONLY You\r\n",
                                         "-ERR x\r\n",
                                         "-\r\n",
                                         "*-1\r\n",
                                         "$-1\r\n"};
    return errors[fuzz_below(in, sizeof errors / sizeof errors[0])];
}
