#include "tests/sim/faults.h"

#include <string.h>

#include "tests/sim/client.h"
#include "tests/sim/ledger.h"
#include "tests/sim/nodes.h"
#include "tests/sim/server.h"

#define DROPS_IN_MILLION 200000u
#define CLOCK_BACK_MAX_MS 50000 // in all

static struct {
    struct faults_settings settings;
    bool dropping, dropped, read_only;
    int64_t clock_back_ms;
    sim_event next, redis, shards[NODES_SHARDS_MAX], gateways[NODES_GATEWAYS_MAX];
} faults;

// ---- Coming back ---------------------------------------------------------------------------------------------------

static void start_redis(void *arg)
{
    (void)arg;
    faults.redis = 0;
    if (!server_is_up())
        server_start();
}

static void start_shard(void *arg)
{
    uint32_t number = (uint32_t)(uintptr_t)arg;
    faults.shards[number] = 0;
    if (!shard_node_lives(number))
        shard_node_start(number);
    else if (shard_node_leaving(number)) // it takes its time
        faults.shards[number] = sim_after(NULL, 500000, start_shard, NULL, arg);
}

static void start_gateway(void *arg)
{
    uint32_t number = (uint32_t)(uintptr_t)arg;
    faults.gateways[number] = 0;
    if (!gateway_node_lives(number))
        gateway_node_start(number);
    else if (gateway_node_draining_us(number) > 0) // its clients take their time
        faults.gateways[number] = sim_after(NULL, 300000, start_gateway, NULL, arg);
}

// ---- Going wrong ---------------------------------------------------------------------------------------------------

static struct sim_proc *some_proc(void)
{
    uint64_t which = sim_below(faults.settings.shards + faults.settings.gateways + 1);
    if (which < faults.settings.shards)
        return shard_node_proc((uint32_t)which);
    which -= faults.settings.shards;
    return which < faults.settings.gateways ? gateway_node_proc((uint32_t)which) : server_proc();
}

static void fault_break(void)
{
    if (net_count() > 0)
        net_break((uint32_t)sim_below(net_count()));
}

static void fault_stall(void)
{
    int64_t us = sim_below(2) == 0 ? sim_skewed(5000, 1000000) : sim_between(1000000, 6000000);
    if (net_count() > 0)
        net_stall((uint32_t)sim_below(net_count()), us);
}

static void fault_isolate(void)
{
    struct sim_proc *proc = some_proc();
    int64_t us = sim_skewed(50000, 8000000);
    sim_trace("%s is cut off for %lld ms", proc->name, (long long)us / 1000);
    net_isolate(proc, us);
}

static void fault_pause(void)
{
    uint64_t client = sim_below(faults.settings.clients + 6);
    struct sim_proc *proc = client < faults.settings.clients ? client_proc((uint32_t)client) : some_proc();
    // Short ones, and such as outlast a lease.
    int64_t us = sim_below(2) == 0 ? sim_skewed(1000, 1000000) : sim_between(500000, 6000000);
    sim_trace("%s is paused for %lld ms", proc->name, (long long)us / 1000);
    sim_proc_pause(proc, us);
}

// A shard sleeps until others have its tiles, and wakes up with draws in its hands.
static void fault_sleep(void)
{
    struct sim_proc *proc = shard_node_proc((uint32_t)sim_below(faults.settings.shards));
    int64_t us = faults.settings.lease_us + sim_between(100000, 2500000);
    sim_trace("%s sleeps for %lld ms", proc->name, (long long)us / 1000);
    sim_proc_pause(proc, us);
}

// What a shard asked of Redis comes late: after it has given up and asked anew, or after others have its tiles.
static void fault_late(void)
{
    struct sim_proc *proc = shard_node_proc((uint32_t)sim_below(faults.settings.shards));
    int64_t us = sim_between(500000, 5000000);
    sim_trace("what %s says to redis comes %lld ms late", proc->name, (long long)us / 1000);
    net_stall_between(proc, server_proc(), us);
}

static void fault_kill_shard(void)
{
    uint32_t number = (uint32_t)sim_below(faults.settings.shards);
    if (!shard_node_lives(number))
        return;
    shard_node_kill(number);
    sim_cancel(faults.shards[number]);
    faults.shards[number] = sim_after(NULL, sim_skewed(1000, 6000000), start_shard, NULL, (void *)(uintptr_t)number);
}

static void fault_leave_shard(void)
{
    uint32_t number = (uint32_t)sim_below(faults.settings.shards);
    if (!shard_node_lives(number))
        return;
    shard_node_leave(number);
    sim_cancel(faults.shards[number]);
    faults.shards[number] = sim_after(NULL, sim_skewed(2500000, 8000000), start_shard, NULL, (void *)(uintptr_t)number);
}

static void fault_kill_gateway(void)
{
    uint32_t number = (uint32_t)sim_below(faults.settings.gateways);
    if (!gateway_node_lives(number))
        return;
    gateway_node_kill(number);
    faults.gateways[number] =
        sim_after(NULL, sim_skewed(1000, 3000000), start_gateway, NULL, (void *)(uintptr_t)number);
}

