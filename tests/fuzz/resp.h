// A reply of Redis, written as its protocol has it, into a buffer of the caller that is large enough.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct resp {
    uint8_t *bytes;
    size_t len, room;
};

static inline struct resp resp_begin(void *bytes, size_t room)
{
    return (struct resp){bytes, 0, room};
}

void resp_array(struct resp *resp, size_t count);
void resp_number(struct resp *resp, int64_t number);
void resp_bytes(struct resp *resp, const void *bytes, size_t len);
void resp_text(struct resp *resp, const char *text);
void resp_nil(struct resp *resp);
