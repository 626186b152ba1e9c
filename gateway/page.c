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

// ---- What was made lately -------------------------------------------------------------------------------------------
//
// Nearly all ask for the same few links. Packing takes ten times as long as all the rest of a request.

// The number is no proof: hosts can be made up until two of them have the same.
static bool has_tags(const struct edge_page *page, const struct static_file *file, const char *tags, size_t tags_len)
{
    const uint8_t *at = memmem(file->raw->bytes, file->raw->len, HEAD_END, strlen(HEAD_END));
    return at != NULL && page->raw->len == file->raw->len + tags_len &&
           memcmp(page->raw->bytes + (at - file->raw->bytes), tags, tags_len) == 0;
}

// In a place of its number's own: who comes later to the same place goes in instead. NULL without memory, or when the
// page has no head to put tags into.
static struct edge_page *page_for(struct edge *edge, const struct static_file *file, const char *tags, size_t tags_len)
{
    uint64_t key = mix_fnv1a(tags, tags_len) ^ mix_fnv1a(file->etag, strlen(file->etag));
    struct edge_page *page = &edge->pages[key % EDGE_PAGES];
    if (page->raw != NULL && page->key == key && has_tags(page, file, tags, tags_len))
        return page;
    struct shared_buf *raw = with_tags(file->raw, tags, tags_len);
    if (raw == NULL)
        return NULL;
    shared_buf_unref(page->raw);
    shared_buf_unref(page->packed);
    *page = (struct edge_page){.key = key, .raw = raw};
    return page;
}

void page_fini(struct edge *edge)
{
    for (size_t i = 0; i < EDGE_PAGES; i++) {
        shared_buf_unref(edge->pages[i].raw);
        shared_buf_unref(edge->pages[i].packed);
        edge->pages[i] = (struct edge_page){0};
    }
}

static void reply(const struct call *call, const struct static_file *file, struct edge_page *page)
{
    char etag[STATIC_ETAG_SIZE], headers[PAGE_HEADERS_SIZE];
    bool gzip = http_request_takes_gzip(call->request, call->buffer);
    if (gzip && page->packed == NULL)
        page->packed = gzip_fast(page->raw);
    gzip = gzip && page->packed != NULL;
    snprintf(etag, sizeof etag, "\"%016" PRIx64 "%s\"", page->key, gzip ? "-gz" : "");
    bool same = http_request_matches(call->request, call->buffer, etag);
    page_headers(headers, etag, true, gzip && !same);
    http_reply(call->conn, &(struct http_reply){.status = same ? 304 : 200,
                                                .type = same ? NULL : file->type,
                                                .headers = headers,
                                                .body = same   ? NULL
                                                        : gzip ? page->packed
                                                               : page->raw});
}

bool page_serve(const struct call *call, const struct static_file *file)
{
    char tags[PREVIEW_TAGS_SIZE];
    size_t len = tags_for(call, tags);
    struct edge_page *page = len > 0 ? page_for(call->conn->edge, file, tags, len) : NULL;
    if (page == NULL)
        return false;
    reply(call, file, page);
    return true;
}
