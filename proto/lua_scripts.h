// The Lua of proto/lua, embedded. The order is that of redis_conn's script table.
#pragma once

enum lua_script {
    LUA_SEED,
    LUA_JOIN,
    LUA_BEAT,
    LUA_LEAVE,
    LUA_ONLINE,
    LUA_TAKE,
    LUA_PLACE,
    LUA_POSITION,
    LUA_SNAPSHOT,
    LUA_SETTINGS,
    LUA_OWNERS,
    LUA_PIXEL,
    LUA_NAME,
    LUA_ERASE,
    LUA_HEAT,
    LUA_TILE,
    LUA_REPLACE,
    LUA_RESTORE,
    LUA_AUDIT,
    LUA_RESTORE_NAME,
    LUA_RESTORE_WRITE,
    LUA_SCRIPT_COUNT,
};

// Zero-terminated texts, static storage.
extern const char *const lua_scripts[LUA_SCRIPT_COUNT];
