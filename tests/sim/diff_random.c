// Random calls for the comparison (diff.h): mostly what shards and gateways say, sometimes what they should not.
#include "tests/sim/diff.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/core/bytes.h"

static void shard_address(unsigned shard)
{
    char address[32];
    snprintf(address, sizeof address, "10.1.0.%u:7000", shard);
    diff_text(address);
}

static void call_membership(int script)
{
    unsigned shard = (unsigned)diff_below(DIFF_SHARDS);
    diff_start();
    diff_key(KEY_MEMBERS);
    if (script == LUA_BEAT)
        diff_key(KEY_CONFIG);
    if (diff_below(12) == 0)
        diff.incarnations[shard]++;
    shard_address(shard);
    diff_hex(diff.incarnations[shard]);
    if (script == LUA_BEAT)
        diff_number(diff_below(3) == 0 ? 0 : 500);
    diff_text(CHANNEL_CLUSTER);
    diff_call(script);
}

static void call_online(void)
{
    diff_start();
    diff_key(KEY_GATEWAYS);
    diff_key(KEY_MEMBERS);
    diff_key(KEY_CONFIG);
    diff_hex(0xabc0 + diff_below(3));
    diff_number(diff_below(1000));
    diff_call(LUA_ONLINE);
}

static void call_seed(void)
{
    static const char *const names[] = {"width",   "height",   "edge", "cooldown_ms", "guests_per_address",
                                        "palette", "read_only"};
    diff_start();
    diff_key(KEY_CONFIG);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        diff_text(names[i]);
        diff_number(64 + diff_below(3));
    }
    diff_call(LUA_SEED);
}

static void call_take(void)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_DUP0,
                                          KEY_TILE_DUP1, KEY_TILE_LAST, KEY_TILE_LOG};
    unsigned tile = (unsigned)diff_below(DIFF_TILES), shard = (unsigned)diff_below(DIFF_SHARDS);
    diff_start();
    for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
        diff_key_of(tile, whats[i]);
    diff_hex(diff.incarnations[shard]);
    shard_address(shard);
    diff_number(diff_below(4) == 0 ? diff_below(10) : diff.db->view);
    diff_call(LUA_TAKE);
    if (diff.epoch != 0)
        diff.epochs[shard][tile] = diff.epoch;
}

// One's own epoch, mostly.
static uint64_t epoch_of(unsigned shard, unsigned tile)
{
    return diff_below(10) == 0 ? diff_below(5) : diff.epochs[shard][tile];
}

static unsigned owner_of(unsigned tile)
{
    for (unsigned shard = 0; shard < DIFF_SHARDS; shard++) {
        if (diff.incarnations[shard] == diff.db->tiles[tile].owner && diff_below(8) > 0)
            return shard;
    }
    return (unsigned)diff_below(DIFF_SHARDS);
}

static void call_position(void)
{
    unsigned count = 1 + (unsigned)diff_below(DIFF_TILES), shard = owner_of(0);
    diff_start();
    for (unsigned i = 0; i < count; i++)
        diff_key_of(i, KEY_TILE_META);
    diff_hex(diff.incarnations[shard]);
    for (unsigned i = 0; i < count; i++) {
        diff_number(epoch_of(shard, i));
        diff_number(diff.db->tiles[i].pos.seq + (diff_below(6) == 0));
        diff_hex(diff_below(UINT64_MAX));
        diff_channel(i);
    }
    diff_call(LUA_POSITION);
}

static void call_snapshot(void)
{
    unsigned tile = (unsigned)diff_below(DIFF_TILES);
    diff_start();
    diff_key_of(tile, KEY_TILE_META);
    diff_key_of(tile, KEY_TILE_PX);
    diff_call(LUA_SNAPSHOT);
}

static void put_check(uint8_t *at, const uint8_t *update, unsigned user, uint16_t address)
{
    uint16_t offset = bytes_get_u16(update);
    uint32_t nonce = diff.db->users[user].nonce;
    nonce = diff_below(3) == 0 ? nonce : nonce + 1 + (diff_below(10) == 0);
    bytes_set_u32(at, nonce);
    at[4] = update[2];
    bytes_set_u16(at + 5, (uint16_t)(offset % 64));
    bytes_set_u16(at + 7, (uint16_t)(offset / 64));
    bytes_set_u16(at + 9, (uint16_t)(user + 1));
    bytes_set_u16(at + 11, address);
}

static void put_windows(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t field[16], window[DB_WINDOW_LEN];
        bytes_set_u64(field, 1 + i);
        bytes_set_u64(field + 8, 7 + diff_below(2));
        for (size_t k = 0; k < sizeof window; k++)
            window[k] = (uint8_t)diff_below(256);
        diff_bytes(field, sizeof field);
        diff_bytes(window, sizeof window);
    }
}

