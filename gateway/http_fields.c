// Reading the header fields of a request that is whole.
#include "gateway/http.h"

#include <string.h>
#include <strings.h>

// A piece of a field; not terminated.
struct text {
    const char *at;
    size_t len;
};

static struct text trim(struct text text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

// Cuts off what is in front of the next `separator`, trimmed; false at the end.
static bool next_part(struct text *rest, char separator, struct text *part)
{
    if (rest->at == NULL)
        return false;
    const char *end = memchr(rest->at, separator, rest->len);
    *part = (struct text){rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len};
    if (end != NULL)
        *rest = (struct text){end + 1, rest->len - part->len - 1};
    else
        rest->at = NULL;
    *part = trim(*part);
    return true;
}

static bool text_is(struct text text, const char *word)
{
    return strlen(word) == text.len && strncasecmp(text.at, word, text.len) == 0;
}

const char *http_request_header(const struct http_request *request, const char *buffer, const char *name,
                                unsigned *from, size_t *len)
{
    size_t name_len = strlen(name);
    for (unsigned i = *from; i < request->count; i++) {
        const struct http_header *header = &request->headers[i];
        if (header->name.len != name_len || strncasecmp(buffer + header->name.at, name, name_len) != 0)
            continue;
        struct text value = trim((struct text){buffer + header->value.at, header->value.len});
        *from = i + 1;
        *len = value.len;
        return value.at;
    }
    *from = request->count;
    return NULL;
}

const char *http_request_single(const struct http_request *request, const char *buffer, const char *name, size_t *len,
                                bool *repeated)
{
    unsigned from = 0;
    size_t second_len;
    const char *value = http_request_header(request, buffer, name, &from, len);
    if (value != NULL && http_request_header(request, buffer, name, &from, &second_len) != NULL) {
        *repeated = true;
        return NULL;
    }
    return value;
}

bool http_request_lists(const struct http_request *request, const char *buffer, const char *name, const char *token)
{
    unsigned from = 0;
    struct text rest, element, bare;
    while ((rest.at = http_request_header(request, buffer, name, &from, &rest.len)) != NULL)
        while (next_part(&rest, ',', &element))
            if (next_part(&element, ';', &bare) && text_is(bare, token))
                return true;
    return false;
}

// The weight of a coding is not 0: no parameter `q=0`, `q=0.0` ….
static bool is_wanted(struct text parameters)
{
    struct text parameter;
    while (next_part(&parameters, ';', &parameter)) {
        if (parameter.len < 3 || strncasecmp(parameter.at, "q=", 2) != 0)
            continue;
        for (size_t i = 2; i < parameter.len; i++)
            if (parameter.at[i] >= '1' && parameter.at[i] <= '9')
                return true;
        return false;
    }
    return true;
}

bool http_request_takes_gzip(const struct http_request *request, const char *buffer)
{
    unsigned from = 0;
    struct text rest, element, bare;
    bool any = false;
    while ((rest.at = http_request_header(request, buffer, "accept-encoding", &from, &rest.len)) != NULL)
        while (next_part(&rest, ',', &element)) {
            if (!next_part(&element, ';', &bare))
                continue;
            if (text_is(bare, "gzip"))
                return is_wanted(element);
            if (text_is(bare, "*"))
                any = is_wanted(element);
        }
    return any;
}

const char *http_request_cookie(const struct http_request *request, const char *buffer, const char *name, unsigned nth,
                                size_t *len)
{
    unsigned from = 0;
    size_t name_len = strlen(name);
    struct text rest, pair;
    while ((rest.at = http_request_header(request, buffer, "cookie", &from, &rest.len)) != NULL)
        while (next_part(&rest, ';', &pair))
            if (pair.len > name_len && pair.at[name_len] == '=' && memcmp(pair.at, name, name_len) == 0 && nth-- == 0) {
                *len = pair.len - name_len - 1;
                return pair.at + name_len + 1;
            }
    return NULL;
}

bool http_request_matches(const struct http_request *request, const char *buffer, const char *etag)
{
    unsigned from = 0;
    struct text rest, element;
    while ((rest.at = http_request_header(request, buffer, "if-none-match", &from, &rest.len)) != NULL)
        while (next_part(&rest, ',', &element)) {
            if (element.len == 1 && element.at[0] == '*')
                return true;
            if (element.len > 2 && memcmp(element.at, "W/", 2) == 0)
                element = (struct text){element.at + 2, element.len - 2};
            if (element.len == strlen(etag) && memcmp(element.at, etag, element.len) == 0)
                return true;
        }
    return false;
}
