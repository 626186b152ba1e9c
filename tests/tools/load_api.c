#include "tests/tools/load_api.h"

#include <jansson.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "tests/tools/load_http.h"

#define TILE_HEAD 16u // of a tile in the whole-canvas form
#define KEYS_MAX 4096
#define BUSY_RETRIES 20
#define TOKEN_LIFE_S 86400u

static int complain(const struct load_target *target, const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s: %s\n", target->host, what, why);
    return ERR_IO;
}

// As load_http_request, but asks again while the gateway says that it cannot now (429, 503), and takes only 200, or
// `also`.
static int get(struct load_http *http, const char *request, unsigned also, struct load_reply *reply)
{
    for (int i = 0;; i++) {
        int err = load_http_request(http, request, reply);
        if (err != 0)
            return complain(http->target, request, err_text(err));
        if (reply->status == 200 || reply->status == also)
            return 0;
        bool busy = reply->status == 429 || reply->status == 503;
        uint32_t wait_s = reply->retry_after_s > 0 ? reply->retry_after_s : 1;
        if (!busy || i == BUSY_RETRIES) {
            char why[160];
            (void)snprintf(why, sizeof why, "status %u: %.100s", reply->status, reply->body != NULL ? reply->body : "");
            load_reply_fini(reply);
            return complain(http->target, request, why);
        }
        (void)fprintf(stderr, "%s: %s: status %u, waiting %u s%s\n", http->target->host, request, reply->status, wait_s,
                      reply->status == 429 ? " (fewer --users, or --users-from-keys, would not have to)" : "");
        load_reply_fini(reply);
        sleep(wait_s < 60 ? wait_s : 60);
    }
}

static int take_palette(json_t *palette, struct load_canvas *canvas)
{
    size_t count = json_array_size(palette);
    if (count < 2 || count > 256)
        return ERR_MALFORMED;
    for (size_t i = 0; i < count; i++) {
        const char *rgb = json_string_value(json_object_get(json_array_get(palette, i), "rgb"));
        if (rgb == NULL || rgb[0] != '#' || strlen(rgb) != 7 || bytes_from_hex(canvas->rgb[i], 3, rgb + 1, 6) != 3)
            return ERR_MALFORMED;
    }
    canvas->colors = (uint16_t)count;
    return 0;
}

static int take_canvas(json_t *root, struct load_canvas *canvas)
{
    json_int_t width;
    json_int_t height;
    json_int_t edge;
    json_int_t cooldown_ms;
    json_t *palette;
    if (json_unpack(root, "{s:I, s:I, s:I, s:I, s:o}", "width", &width, "height", &height, "tile_edge", &edge,
                    "cooldown_ms", &cooldown_ms, "palette", &palette) != 0)
        return ERR_MALFORMED;
    bool small =
        width > 0 && width <= GEOM_SIDE_MAX && height > 0 && height <= GEOM_SIDE_MAX && edge > 0 && edge <= 256;
    canvas->geom = (struct geom){(uint32_t)width, (uint32_t)height, (uint16_t)edge};
    canvas->cooldown_ms = (uint32_t)cooldown_ms;
    return small && geom_valid(&canvas->geom) ? take_palette(palette, canvas) : ERR_MALFORMED;
}

int load_api_canvas(const struct load_target *target, struct load_canvas *canvas)
{
    static const char request[] = "GET /api/v1/canvas";
    struct load_http http;
    struct load_reply reply;
    load_http_init(&http, target);
    int err = get(&http, request, 200, &reply);
    load_http_fini(&http);
    if (err != 0)
        return err;
    json_t *root = json_loadb(reply.body, reply.len, 0, NULL);
    err = take_canvas(root, canvas);
    json_decref(root);
    load_reply_fini(&reply);
    return err == 0 ? 0 : complain(target, request, "not the JSON of a canvas");
}

static int one_session(struct load_http *http, char token[TOKEN_TEXT_SIZE])
{
    static const char request[] = "POST /api/v1/session";
    struct load_reply reply;
    if (get(http, request, 200, &reply) != 0)
        return ERR_IO;
    json_t *root = json_loadb(reply.body, reply.len, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "token"));
    bool good = text != NULL && strlen(text) < TOKEN_TEXT_SIZE;
    if (good)
        (void)snprintf(token, TOKEN_TEXT_SIZE, "%s", text);
    json_decref(root);
    load_reply_fini(&reply);
    return good ? 0 : complain(http->target, request, "no token in it");
}

int load_api_sessions(const struct load_options *options, char (*tokens)[TOKEN_TEXT_SIZE], uint32_t count)
{
    int err = 0;
    for (unsigned t = 0; t < options->target_count && err == 0; t++) {
        struct load_http http;
        load_http_init(&http, &options->targets[t]);
        for (uint32_t i = t; i < count && err == 0; i += options->target_count)
            err = one_session(&http, tokens[i]);
        load_http_fini(&http);
    }
    return err;
}