static void put_tile(unsigned tile, unsigned shard)
{
    uint8_t updates[3 * 8], users[8 * 8], checks[13 * 8];
    unsigned count = 1 + (unsigned)diff_below(8);
    unsigned windows = diff.cooldown_ms == 0 ? 1 + (unsigned)diff_below(3) : 0;
    uint32_t base = diff.db->tiles[tile].pos.seq + (diff_below(12) == 0);
    for (unsigned i = 0; i < count; i++) {
        unsigned user = (unsigned)diff_below(DIFF_USERS);
        bytes_set_u16(updates + 3 * i, (uint16_t)diff_below(diff_below(4) == 0 ? DB_TILE_LEN : 6));
        updates[3 * i + 2] = (uint8_t)diff_below(4);
        bytes_set_u64(users + 8 * i, user);
        put_check(checks + 13 * i, updates + 3 * i, user, (uint16_t)diff_below(DIFF_ADDRESSES + 1));
    }
    diff_number(epoch_of(shard, tile));
    diff_number(base);
    diff_number(count);
    diff_channel(tile);
    diff_bytes(updates, 3 * count);
    diff_bytes(users, 8 * count);
    diff_bytes(checks, diff.cooldown_ms > 0 ? 13 * count : 0);
    diff_number(windows);
    for (unsigned i = 0; i < count; i++) {
        char offset[12];
        snprintf(offset, sizeof offset, "#%u", bytes_get_u16(updates + 3 * i));
        diff_text(offset);
        diff_number(updates[3 * i + 2]);
        diff_number(base + i + 1);
    }
    put_windows(windows);
}

static void call_place(void)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_LAST,
                                          KEY_TILE_LOG,  KEY_TILE_DUP0, KEY_TILE_DUP1};
    unsigned tiles = 1 + (unsigned)diff_below(DIFF_TILES), shard = owner_of(0);
    char name[KEY_MAX];
    diff_start();
    for (unsigned tile = 0; tile < tiles; tile++) {
        for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
            diff_key_of(tile, whats[i]);
    }
    for (unsigned user = 0; user < DIFF_USERS && diff.cooldown_ms > 0; user++) {
        (void)key_user(name, user);
        diff_key(name);
    }
    for (unsigned i = 0; i < DIFF_ADDRESSES && diff.cooldown_ms > 0; i++) {
        snprintf(name, sizeof name, "{a:10.0.0.%u}", i);
        diff_key(name);
    }
    diff_hex(diff.incarnations[shard]);
    diff_number(diff.cooldown_ms);
    diff_number(diff.guests);
    diff_number(tiles);
    diff_number(diff.cooldown_ms > 0 ? DIFF_USERS : 0);
    for (unsigned tile = 0; tile < tiles; tile++)
        put_tile(tile, shard);
    diff_call(LUA_PLACE);
}

static void call_commands(void)
{
    char name[KEY_MAX];
    diff_start();
    diff_text("HGETALL");
    diff_text(diff_below(2) == 0 ? KEY_MEMBERS : KEY_CONFIG);
    diff_call(-1);
    diff_start();
    diff_text("GET");
    (void)key_user(name, diff_below(DIFF_USERS));
    diff_text(name);
    diff_call(-1);
    diff_start();
    diff_text("HMGET");
    (void)key_tile(name, db_tile_at((unsigned)diff_below(DIFF_TILES)), KEY_TILE_META);
    diff_text(name);
    diff_text("p");
    diff_text("s");
    diff_text("k");
    diff_text("ks");
    diff_call(-1);
    diff_start();
    diff_text("XRANGE");
    (void)key_tile(name, db_tile_at((unsigned)diff_below(DIFF_TILES)), KEY_TILE_LOG);
    diff_text(name);
    uint64_t from = diff_below(20);
    if (from == 0) {
        diff_text("-");
    } else {
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64 "-0", from);
        diff_text(id);
    }
    diff_text("+");
    diff_text("COUNT");
    diff_number(1 + diff_below(12));
    diff_call(-1);
}

static void tick(void)
{
    if (diff_below(3) == 0)
        diff.now_ms += (int64_t)diff_below(diff.cooldown_ms > 0 ? diff.cooldown_ms : 400);
    if (diff_below(40) == 0)
        diff.now_ms += (int64_t)diff_below(200000);
    if (diff_below(60) == 0)
        diff.now_ms -= (int64_t)diff_below(30000);
    freeReplyObject(redisCommand(diff.redis, "DEL fake:time"));
    freeReplyObject(redisCommand(diff.redis, "RPUSH fake:time %lld %lld", (long long)(diff.now_ms / 1000),
                                 (long long)(diff.now_ms % 1000 * 1000)));
}

void diff_something(void)
{
    uint64_t kind = diff_below(100);
    tick();
    if (kind < 6)
        call_membership(LUA_JOIN);
    else if (kind < 14)
        call_membership(LUA_BEAT);
    else if (kind < 17)
        call_membership(LUA_LEAVE);
    else if (kind < 22)
        call_online();
    else if (kind < 24)
        call_seed();
    else if (kind < 36)
        call_take();
    else if (kind < 44)
        call_position();
    else if (kind < 48)
        call_snapshot();
    else if (kind < 56)
        call_commands();
    else
        call_place();
}
