#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/keys.h"

static void test_tile_keys(void **state)
{
    (void)state;
    char key[KEY_MAX];
    struct tile tile = {.tx = 3, .ty = 65535};
    static const char *const expected[] = {
        [KEY_TILE_META] = "{t:3:65535}:meta", [KEY_TILE_PX] = "{t:3:65535}:px",
        [KEY_TILE_LAST] = "{t:3:65535}:last", [KEY_TILE_LOG] = "{t:3:65535}:log",
        [KEY_TILE_DUP0] = "{t:3:65535}:dup0", [KEY_TILE_DUP1] = "{t:3:65535}:dup1",
        [KEY_TILE_BUS] = "{t:3:65535}:bus",
    };
    for (int what = KEY_TILE_META; what <= KEY_TILE_BUS; what++) {
        assert_int_equal(key_tile(key, tile, (enum key_tile)what), strlen(expected[what]));
        assert_string_equal(key, expected[what]);
    }
}

static void test_user_key_has_its_group(void **state)
{
    (void)state;
    char key[KEY_MAX];
    assert_int_equal(key_user(key, 0xc0ffee000000007f), strlen("{u:63}:c0ffee000000007f"));
    assert_string_equal(key, "{u:63}:c0ffee000000007f");
    assert_int_equal(key_user_name(key, 0xc0ffee000000007f), strlen("{u:63}:n:c0ffee000000007f"));
    assert_string_equal(key, "{u:63}:n:c0ffee000000007f");
    (void)key_name(key, "rnapия");
    assert_string_equal(key, "{n:rnapия}");
    (void)key_user(key, 64);
    assert_string_equal(key, "{u:0}:0000000000000040");
}

static void assert_address(const char *text, const char *expected)
{
    char key[KEY_MAX];
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, text, strlen(text)), 0);
    assert_int_equal(key_address(key, &addr), strlen(expected));
    assert_string_equal(key, expected);
}

static void test_address_keys(void **state)
{
    (void)state;
    assert_address("192.0.2.7", "{a:192.0.2.7}");
    assert_address("::ffff:192.0.2.7", "{a:192.0.2.7}");
    assert_address("2001:db8:1:2:3:4:5:6", "{a:2001:db8:1:2::/64}");
}

static void test_channels_read(void **state)
{
    (void)state;
    static const struct tile tiles[] = {{0, 0}, {7, 1023}, {65535, 65535}};
    for (size_t i = 0; i < sizeof tiles / sizeof tiles[0]; i++) {
        char channel[KEY_MAX];
        struct tile tile;
        size_t len = key_tile(channel, tiles[i], KEY_TILE_BUS);
        assert_int_equal(key_tile_of_channel(channel, len, &tile), 0);
        assert_true(tile_equal(tile, tiles[i]));
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(key_tile_of_channel(channel, cut, &tile), ERR_MALFORMED);
    }
}

static void test_other_channels_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        CHANNEL_CLUSTER,
        "{t:1:2}:log",
        "{t:1:2}:bus ",
        "{t:01:2}:bus",
        "{t:1:}:bus",
        "{t::2}:bus",
        "{t:-1:2}:bus",
        "{t:+1:2}:bus",
        "{t: 1:2}:bus",
        "{t:65536:2}:bus",
        "{t:1:4294967297}:bus",
        "{u:1:2}:bus",
        "{t:1;2}:bus",
    };
    struct tile tile;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (key_tile_of_channel(names[i], strlen(names[i]), &tile) != ERR_MALFORMED)
            fail_msg("taken: %s", names[i]);
    }
}

// Only a record's own key, whole: neither a name's, nor one of another group.
static void test_users_read(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "{u:5}:",
                                         "0000000000000045",
                                         "{u:5}:n:0000000000000045",
                                         "{u:6}:0000000000000045",
                                         "{u:5}:000000000000004",
                                         "{u:5}:000000000000004G",
                                         "{u:05}:0000000000000045",
                                         "{u:5}:00000000000000456"};
    char key[KEY_MAX];
    uint64_t user;
    size_t len = key_user(key, 0x45);
    assert_int_equal(key_user_parse(key, len, &user), 0);
    assert_int_equal(user, 0x45);
    len = key_user(key, UINT64_MAX);
    assert_int_equal(key_user_parse(key, len, &user), 0);
    assert_true(user == UINT64_MAX);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(key_user_parse(others[i], strlen(others[i]), &user), ERR_MALFORMED);
    assert_int_equal(key_user_name_parse(others[3], strlen(others[3]), &user), 0);
    assert_int_equal(user, 0x45);
    assert_int_equal(key_user_name_parse(key, len, &user), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile_keys),
        cmocka_unit_test(test_user_key_has_its_group),
        cmocka_unit_test(test_address_keys),
        cmocka_unit_test(test_channels_read),
        cmocka_unit_test(test_other_channels_refused),
        cmocka_unit_test(test_users_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
