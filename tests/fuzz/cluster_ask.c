#include "tests/fuzz/cluster_ask.h"

#include <stdio.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/name.h"
#include "proto/limits.h"
#include "proto/lua_scripts.h"

// ---- Questions, and what their answers must be ----------------------------------------------------------------------

static unsigned waiting;

// A callback has come; `answer` is what it brought.
static void answered(int err, bool has_answer)
{
    FUZZ_CHECK(waiting > 0 && (err == 0) == has_answer);
    waiting--;
}

static void check_name(const struct store_name *name)
{
    size_t len = strnlen(name->text, sizeof name->text);
    FUZZ_CHECK(len < sizeof name->text && (len == 0 || name_check(name->text, len) == NAME_OK));
    FUZZ_CHECK(!name->erased || len == 0);
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    (void)arg;
    answered(err, user != NULL);
    if (user != NULL)
        check_name(&user->name);
}

static void on_names(int err, const struct store_name *names, size_t count, void *arg)
{
    (void)arg;
    answered(err, names != NULL);
    for (size_t i = 0; i < count; i++)
        check_name(&names[i]);
}

static void on_renamed(int err, enum store_renamed result, uint64_t wait_ms, void *arg)
{
    (void)arg;
    (void)wait_ms;
    answered(err, err == 0);
    FUZZ_CHECK(result <= STORE_RENAME_CHANGED);
}

static void on_erased(int err, bool changed, void *arg)
{
    (void)arg;
    (void)changed;
    answered(err, err == 0);
}

static void on_pixel(int err, const struct store_pixel *pixel, void *arg)
{
    (void)arg;
    answered(err, pixel != NULL);
    FUZZ_CHECK(pixel == NULL || pixel->count <= STORE_PLACEMENTS_MAX);
}

static void on_heat(int err, const struct store_heat *heat, void *arg)
{
    (void)arg;
    answered(err, heat != NULL);
    for (size_t i = 0; heat != NULL && i < heat->count; i++)
        FUZZ_CHECK(heat->tiles[i].heat >= 0.5 && heat->tiles[i].heat <= 1099511627776.0);
}

static void on_snapshot(int err, const struct store_snapshot *snapshot, void *arg)
{
    (void)arg;
    answered(err, snapshot != NULL);
    FUZZ_CHECK(snapshot == NULL || snapshot->len <= GEOM_EDGE_MAX * GEOM_EDGE_MAX);
}

static void on_position(int err, const struct store_position *position, void *arg)
{
    (void)arg;
    answered(err, position != NULL);
}

static void on_log(int err, const struct store_entry *entries, size_t count, void *arg)
{
    uint32_t sum = 0;
    (void)arg;
    FUZZ_CHECK(waiting > 0 && (err == 0 || count == 0));
    waiting--;
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(entries[i].count >= 1 && entries[i].count <= LIMIT_BATCH_DRAWS && entries[i].first >= 1);
        for (uint32_t k = 0; k < 3 * entries[i].count; k++)
            sum += entries[i].updates[k]; // all of it is there
    }
    FUZZ_CHECK(sum < UINT32_MAX);
}

void cluster_ask(struct store *store, struct fuzz_in *in)
{
    static const uint64_t users[STORE_NAMES_MAX] = {1, 2, 3};
    const struct tile tile = {fuzz_u8(in), 1};
    const struct store_pixel_asked pixel = {tile, 9, tile.tx, 0};
    const struct store_rename rename = {.user = 5, .old = "", .name = "Ann", .keep_ms = tile.tx};
    waiting++;
    switch (fuzz_below(in, 9)) {
    case 0:
        store_user(store, 1, on_user, NULL);
        break;
    case 1:
        store_names(store, users, tile.tx % STORE_NAMES_MAX, on_names, NULL);
        break;
    case 2:
        store_rename(store, &rename, on_renamed, NULL);
        break;
    case 3:
        store_erase(store, 5, "Ann", on_erased, NULL);
        break;
    case 4:
        store_pixel(store, &pixel, on_pixel, NULL);
        break;
    case 5:
        store_heat(store, on_heat, NULL);
        break;
    case 6:
        store_snapshot(store, tile, on_snapshot, NULL);
        break;
    case 7:
        store_position(store, tile, on_position, NULL);
        break;
    default:
        store_log(store, tile, tile.tx, 10, on_log, NULL);
        break;
    }
}

void cluster_ask_end(void)
{
    FUZZ_CHECK(waiting == 0);
}

// ---- Replies --------------------------------------------------------------------------------------------------------

