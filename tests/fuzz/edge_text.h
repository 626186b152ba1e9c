// What bytes alone do not find: a signed session, whole requests that make a WebSocket, and the files of the page. For
// fuzz_edge.c and fuzz_request.c.
#pragma once

#include <stddef.h>

#include "common/core/token.h"
#include "gateway/static_files.h"

#define EDGE_TEXT_USER 42u

const struct token_keys *edge_text_keys(void);
const char *edge_text_token(void);
const struct static_files *edge_text_files(void);
// Any number will do.
const char *edge_text(unsigned number, size_t *len);
