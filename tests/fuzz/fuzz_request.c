// One HTTP request and all that is read from it: fed in pieces it comes to the same as fed whole; sessions, origins,
// queries, previews, redirects and upgrades of whatever was let through.
//
//   piece u8, then the request; %T in it stands for a signed session
#include <stdlib.h>
#include <string.h>

#include "gateway/origin.h"
#include "gateway/preview.h"
#include "gateway/query.h"
#include "gateway/redirect.h"
#include "gateway/region.h"
#include "gateway/session.h"
#include "gateway/ws_upgrade.h"
#include "tests/fuzz/edge_text.h"
#include "tests/fuzz/fuzz.h"

// With the token put in; no longer than a connection reads.
static size_t fill_in(char *to, const uint8_t *data, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < size && len < HTTP_REQUEST_MAX; i++) {
        const char *token = edge_text_token();
        bool here = i + 1 < size && data[i] == '%' && data[i + 1] == 'T';
        if (here && len + strlen(token) <= HTTP_REQUEST_MAX) {
            memcpy(to + len, token, strlen(token));
            len += strlen(token);
            i++;
        } else {
            to[len++] = (char)data[i];
        }
    }
    return len;
}

// As a connection does: into a buffer that grows, and moves.
static ssize_t feed_in_pieces(struct http_request *request, const char *text, size_t len, size_t piece, char **buffer)
{
    ssize_t whole = 0;
    *buffer = fuzz_copy(text, 0);
    http_request_init(request);
    for (size_t at = 0; at < len && whole == 0;) {
        size_t next = len - at < piece ? len : at + piece;
        free(*buffer);
        *buffer = fuzz_copy(text, next);
        whole = http_request_feed(request, *buffer, at, next);
        at = next;
    }
    return whole;
}

static void check_queries(const struct http_request *request, const char *buffer)
{
    static const struct geom geom = {5000, 3000, 256};
    static const char *const names[] = {"x", "y", "history", "before", "fresh"};
    const char *target = buffer + request->target.at;
    const char *mark = memchr(target, '?', request->target.len);
    struct query query = {0};
    struct region region;
    struct region_tiles tiles;
    int64_t number = 0;
    size_t len;
    char tags[PREVIEW_TAGS_SIZE];
    if (mark != NULL)
        query = (struct query){mark + 1, request->target.len - (size_t)(mark + 1 - target)};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = query_find(&query, names[i], &len);
        FUZZ_CHECK(value == NULL || (value >= query.text && value + len <= query.text + query.len));
        if (query_number(&query, names[i], -600, 70000, &number) == 0)
            FUZZ_CHECK(number >= -600 && number <= 70000);
        if (query_whole(&query, names[i], 0, 100, &number) == 0)
            FUZZ_CHECK(number >= 0 && number <= 100);
    }
    if (region_parse(&region, &query) == 0 && region_tiles(&region, &geom, &tiles))
        for (uint32_t i = 0; i < region_count(&tiles); i++)
            FUZZ_CHECK(geom_has_tile(&geom, region_tile_at(&tiles, i)));
    len = preview_tags("https://a", &query, &geom, tags);
    FUZZ_CHECK(len > 0 && len == strlen(tags));
}

static void check_host(const struct http_request *request, const char *buffer)
{
    size_t host_len, origin_len;
    bool repeated = false;
    char origin[PREVIEW_ORIGIN_SIZE], header[REDIRECT_HEADER_MAX];
    const char *host = http_request_single(request, buffer, "host", &host_len, &repeated);
    const char *from = http_request_single(request, buffer, "origin", &origin_len, &repeated);
    FUZZ_CHECK(host != NULL && host_len > 0);
    if (preview_origin("", host, host_len, true, origin))
        FUZZ_CHECK(strpbrk(origin, "\"<>& '") == NULL && origin_check_list(origin) == 0);
    if (from != NULL)
        (void)origin_allowed(from, origin_len, host, host_len, true, "https://other.example, http://a:81");
    // What a page of another host says is never believed.
    if (from != NULL && origin_len > 3 && memcmp(from + origin_len - 3, ".no", 3) == 0 &&
        memchr(host, '.', host_len) == NULL)
        FUZZ_CHECK(!origin_allowed(from, origin_len, host, host_len, false, ""));
    size_t len = redirect_header(header, sizeof header, request, buffer, 443);
    FUZZ_CHECK(len == 0 || (len == strlen(header) && strstr(header, "\r\n") == header + len - 2));
}

static void check_session(const struct http_request *request, const char *buffer)
{
    struct session session;
    struct ws_upgrade upgrade;
    char cookie[SESSION_COOKIE_SIZE];
    if (session_read(&session, edge_text_keys(), request, buffer, 5) == 0) {
        FUZZ_CHECK(session.token.user == EDGE_TEXT_USER); // nobody else's was signed
        FUZZ_CHECK(session_renew(&session, edge_text_keys(), 5, 100) == 0);
        session_cookie(&session, 5, true, cookie);
        FUZZ_CHECK(strlen(cookie) < sizeof cookie && strpbrk(cookie, "\r\n") == NULL);
    }
    int err = ws_upgrade_check(&upgrade, request, buffer);
    FUZZ_CHECK(err != 0 || strlen(upgrade.accept) == 28);
    FUZZ_CHECK(err != ERR_MALFORMED || (upgrade.status >= 400 && upgrade.why != NULL));
    (void)http_request_takes_gzip(request, buffer);
    (void)http_request_matches(request, buffer, "\"7-9-raw\"");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[HTTP_REQUEST_MAX + TOKEN_TEXT_SIZE];
    static struct http_request request, whole_request;
    char *buffer, *whole_buffer;
    size_t piece = size > 0 ? 1u + data[0] : 1;
    size_t len = size > 0 ? fill_in(text, data + 1, size - 1) : 0;
    ssize_t pieces = feed_in_pieces(&request, text, len, piece, &buffer);
    ssize_t whole = feed_in_pieces(&whole_request, text, len, HTTP_REQUEST_MAX + 1, &whole_buffer);
    // What is wrong in two ways is refused for the one that is seen first.
    FUZZ_CHECK(pieces == whole && (whole < 0 || request.status == whole_request.status));
    FUZZ_CHECK((pieces < 0) == (request.status >= 400));
    FUZZ_CHECK((whole < 0) == (whole_request.status >= 400));
    FUZZ_CHECK(whole >= 0 || whole_request.why != NULL);
    if (whole > 0) {
        FUZZ_CHECK((size_t)whole <= len && whole == whole_request.head_len + whole_request.body_len);
        FUZZ_CHECK(request.count == whole_request.count && request.target.at == whole_request.target.at &&
                   request.target.len == whole_request.target.len && request.keep_alive == whole_request.keep_alive);
        check_queries(&whole_request, whole_buffer);
        check_host(&whole_request, whole_buffer);
        check_session(&whole_request, whole_buffer);
    }
    free(buffer);
    free(whole_buffer);
    return 0;
}