static int read_keys(const char *path, struct token_keys *keys)
{
    char text[KEYS_MAX];
    char error[160] = "cannot be read";
    FILE *file = fopen(path, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    int err = file != NULL ? token_keys_parse(keys, text, len, error, sizeof error) : ERR_IO;
    if (err != 0)
        (void)fprintf(stderr, "%s: %s\n", path, error);
    explicit_bzero(text, sizeof text);
    return err;
}

int load_api_sign(const struct load_options *options, char (*tokens)[TOKEN_TEXT_SIZE], uint32_t count)
{
    struct token_keys keys;
    uint32_t now_s = (uint32_t)time(NULL);
    int err = read_keys(options->users_from_keys, &keys);
    if (err != 0)
        return err;
    for (uint32_t i = 0; i < count && err >= 0; i++) {
        uint64_t user = mix_final((uint64_t)options->seed << 32 | (i + 1));
        struct token token = {
            .kind = TOKEN_GUEST, .user = user != 0 ? user : 1, .issued = now_s, .expires = now_s + TOKEN_LIFE_S};
        err = token_sign(&keys, &token, tokens[i]);
    }
    token_keys_fini(&keys);
    return err < 0 ? err : 0;
}

// ---- The canvas ---------------------------------------------------------------------------------------------------

static int take_whole(const struct load_reply *reply, struct load_tiles *tiles)
{
    uint32_t count = geom_count(&tiles->geom);
    size_t tile_len = geom_tile_len(&tiles->geom);
    if (reply->len != count * (TILE_HEAD + tile_len))
        return ERR_MALFORMED;
    const uint8_t *at = (const uint8_t *)reply->body;
    for (uint32_t i = 0; i < count; i++, at += TILE_HEAD + tile_len) {
        struct tile tile = {bytes_get_u16(at), bytes_get_u16(at + 2)};
        if (!tile_equal(tile, geom_tile_at(&tiles->geom, i)))
            return ERR_MALFORMED;
        tiles->positions[i] = (struct position){.seq = bytes_get_u32(at + 4), .epoch = bytes_get_u64(at + 8)};
        memcpy(tiles->px + i * tile_len, at + TILE_HEAD, tile_len);
    }
    return 0;
}

static int take_one_by_one(struct load_http *http, struct load_tiles *tiles)
{
    size_t tile_len = geom_tile_len(&tiles->geom);
    for (uint32_t i = 0; i < geom_count(&tiles->geom); i++) {
        char request[64];
        struct load_reply reply;
        struct tile tile = geom_tile_at(&tiles->geom, i);
        (void)snprintf(request, sizeof request, "GET /api/v1/tiles/%u/%u", tile.tx, tile.ty);
        if (get(http, request, 200, &reply) != 0)
            return ERR_IO;
        bool whole = reply.len == tile_len;
        if (whole)
            memcpy(tiles->px + i * tile_len, reply.body, tile_len);
        tiles->positions[i] = reply.position;
        load_reply_fini(&reply);
        if (!whole)
            return complain(http->target, request, "not the bytes of a tile");
    }
    return 0;
}

int load_api_tiles(const struct load_target *target, const struct geom *geom, struct load_tiles *tiles)
{
    static const char request[] = "GET /api/v1/tiles";
    uint32_t count = geom_count(geom);
    struct load_http http;
    struct load_reply reply = {0};
    *tiles = (struct load_tiles){
        .geom = *geom, .positions = calloc(count, sizeof *tiles->positions), .px = calloc(count, geom_tile_len(geom))};
    load_http_init(&http, target);
    int err = tiles->positions != NULL && tiles->px != NULL ? get(&http, request, 413, &reply) : ERR_NOMEM;
    if (err == 0 && reply.status == 413)
        err = take_one_by_one(&http, tiles);
    else if (err == 0 && take_whole(&reply, tiles) != 0)
        err = complain(target, request, "not the bytes of all tiles");
    load_reply_fini(&reply);
    load_http_fini(&http);
    if (err != 0)
        load_tiles_fini(tiles);
    return err;
}

void load_tiles_fini(struct load_tiles *tiles)
{
    free(tiles->positions);
    free(tiles->px);
    *tiles = (struct load_tiles){0};
}

uint8_t *load_api_png(const struct load_target *target, const struct geom *geom)
{
    static const char request[] = "GET /api/v1/canvas.png";
    struct load_http http;
    struct load_reply reply;
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t *rgb = NULL;
    load_http_init(&http, target);
    int err = get(&http, request, 200, &reply);
    load_http_fini(&http);
    if (err != 0)
        return NULL;
    if (png_image_begin_read_from_memory(&image, reply.body, reply.len) != 0 && image.width == geom->width &&
        image.height == geom->height) {
        image.format = PNG_FORMAT_RGB;
        rgb = malloc(PNG_IMAGE_SIZE(image));
        if (rgb != NULL && png_image_finish_read(&image, NULL, rgb, 0, NULL) == 0) {
            free(rgb);
            rgb = NULL;
        }
    }
    if (rgb == NULL)
        (void)complain(target, request, image.message[0] != '\0' ? image.message : "not as large as the canvas");
    png_image_free(&image);
    load_reply_fini(&reply);
    return rgb;
}
