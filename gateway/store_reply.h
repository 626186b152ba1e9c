// What Redis answered, made into what store.h promises. Pure: works on a parsed reply, checks all of it, allocates
// nothing.
//
// All return 0, or ERR_MALFORMED for a reply that is not what REDIS.md says. Pointers go into the reply.
#pragma once

#include <hiredis/hiredis.h>
#include <stddef.h>

#include "common/core/err.h"
#include "gateway/store.h"

// HGETALL of {cluster}:members. Members whose value cannot be read are left out.
MUST_CHECK int store_reply_view(const redisReply *reply, struct member_view *view);
// seed.lua. `errbuf` says what is wrong.
MUST_CHECK int store_reply_config(const redisReply *reply, struct canvas_config *config, char *errbuf, size_t errlen);
// GET of a user's record: absent is the zero record.
MUST_CHECK int store_reply_user(const redisReply *reply, struct user_record *record);
MUST_CHECK int store_reply_time(const redisReply *reply, uint64_t *now_ms);
// online.lua; leaves `pressure` alone.
MUST_CHECK int store_reply_online(const redisReply *reply, struct store_online *online);
MUST_CHECK int store_reply_snapshot(const redisReply *reply, struct store_snapshot *snapshot);
// pixel.lua.
MUST_CHECK int store_reply_pixel(const redisReply *reply, struct store_pixel *pixel);
// GET of a name's record: absent is all zero.
MUST_CHECK int store_reply_name(const redisReply *reply, struct store_name *name);
// name.lua.
MUST_CHECK int store_reply_renamed(const redisReply *reply, enum store_renamed *result, uint64_t *wait_ms);
// ZRANGE WITHSCORES of the heat; `heat` holds scores until store_heat_at makes what they are worth at that time of
// them, and leaves those out that are worth too little.
MUST_CHECK int store_reply_heat(const redisReply *reply, struct store_heat *heat);
void store_heat_at(struct store_heat *heat, uint64_t now_ms);
// HMGET of p, s, k, ks.
MUST_CHECK int store_reply_position(const redisReply *reply, struct store_position *position);
// XRANGE. One entry; how many there are is reply->elements once store_reply_is_log said yes.
bool store_reply_is_log(const redisReply *reply);
MUST_CHECK int store_reply_entry(const redisReply *reply, size_t i, struct store_entry *entry);