static void fault_drain_gateway(void)
{
    uint32_t number = (uint32_t)sim_below(faults.settings.gateways);
    if (!gateway_node_lives(number) || gateway_node_draining_us(number) > 0)
        return;
    gateway_node_drain(number);
    sim_cancel(faults.gateways[number]);
    faults.gateways[number] =
        sim_after(NULL, sim_skewed(10000, 5000000), start_gateway, NULL, (void *)(uintptr_t)number);
}

static void crash(bool older)
{
    if (!server_is_up())
        return;
    server_crash(older);
    ledger_rewound(older);
    faults.redis = sim_after(NULL, sim_skewed(3000, 3000000), start_redis, NULL, NULL);
}

static void fault_crash(void)
{
    crash(false);
}

static void fault_restore(void)
{
    if (!faults.settings.clock)
        crash(true);
}

// Not together with older data: an epoch would come again, and nothing could tell.
static void fault_clock(void)
{
    if (!faults.settings.clock || faults.clock_back_ms >= CLOCK_BACK_MAX_MS)
        return;
    int64_t ms = sim_skewed(1, CLOCK_BACK_MAX_MS - faults.clock_back_ms);
    faults.clock_back_ms += ms;
    sim_trace("the clock of redis is set back by %lld ms", (long long)ms);
    sim_set_clock_back(ms);
}

static void fault_client(void)
{
    client_drop((uint32_t)sim_below(faults.settings.clients));
}

static void fault_drops(void)
{
    faults.dropping = !faults.dropping;
    faults.dropped = true;
    server_drop_messages(faults.dropping ? DROPS_IN_MILLION : 0);
    sim_trace("the bus %s", faults.dropping ? "drops messages" : "is well again");
}

// An operator changes the configuration.
static void fault_read_only(void)
{
    faults.read_only = !faults.read_only;
    server_set_read_only(faults.read_only);
    sim_trace("the canvas %s", faults.read_only ? "is read-only" : "may be drawn on");
}

static void fault_room(void)
{
    server_db()->no_room = !server_db()->no_room;
    sim_trace("redis %s", server_db()->no_room ? "is full" : "has room again");
}

// Only while all the others are ready.
static void restart_one(void)
{
    for (uint32_t i = 0; i < faults.settings.shards; i++) {
        if (!shard_node_ready(i) || shard_node_leaving(i))
            return;
    }
    for (uint32_t i = 0; i < faults.settings.gateways; i++) {
        if (!gateway_node_ready(i))
            return;
    }
    if (sim_below(2) == 0)
        fault_leave_shard();
    else
        fault_drain_gateway();
}

static void go_wrong(void *arg)
{
    static const struct {
        unsigned weight;
        void (*fault)(void);
    } kinds[] = {
        {30, fault_break},        {18, fault_stall}, {6, fault_isolate},    {14, fault_pause},
        {6, fault_sleep},         {6, fault_late},   {6, fault_kill_shard}, {4, fault_leave_shard},
        {4, fault_kill_gateway},  {5, fault_crash},  {1, fault_restore},    {10, fault_client},
        {3, fault_drops},         {2, fault_room},   {2, fault_clock},      {2, fault_read_only},
        {5, fault_drain_gateway},
    };
    unsigned sum = 0;
    (void)arg;
    sim_count_event();
    faults.next =
        sim_after(NULL, sim_skewed(faults.settings.every_us / 10, 4 * faults.settings.every_us), go_wrong, NULL, NULL);
    if (faults.settings.undisturbed) {
        restart_one();
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        sum += kinds[i].weight;
    uint64_t pick = sim_below(sum);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (pick < kinds[i].weight) {
            kinds[i].fault();
            return;
        }
        pick -= kinds[i].weight;
    }
}

void faults_begin(const struct faults_settings *settings)
{
    memset(&faults, 0, sizeof faults);
    faults.settings = *settings;
    faults.dropping = faults.dropped = settings->dropping;
    server_drop_messages(faults.dropping ? DROPS_IN_MILLION : 0);
    if (settings->every_us > 0)
        faults.next = sim_after(NULL, 500000 + settings->every_us, go_wrong, NULL, NULL);
}

bool faults_dropped(void)
{
    return faults.dropped;
}

void faults_heal(void)
{
    sim_trace("---- quiet from here on ----");
    sim_cancel(faults.next);
    sim_cancel(faults.redis);
    start_redis(NULL);
    sim_proc_resume(server_proc());
    server_drop_messages(0);
    server_db()->no_room = false;
    if (faults.read_only)
        server_set_read_only(false);
    for (uint32_t i = 0; i < faults.settings.shards; i++) {
        sim_proc_resume(shard_node_proc(i));
        sim_cancel(faults.shards[i]);
        start_shard((void *)(uintptr_t)i);
    }
    for (uint32_t i = 0; i < faults.settings.gateways; i++) {
        sim_proc_resume(gateway_node_proc(i));
        sim_cancel(faults.gateways[i]);
        start_gateway((void *)(uintptr_t)i);
    }
    for (uint32_t i = 0; i < faults.settings.clients; i++)
        sim_proc_resume(client_proc(i));
    net_heal();
}
