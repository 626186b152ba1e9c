// What the C decoders say of messages of a gateway, and of links, one line for each, for
// tests/unit/js/differential.test.mjs, which holds the page's against it.
//
//   ws_oracle: on standard input messages, each with its length in front (u32, little-endian) and 1 behind it when it
//   is a query of a link; on standard output "-" for what is refused, else all its values
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/core/bytes.h"
#include "gateway/preview.h"
#include "proto/ws_proto.h"

#define MESSAGE_MAX 70000u

// A number that says whether two runs of bytes are the same; as in the test.
static uint32_t sum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static void say_palette(const struct palette *palette)
{
    printf("palette %u", palette->count);
    for (uint16_t i = 0; i < palette->count; i++) {
        const struct palette_color *color = &palette->colors[i];
        printf(" %02x%02x%02x:%s", color->r, color->g, color->b, color->name);
    }
    putchar('\n');
}

static bool say_frames(const uint8_t *bytes, size_t len)
{
    struct ws_tile tile;
    struct ws_snapshot snapshot;
    // Readers that keep epochs in a double refuse greater ones (PROTOCOL.md, proto/vectors/ws.json).
    const uint64_t most = UINT64_C(1) << 53;
    if (ws_decode_tile(bytes, len, &tile) == 0 && tile.epoch < most)
        printf("tile %u %u %u %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu32 "\n", tile.tile.tx, tile.tile.ty,
               tile.count, tile.first, tile.epoch, tile.previous_epoch,
               sum(tile.updates, (size_t)tile.count * WS_UPDATE_LEN));
    else if (ws_decode_snapshot(bytes, len, &snapshot) == 0 && snapshot.pos.epoch < most)
        printf("snapshot %u %u %u %" PRIu32 " %" PRIu64 " %" PRIu64 " %zu %" PRIu32 "\n", snapshot.encoding,
               snapshot.tile.tx, snapshot.tile.ty, snapshot.pos.seq, snapshot.pos.epoch, snapshot.checksum,
               snapshot.len, sum(snapshot.data, snapshot.len));
    else
        return false;
    return true;
}

static bool say_texts(const uint8_t *bytes, size_t len)
{
    struct ws_announcement announcement;
    static struct palette palette;
    if (ws_decode_announcement(bytes, len, &announcement) == 0)
        printf("announcement %.*s\n", announcement.len, announcement.text);
    else if (ws_decode_palette(bytes, len, &palette) == 0)
        say_palette(&palette);
    else
        return false;
    return true;
}

static bool say_numbers(const uint8_t *bytes, size_t len)
{
    struct ws_welcome w;
    struct ws_config c;
    struct ws_verdict v;
    struct ws_status status;
    uint32_t delay_ms;
    uint8_t code;
    if (ws_decode_welcome(bytes, len, &w) == 0)
        printf("welcome %u %u %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32
               " %" PRIu64 "\n",
               w.flags & WS_FLAG_READ_ONLY, w.edge, w.version, w.width, w.height, w.cooldown_ms, w.next_nonce,
               w.wait_ms, w.online, w.user);
    else if (ws_decode_config(bytes, len, &c) == 0)
        printf("config %u %u %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", c.flags & WS_FLAG_READ_ONLY, c.edge,
               c.version, c.width, c.height, c.cooldown_ms);
    else if (ws_decode_verdict(bytes, len, &v) == 0)
        printf("verdict %u %u %u %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", v.code, v.x, v.y, v.nonce,
               v.next_nonce, v.wait_ms, v.seq);
    else if (ws_decode_status(bytes, len, &status) == 0)
        printf("status %u %" PRIu32 "\n", status.flags & WS_FLAG_READ_ONLY, status.online);
    else if (ws_decode_move(bytes, len, &delay_ms) == 0)
        printf("move %" PRIu32 "\n", delay_ms);
    else if (ws_decode_error(bytes, len, &code) == 0)
        printf("error %u\n", code);
    else
        return false;
    return true;
}

// The place that the preview of a link shows: "x y".
static bool say_link(const char *text, size_t len)
{
    static const struct geom geom = {GEOM_SIDE_MAX, GEOM_SIDE_MAX, 256};
    const struct query query = {text, len};
    char tags[PREVIEW_TAGS_SIZE];
    unsigned x, y;
    size_t tags_len = preview_tags("", &query, &geom, tags);
    const char *title = tags_len > 0 ? strstr(tags, "Tessera at ") : NULL;
    if (title == NULL || sscanf(title, "Tessera at %u, %u", &x, &y) != 2)
        return false;
    printf("link %u %u\n", x, y);
    return true;
}

int main(void)
{
    static uint8_t bytes[MESSAGE_MAX];
    uint8_t head[4], kind;
    while (fread(head, sizeof head, 1, stdin) == 1) {
        size_t len = bytes_get_u32(head);
        if (len > sizeof bytes || fread(bytes, 1, len, stdin) != len || fread(&kind, 1, 1, stdin) != 1)
            return 1;
        bool taken = kind == 1 ? say_link((const char *)bytes, len)
                               : say_numbers(bytes, len) || say_frames(bytes, len) || say_texts(bytes, len);
        if (!taken)
            puts("-");
    }
    return 0;
}