static void reply_position(struct resp *resp, uint8_t odd)
{
    resp_array(resp, 4);
    resp_text(resp, odd > 0 ? "1700000000000" : "0");
    resp_number(resp, odd);
    if (odd % 2 == 0)
        resp_nil(resp);
    else
        resp_text(resp, "0123456789abcdef");
    resp_number(resp, odd);
}

static void reply_log(struct resp *resp, uint8_t odd)
{
    uint8_t updates[6] = {1, 0, 2, 3, 0, 1};
    char id[24], first[16];
    resp_array(resp, odd % 4);
    for (unsigned i = 0; i < odd % 4u; i++) {
        snprintf(id, sizeof id, "%u-0", 10 + 2 * i);
        snprintf(first, sizeof first, "%u", 9 + 2 * i);
        resp_array(resp, 2);
        resp_text(resp, id);
        resp_array(resp, 8);
        resp_text(resp, "l");
        resp_text(resp, "1");
        resp_text(resp, "e");
        resp_text(resp, "1700000000000");
        resp_text(resp, "f");
        resp_text(resp, first);
        resp_text(resp, "u");
        resp_bytes(resp, updates, sizeof updates);
    }
}

static void reply_pixel(struct resp *resp, uint8_t odd)
{
    uint8_t placements[21 * 4] = {1, 0, 0, 0, 7};
    resp_array(resp, 4);
    resp_number(resp, 1700000000000);
    resp_number(resp, odd % 4);
    resp_number(resp, odd);
    resp_bytes(resp, placements, 21u * (odd % 5));
}

static void reply_heat(struct resp *resp, uint8_t odd)
{
    resp_array(resp, 2 * (odd % 3u));
    for (unsigned i = 0; i < odd % 3u; i++) {
        resp_text(resp, i == 0 ? "0:1" : "65535:65535");
        resp_text(resp, odd > 100 ? "1e308" : "5666666.5");
    }
}

// GET: a record or a name, whichever key it was.
static void reply_get(struct resp *resp, const struct mem_redis_command *command, uint8_t odd)
{
    uint8_t record[24] = {1, 3, 5, 0, 6, 0, 0, 0, 9},
            name[15] = {1, odd == 7, [4] = 1, [12] = 'A', [13] = 'n', [14] = 'n'};
    bool is_name = memmem(command->args[1].data, command->args[1].len, "n:", 2) != NULL;
    if (odd % 2 == 0)
        resp_nil(resp);
    else
        resp_bytes(resp, is_name ? name : record, is_name ? (odd == 7 ? 12 : sizeof name) : sizeof record);
}

static bool is(const struct mem_redis_command *command, const char *name)
{
    return command->args[0].len == strlen(name) && memcmp(command->name, name, command->args[0].len) == 0;
}

static void reply_command(const struct redis_state *state, const struct mem_redis_command *command, struct resp *resp,
                          uint8_t odd)
{
    if (is(command, "GET")) {
        reply_get(resp, command, odd);
    } else if (is(command, "TIME")) {
        resp_array(resp, 2);
        resp_text(resp, "1700000000");
        resp_text(resp, "999999");
    } else if (is(command, "HMGET")) {
        reply_position(resp, odd);
    } else if (is(command, "XRANGE")) {
        reply_log(resp, odd);
    } else if (is(command, "ZRANGE")) {
        reply_heat(resp, odd);
    } else if (is(command, "INFO")) {
        resp_text(resp, odd == 1 ? "used_memory:95\r\nmaxmemory:100\r\n" : "used_memory:1\r\nmaxmemory:0\r\n");
    } else {
        redis_state_view(state, resp);
    }
}

void cluster_ask_reply(const struct redis_state *state, const struct mem_redis_command *command, struct resp *resp,
                       struct fuzz_in *in)
{
    static const uint8_t px[4096];
    uint8_t odd = fuzz_u8(in);
    switch (command->script) {
    case LUA_SEED:
        redis_state_config(state, resp);
        break;
    case LUA_ONLINE:
        resp_array(resp, 3);
        resp_number(resp, odd);
        resp_number(resp, (int64_t)state->view);
        resp_number(resp, state->version);
        break;
    case LUA_SNAPSHOT:
        resp_array(resp, 3);
        resp_number(resp, odd > 0 ? 1700000000000 : 0);
        resp_number(resp, odd);
        resp_bytes(resp, px, odd * 16u);
        break;
    case LUA_PIXEL:
        reply_pixel(resp, odd);
        break;
    case LUA_NAME:
        resp_array(resp, 2);
        resp_number(resp, odd % 5);
        resp_number(resp, odd);
        break;
    case LUA_ERASE:
        resp_number(resp, odd);
        break;
    default:
        reply_command(state, command, resp, odd);
        break;
    }
}
