// The assembler reads the files, so that what runs in Redis is what lies in proto/lua, byte for byte; the Makefile
// rebuilds this object when one of them changes. Paths are relative to the top of the tree, where make compiles.
#include "proto/lua_scripts.h"

#define EMBED(name)                                                                                                    \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".globl lua_text_" #name "\n"                                                                              \
            ".type lua_text_" #name ", @object\n"                                                                      \
            "lua_text_" #name ":\n"                                                                                    \
            ".incbin \"proto/lua/" #name ".lua\"\n"                                                                    \
            ".byte 0\n"                                                                                                \
            ".size lua_text_" #name ", . - lua_text_" #name "\n"                                                       \
            ".popsection\n");                                                                                          \
    extern const char lua_text_##name[]

EMBED(seed);
EMBED(join);
EMBED(beat);
EMBED(leave);
EMBED(online);
EMBED(take);
EMBED(place);
EMBED(position);
EMBED(snapshot);
EMBED(settings);
EMBED(owners);
EMBED(pixel);
EMBED(name);
EMBED(erase);
EMBED(heat);
EMBED(tile);
EMBED(replace);
EMBED(restore);
EMBED(audit);
EMBED(restore_name);
EMBED(restore_write);

const char *const lua_scripts[LUA_SCRIPT_COUNT] = {
    [LUA_SEED] = lua_text_seed,
    [LUA_JOIN] = lua_text_join,
    [LUA_BEAT] = lua_text_beat,
    [LUA_LEAVE] = lua_text_leave,
    [LUA_ONLINE] = lua_text_online,
    [LUA_TAKE] = lua_text_take,
    [LUA_PLACE] = lua_text_place,
    [LUA_POSITION] = lua_text_position,
    [LUA_SNAPSHOT] = lua_text_snapshot,
    [LUA_PIXEL] = lua_text_pixel,
    [LUA_NAME] = lua_text_name,
    [LUA_ERASE] = lua_text_erase,
    [LUA_SETTINGS] = lua_text_settings,
    [LUA_OWNERS] = lua_text_owners,
    [LUA_HEAT] = lua_text_heat,
    [LUA_TILE] = lua_text_tile,
    [LUA_REPLACE] = lua_text_replace,
    [LUA_RESTORE] = lua_text_restore,
    [LUA_AUDIT] = lua_text_audit,
    [LUA_RESTORE_NAME] = lua_text_restore_name,
    [LUA_RESTORE_WRITE] = lua_text_restore_write,
};
