// GET /: the page, with tags that say what a chat shows of the link (preview.h). They are put in front of </head>, so
// the rest of the page is what was read at start.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/core/mix.h"
#include "gateway/edge_internal.h"
#include "gateway/gzip.h"
#include "gateway/http_reply.h"
#include "gateway/page.h"
#include "gateway/preview.h"

#define HEAD_END "</head>"

// The tags for what was asked; 0: there are none.
static size_t tags_for(const struct call *call, char tags[PREVIEW_TAGS_SIZE])
{
    const struct edge_options *options = &call->conn->edge->options;
    const struct canvas_config *config = cluster_config(call->conn->edge->parts.cluster);
    char origin[PREVIEW_ORIGIN_SIZE];
    size_t len;
    bool repeated = false;
    const char *host = http_request_single(call->request, call->buffer, "host", &len, &repeated);
    if (config == NULL || !preview_origin(options->public_origin, host, len, call->conn->secure, origin))
        return 0;
    return preview_tags(origin, &call->query, &config->geom, tags);
}

static struct shared_buf *with_tags(const struct shared_buf *raw, const char *tags, size_t tags_len)
{
    const uint8_t *at = memmem(raw->bytes, raw->len, HEAD_END, strlen(HEAD_END));
    struct shared_buf *body = at != NULL ? shared_buf_new(raw->len + tags_len) : NULL;
    if (body == NULL)
        return NULL;
    size_t before = (size_t)(at - raw->bytes);
    memcpy(body->bytes, raw->bytes, before);
    memcpy(body->bytes + before, tags, tags_len);
    memcpy(body->bytes + before + tags_len, at, raw->len - before);
    return body;
}

static void reply(const struct call *call, const struct static_file *file, struct shared_buf *body)
{
    bool gzip = http_request_takes_gzip(call->request, call->buffer);
    char etag[STATIC_ETAG_SIZE], headers[PAGE_HEADERS_SIZE];
    snprintf(etag, sizeof etag, "\"%016" PRIx64 "%s\"", mix_fnv1a(body->bytes, body->len), gzip ? "-gz" : "");
    bool same = http_request_matches(call->request, call->buffer, etag);
    struct shared_buf *packed = gzip && !same ? gzip_fast(body) : NULL;
    page_headers(headers, etag, true, packed != NULL);
    http_reply(call->conn, &(struct http_reply){.status = same ? 304 : 200,
                                                .type = same ? NULL : file->type,
                                                .headers = headers,
                                                .body = same             ? NULL
                                                        : packed != NULL ? packed
                                                                         : body});
    shared_buf_unref(packed);
}

bool page_serve(const struct call *call, const struct static_file *file)
{
    char tags[PREVIEW_TAGS_SIZE];
    size_t len = tags_for(call, tags);
    struct shared_buf *body = len > 0 ? with_tags(file->raw, tags, len) : NULL;
    if (body == NULL)
        return false;
    reply(call, file, body);
    shared_buf_unref(body);
    return true;
}
