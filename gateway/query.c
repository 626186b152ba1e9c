#include "gateway/query.h"

#include <string.h>

#define DIGITS_MAX 12u
// Of numbers with decimals: as the page reads them (web/src/url.js).
#define WHOLE_DIGITS_MAX 7u
#define DECIMALS_MAX 20u

const char *query_find(const struct query *query, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    const char *end = query->len > 0 ? query->text + query->len : NULL;
    for (const char *at = query->text; end != NULL && at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        size_t all = (size_t)(stop - at);
        if (all >= name_len && memcmp(at, name, name_len) == 0 && (all == name_len || at[name_len] == '=')) {
            *len = all == name_len ? 0 : all - name_len - 1;
            return stop - *len;
        }
        at = stop + 1;
    }
    return NULL;
}

static size_t digits(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

// What stands behind the digits is nothing, or a point and some decimals. `*more`: they are not all 0.
static bool decimals_end(const char *text, size_t len, bool *more)
{
    *more = false;
    if (len == 0)
        return true;
    for (size_t i = 1; i < len; i++)
        *more |= text[i] != '0';
    return text[0] == '.' && len >= 2 && len <= 1 + DECIMALS_MAX && digits(text + 1, len - 1) == len - 1;
}

static int number(const struct query *query, const char *name, bool decimals, int64_t min, int64_t max, int64_t *out)
{
    size_t len;
    const char *text = query_find(query, name, &len);
    if (text == NULL)
        return ERR_NOT_FOUND;
    bool minus = len > 0 && text[0] == '-', more = false;
    text += minus;
    len -= minus;
    size_t n = digits(text, len);
    if (n == 0 || !(decimals ? decimals_end(text + n, len - n, &more) : n == len))
        return ERR_MALFORMED;
    if (n > (decimals ? WHOLE_DIGITS_MAX : DIGITS_MAX))
        return ERR_RANGE;
    int64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (text[i] - '0');
    if (minus)
        value = -value - more;
    if (value < min || value > max)
        return ERR_RANGE;
    *out = value;
    return 0;
}

int query_number(const struct query *query, const char *name, int64_t min, int64_t max, int64_t *out)
{
    return number(query, name, false, min, max, out);
}

int query_whole(const struct query *query, const char *name, int64_t min, int64_t max, int64_t *out)
{
    return number(query, name, true, min, max, out);
}
