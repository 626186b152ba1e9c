// What the files of common/admin share. Not for others.
#pragma once

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdbool.h>

#include "common/admin/admin.h"
#include "common/io/msg_sock.h"
#include "common/io/redis_conn.h"
#include "proto/admin_proto.h"
#include "proto/canvas_config.h"

#define ADMIN_VIA_SIZE 96u

struct admin_conn;
struct admin_call;

// One COMMAND, from its arrival to its ANSWER. It outlives its connection until Redis has answered.
struct admin_call {
    struct admin *admin;
    struct admin_conn *conn; // NULL: gone
    uint32_t number;
    json_t *request; // what the texts point into
    const char *name, *who;
    const char *args[ADMIN_ARGS_MAX];
    size_t arg_count;
    void *state;                     // of the command; freed with the call by
    void (*free_state)(void *state); // NULL = free
};

struct admin_command {
    const char *name;
    uint8_t min, max; // arguments
    const char *usage;
    void (*run)(struct admin_call *call);
};

extern const struct admin_command admin_commands[];
extern const size_t admin_command_count;

// ---- admin.c: each ends the call ------------------------------------------------------------------------------------

// `result` is taken over; NULL: no memory.
void admin_answer(struct admin_call *call, json_t *result);
__attribute__((format(printf, 3, 4))) void admin_fail(struct admin_call *call, const char *error, const char *format,
                                                      ...);
const char *admin_via(const struct admin *admin);
const char *admin_role(const struct admin *admin);
struct monotime admin_started(const struct admin *admin);
struct loop *admin_loop(const struct admin *admin);

// ---- admin_redis.c -------------------------------------------------------------------------------------------------

// Asks; `next` gets the reply, which is then no error. Otherwise the call fails by itself, as it does when nothing
// could be asked. `next` is not called back within these.
typedef void admin_reply_fn(struct admin_call *call, const redisReply *reply);
void admin_ask(struct admin_call *call, const struct redis_arg *args, size_t count, admin_reply_fn *next);
void admin_run(struct admin_call *call, int script, bool reads_only, const struct redis_arg *keys, size_t key_count,
               const struct redis_arg *args, size_t arg_count, admin_reply_fn *next);
struct redis_conn *admin_redis(struct admin *admin);

// Reads the settings; `next` gets them. When there are none yet the call fails.
typedef void admin_config_fn(struct admin_call *call, const struct canvas_config *config);
void admin_read_config(struct admin_call *call, admin_config_fn *next);

// A text of Redis; "" when it is none, or no UTF-8, or has a zero inside.
json_t *admin_text(const redisReply *reply);

// ---- Commands ------------------------------------------------------------------------------------------------------

void admin_run_status(struct admin_call *call);  // admin_status.c
void admin_run_tiles(struct admin_call *call);   // admin_tiles.c
void admin_run_get(struct admin_call *call);     // admin_settings.c
void admin_run_set(struct admin_call *call);     // admin_change.c
void admin_run_palette(struct admin_call *call); // admin_change.c
void admin_run_canvas(struct admin_call *call);  // admin_change.c
void admin_run_audit(struct admin_call *call);   // admin_audit.c

// admin_settings.c: "5s", "250ms", "0".
#define ADMIN_DURATION_SIZE 24u
void admin_duration_text(char to[ADMIN_DURATION_SIZE], uint32_t ms);
// A color as {"name","rgb"}, and the settings as one object. NULL without memory.
json_t *admin_color(const struct palette_color *color);
json_t *admin_settings(const struct canvas_config *config);

// admin_tiles.c: visits the tiles that were ever taken, from number `from` on, a slice per question.
struct admin_owner {
    uint32_t number; // row by row
    struct tile tile;
    const redisReply *values; // of owners.lua: incarnation, address, epoch, view, epoch of the position, seq
};
struct admin_scan {
    struct geom geom;
    uint32_t next, end; // numbers of tiles
    // Returns whether to go on.
    bool (*visit)(struct admin_call *call, const struct admin_owner *owner);
    void (*done)(struct admin_call *call); // `next` tells where it ended
};
void admin_scan(struct admin_call *call, struct admin_scan *scan);
