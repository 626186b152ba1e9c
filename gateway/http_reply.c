#include "gateway/http_reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    uint16_t status;
    const char *phrase;
    const char *code;
} statuses[] = {
    {200, "OK", "ok"},
    {204, "No Content", "no_content"},
    {304, "Not Modified", "not_modified"},
    {308, "Permanent Redirect", "permanent_redirect"},
    {400, "Bad Request", "bad_request"},
    {401, "Unauthorized", "no_session"},
    {403, "Forbidden", "forbidden_origin"},
    {404, "Not Found", "not_found"},
    {405, "Method Not Allowed", "method_not_allowed"},
    {408, "Request Timeout", "timeout"},
    {409, "Conflict", "conflict"},
    {413, "Content Too Large", "too_large"},
    {417, "Expectation Failed", "expectation_failed"},
    {426, "Upgrade Required", "upgrade_required"},
    {429, "Too Many Requests", "too_many_requests"},
    {431, "Request Header Fields Too Large", "head_too_large"},
    {500, "Internal Server Error", "internal"},
    {503, "Service Unavailable", "unavailable"},
    {505, "HTTP Version Not Supported", "version_not_supported"},
};

static size_t find(uint16_t status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == status)
            return i;
    return find(500);
}

const char *http_reply_phrase(uint16_t status)
{
    return statuses[find(status)].phrase;
}

const char *http_reply_code(uint16_t status)
{
    return statuses[find(status)].code;
}

size_t http_reply_head(char *to, size_t size, const struct http_reply *reply, size_t length,
                       enum http_persistence persistence, int64_t unix_s)
{
    static const char *const lines[] = {"Connection: close\r\n", "", "Connection: keep-alive\r\n"};
    char date[40];
    struct tm tm;
    time_t time = (time_t)unix_s;
    gmtime_r(&time, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    char content[96] = "";
    if (reply->status != 304 && reply->status != 204)
        snprintf(content, sizeof content, "Content-Length: %zu\r\n", length);
    int n = snprintf(to, size,
                     "HTTP/1.1 %u %s\r\n"
                     "Date: %s\r\n"
                     "%s%s%s%s"
                     "X-Content-Type-Options: nosniff\r\n"
                     "%s%s%s\r\n",
                     reply->status, http_reply_phrase(reply->status), date, content,
                     reply->type != NULL ? "Content-Type: " : "", reply->type != NULL ? reply->type : "",
                     reply->type != NULL ? "\r\n" : "", reply->headers != NULL ? reply->headers : "",
                     reply->hsts != NULL ? reply->hsts : "", lines[persistence]);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

void http_reply_error(struct conn *conn, uint16_t status, const char *message, const char *headers)
{
    char text[256], lines[256];
    // A refusal is for this client and now: a cache that kept it would answer others with it.
    snprintf(lines, sizeof lines, "Cache-Control: no-store\r\n%s", headers != NULL ? headers : "");
    int len = snprintf(text, sizeof text, "{\"error\":\"%s\",\"message\":\"%s\"}\n", http_reply_code(status), message);
    http_reply(conn, &(struct http_reply){.status = status,
                                          .type = "application/json",
                                          .headers = lines,
                                          .text = text,
                                          .text_len = len > 0 && (size_t)len < sizeof text ? (size_t)len : 0});
}
