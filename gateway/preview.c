#include "gateway/preview.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/origin.h"
#include "proto/limits.h"

#define WIDTH 1200 // of the picture: what chats like best
#define HEIGHT 630
#define SCALE_MIN 3 // so that a side is at most 512 pixels of the canvas
#define SCALE_MAX 32
#define SCALE 4
#define PLACE_MAX INT64_C(10000000) // more than any number of a place has digits for

// A host, perhaps with a port, or an IPv6 address in brackets: none of its characters means anything in HTML.
static bool is_host(const char *text, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:";
    static const char hex[] = "abcdefABCDEF0123456789.:";
    const char *bracket = text[0] == '[' ? memchr(text, ']', len) : NULL;
    size_t inside = bracket != NULL ? (size_t)(bracket - text) : 0;
    for (size_t i = bracket != NULL ? 1 : 0; i < len; i++)
        if (i != inside && (text[i] == '\0' || strchr(i < inside ? hex : letters, text[i]) == NULL))
            return false;
    return bracket != NULL ? inside > 1 : text[0] != ':';
}

bool preview_origin(const char *configured, const char *host, size_t host_len, bool tls,
                    char origin[PREVIEW_ORIGIN_SIZE])
{
    if (configured[0] != '\0') {
        snprintf(origin, PREVIEW_ORIGIN_SIZE, "%s", configured);
        return true;
    }
    if (host == NULL || host_len == 0 || host_len + 16 > PREVIEW_ORIGIN_SIZE || !is_host(host, host_len))
        return false;
    snprintf(origin, PREVIEW_ORIGIN_SIZE, "%s://%.*s", tls ? "https" : "http", (int)host_len, host);
    return origin_check_list(origin) == 0;
}

// Where the link leads; false: to no place. The page understands the links of older sites as well (web/src/url.js), of
// those whose place is in the query: behind a # nothing comes here.
static bool place(const struct query *query, const struct geom *geom, int64_t *x, int64_t *y, int64_t *scale)
{
    static const struct {
        const char *x, *y, *zoom, *other_zoom;
    } forms[] = {{"x", "y", "zoom", "scale"}, {"cx", "cy", "px", "px"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (query_whole(query, forms[i].x, -PLACE_MAX, PLACE_MAX, x) != 0 ||
            query_whole(query, forms[i].y, -PLACE_MAX, PLACE_MAX, y) != 0)
            continue;
        if (*x < 0 || *y < 0 || !geom_has_pixel(geom, (uint32_t)*x, (uint32_t)*y))
            return false;
        if (query_whole(query, forms[i].zoom, 0, 1000000, scale) != 0 &&
            query_whole(query, forms[i].other_zoom, 0, 1000000, scale) != 0)
            *scale = SCALE;
        *scale = *scale < SCALE_MIN ? SCALE_MIN : *scale > SCALE_MAX ? SCALE_MAX : *scale;
        return true;
    }
    return false;
}

size_t preview_tags(const char *origin, const struct query *query, const struct geom *geom,
                    char tags[PREVIEW_TAGS_SIZE])
{
    char image[256] = "", url[96] = "/", title[64] = "Tessera";
    int64_t x, y, scale;
    int width = WIDTH, height = HEIGHT;
    if (place(query, geom, &x, &y, &scale)) {
        int64_t w = WIDTH / scale, h = HEIGHT / scale;
        width = (int)(w * scale);
        height = (int)(h * scale);
        snprintf(title, sizeof title, "Tessera at %" PRId64 ", %" PRId64, x, y);
        snprintf(url, sizeof url, "/?x=%" PRId64 "&amp;y=%" PRId64 "&amp;zoom=%" PRId64, x, y, scale);
        snprintf(image, sizeof image,
                 "/api/v1/region.png?x=%" PRId64 "&amp;y=%" PRId64 "&amp;w=%" PRId64 "&amp;h=%" PRId64
                 "&amp;scale=%" PRId64,
                 x - w / 2, y - h / 2, w, h, scale);
    } else if (geom->width <= LIMIT_WHOLE_CANVAS && geom->height <= LIMIT_WHOLE_CANVAS) {
        width = (int)geom->width;
        height = (int)geom->height;
        snprintf(image, sizeof image, "/api/v1/canvas.png");
    } else {
        int64_t w = WIDTH / SCALE_MIN, h = HEIGHT / SCALE_MIN;
        snprintf(image, sizeof image,
                 "/api/v1/region.png?x=%" PRId64 "&amp;y=%" PRId64 "&amp;w=%" PRId64 "&amp;h=%" PRId64 "&amp;scale=%d",
                 geom->width / 2 - w / 2, geom->height / 2 - h / 2, w, h, SCALE_MIN);
    }
    int len =
        snprintf(tags, PREVIEW_TAGS_SIZE,
                 "<meta property=\"og:type\" content=\"website\">\n"
                 "<meta property=\"og:site_name\" content=\"Tessera\">\n"
                 "<meta property=\"og:title\" content=\"%s\">\n"
                 "<meta property=\"og:description\" content=\"One canvas, drawn by everyone, a pixel at a time.\">\n"
                 "<meta property=\"og:url\" content=\"%s%s\">\n"
                 "<meta property=\"og:image\" content=\"%s%s\">\n"
                 "<meta property=\"og:image:type\" content=\"image/png\">\n"
                 "<meta property=\"og:image:width\" content=\"%d\">\n"
                 "<meta property=\"og:image:height\" content=\"%d\">\n"
                 "<meta name=\"twitter:card\" content=\"summary_large_image\">\n",
                 title, origin, url, origin, image, width, height);
    return len > 0 && (size_t)len < PREVIEW_TAGS_SIZE ? (size_t)len : 0;
}
