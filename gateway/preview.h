// What chats and search engines show of a link: the og: and twitter: tags of the page (ogp.me), with a picture of the
// place that the link names (PROTOCOL.md 1.1, Links). Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/geom.h"
#include "gateway/query.h"

#define PREVIEW_ORIGIN_SIZE 280u // scheme, host, port
#define PREVIEW_TAGS_SIZE 2048u

// The origin that links are made of: `configured`, or, when that is empty, of the Host header's value. False when that
// is no host: nothing of it gets into the page then.
bool preview_origin(const char *configured, const char *host, size_t host_len, bool tls,
                    char origin[PREVIEW_ORIGIN_SIZE]);

// The tags, each on a line, for a link with this query. Returns their length. Only numbers and `origin`, which
// preview_origin has made, come into them. A place outside the canvas, or none: the whole canvas.
size_t preview_tags(const char *origin, const struct query *query, const struct geom *geom,
                    char tags[PREVIEW_TAGS_SIZE]);
