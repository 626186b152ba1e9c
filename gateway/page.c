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

// Both forms are put together anew for each request: links are easily made up, and packing the page for each would take
// ten times as long as all the rest of a request.

static struct shared_buf *with_tags(const struct shared_buf *raw, size_t before, const char *tags, size_t tags_len)
{
    struct shared_buf *body = shared_buf_new(raw->len + tags_len);
    if (body == NULL)
        return NULL;
    memcpy(body->bytes, raw->bytes, before);
    memcpy(body->bytes + before, tags, tags_len);
    memcpy(body->bytes + before + tags_len, raw->bytes + before, raw->len - before);
    return body;
}

static struct shared_buf *packed_with_tags(struct edge_page *page, const struct shared_buf *raw, size_t before,
                                           const char *tags, size_t tags_len)
{
    if ((page->before.blocks == NULL && gzip_part_make(&page->before, raw->bytes, before, false) != 0) ||
        (page->behind.blocks == NULL &&
         gzip_part_make(&page->behind, raw->bytes + before, raw->len - before, true) != 0))
        return NULL;
    return gzip_join(&page->before, tags, tags_len, &page->behind);
}

void page_fini(struct edge *edge)
{
    gzip_part_fini(&edge->page.before);
    gzip_part_fini(&edge->page.behind);
}

bool page_serve(const struct call *call, const struct static_file *file)
{
    char tags[PREVIEW_TAGS_SIZE], etag[STATIC_ETAG_SIZE], headers[PAGE_HEADERS_SIZE];
    const struct shared_buf *raw = file->raw;
    const uint8_t *at = memmem(raw->bytes, raw->len, HEAD_END, strlen(HEAD_END));
    size_t len = at != NULL ? tags_for(call, tags) : 0;
    if (len == 0)
        return false;
    size_t before = (size_t)(at - raw->bytes);
    bool gzip = http_request_takes_gzip(call->request, call->buffer);
    uint64_t key = mix_fnv1a(tags, len) ^ mix_fnv1a(file->etag, strlen(file->etag));
    snprintf(etag, sizeof etag, "\"%016" PRIx64 "%s\"", key, gzip ? "-gz" : "");
    bool same = http_request_matches(call->request, call->buffer, etag);
    struct shared_buf *body = same   ? NULL
                              : gzip ? packed_with_tags(&call->conn->edge->page, raw, before, tags, len)
                                     : with_tags(raw, before, tags, len);
    if (!same && body == NULL)
        return false;
    page_headers(headers, etag, true, gzip && !same);
    http_reply(call->conn,
               &(struct http_reply){
                   .status = same ? 304 : 200, .type = same ? NULL : file->type, .headers = headers, .body = body});
    shared_buf_unref(body);
    return true;
}
