#include "check.h"
#include "gateway/watch_list.h"
#include "proto/ws_proto.h"

static const struct geom geom = {1000, 1000, 64}; // 16 x 16 tiles
static uint8_t message[WS_WATCH_HEAD_LEN + (LIMIT_WATCH_TILES + 1) * WS_ENTRY_LEN];
static struct watch_list list;

static int read_tiles(const struct ws_entry *entries, uint16_t count)
{
    ws_encode_watch(message, WS_WATCH, entries, count);
    return watch_list_read(&list, &geom, message + WS_WATCH_HEAD_LEN, count);
}

static void test_sorts(void **state)
{
    (void)state;
    const struct ws_entry entries[] = {{{3, 1}, {9, 4}}, {{0, 15}, {0, 0}}, {{2, 2}, {7, 1}}};
    assert_int_equal(read_tiles(entries, 3), 0);
    assert_int_equal(list.count, 3);
    assert_true(tile_equal(list.tiles[0], (struct tile){0, 15}));
    assert_true(tile_equal(list.tiles[1], (struct tile){2, 2}));
    assert_true(tile_equal(list.tiles[2], (struct tile){3, 1}));
    assert_true(position_equal(list.pos[2], (struct position){9, 4}));
    assert_int_equal(read_tiles(entries, 0), 0);
    assert_int_equal(list.count, 0);
}

static void test_refuses(void **state)
{
    (void)state;
    const struct ws_entry twice[] = {{{3, 1}, {9, 4}}, {{2, 2}, {0, 0}}, {{3, 1}, {7, 1}}};
    const struct ws_entry outside[] = {{{16, 0}, {0, 0}}};
    const struct ws_entry below[] = {{{0, 16}, {0, 0}}};
    assert_int_equal(read_tiles(twice, 3), ERR_MALFORMED);
    assert_int_equal(read_tiles(outside, 1), ERR_RANGE);
    assert_int_equal(read_tiles(below, 1), ERR_RANGE);
}

static void test_takes_256_and_no_more(void **state)
{
    (void)state;
    struct ws_entry entries[LIMIT_WATCH_TILES];
    for (uint16_t i = 0; i < LIMIT_WATCH_TILES; i++)
        entries[i] = (struct ws_entry){{(uint16_t)(i % 16), (uint16_t)(i / 16)}, {0, 0}};
    assert_int_equal(read_tiles(entries, LIMIT_WATCH_TILES), 0);
    assert_int_equal(watch_list_read(&list, &geom, message + WS_WATCH_HEAD_LEN, LIMIT_WATCH_TILES + 1), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_takes_256_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
