#include "tests/fuzz/mem_world.h"

#include "common/io/log.h"
#include "tests/fuzz/fixed_rand.h"
#include "tests/fuzz/mem_sock.h"
#include "tests/unit/fake_loop.h"

void mem_world_reset(void)
{
    log_init("fuzz", LOG_ERROR + 1, LOG_LOGFMT);
    fixed_rand_reset();
    fake_loop_reset();
    mem_sock_reset();
}

void mem_world_turn(int64_t us)
{
    mem_sock_turn();
    fake_loop_turn(us);
    mem_sock_turn();
    fake_loop_turn(0);
}
