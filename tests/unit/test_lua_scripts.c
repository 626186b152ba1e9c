#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/lua_scripts.h"

static const char *const names[LUA_SCRIPT_COUNT] = {
    [LUA_SEED] = "seed",
    [LUA_JOIN] = "join",
    [LUA_BEAT] = "beat",
    [LUA_LEAVE] = "leave",
    [LUA_ONLINE] = "online",
    [LUA_TAKE] = "take",
    [LUA_PLACE] = "place",
    [LUA_POSITION] = "position",
    [LUA_SNAPSHOT] = "snapshot",
    [LUA_PIXEL] = "pixel",
    [LUA_NAME] = "name",
    [LUA_ERASE] = "erase",
    [LUA_SETTINGS] = "settings",
    [LUA_OWNERS] = "owners",
    [LUA_HEAT] = "heat",
    [LUA_TILE] = "tile",
    [LUA_REPLACE] = "replace",
    [LUA_RESTORE] = "restore",
    [LUA_AUDIT] = "audit",
    [LUA_RESTORE_NAME] = "restore_name",
    [LUA_RESTORE_WRITE] = "restore_write",
};

// Each is its file, byte for byte, under its own number.
static void test_scripts_are_the_files(void **state)
{
    (void)state;
    for (int i = 0; i < LUA_SCRIPT_COUNT; i++) {
        char path[64];
        static char text[65536];
        (void)snprintf(path, sizeof path, "proto/lua/%s.lua", names[i]);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof text - 1, file);
        (void)fclose(file);
        text[len] = '\0';
        assert_true(len > 0);
        assert_string_equal(lua_scripts[i], text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts_are_the_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
