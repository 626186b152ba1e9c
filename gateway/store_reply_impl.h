// What the files of store_reply share. Not for others.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/store_reply.h"

bool store_reply_is_text(const redisReply *reply);
bool store_reply_is_array(const redisReply *reply);
// An integer, as Redis has two ways of writing it. Nil is 0: a field that was never written.
MUST_CHECK int store_reply_number(const redisReply *reply, size_t i, uint64_t max, uint64_t *out);
