#include "common/ctl/ctl_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/ctl/ctl_file.h"
#include "proto/bus_proto.h"

#define TILE_PIXELS (GEOM_EDGE_MAX * GEOM_EDGE_MAX)

// What a user's record says was placed: looked for in the log of its tile.
struct claim {
    uint32_t tile; // tile_key
    uint32_t seq;
    uint64_t user;
    uint16_t offset;
    uint8_t color;
};

struct verify {
    struct ctl_summary *summary;
    char *why;
    enum ctl_record before; // type of the last record
    bool has_config, in_tile;
    struct geom geom;       // of the first CONFIG: the edge never changes
    uint32_t version;       // of it
    bool has_cooldown;      // or may have had one at some time between the first CONFIG and the last
    uint32_t columns, rows; // that are needed for what was placed
    uint32_t colors;

    struct claim *claims;
    size_t claim_count, claim_capacity, claims_met;
    bool sorted;
    size_t next_claim; // of the tile

    struct tile tile;
    uint64_t epoch; // where the tile is said to be
    uint32_t seq;
    uint64_t log_epoch; // how far the log was replayed
    uint32_t log_seq;
    uint8_t seen[GEOM_SIDE_MAX / 64 * (GEOM_SIDE_MAX / 64) / 8]; // a bit per tile
    uint8_t px[TILE_PIXELS], told_px[TILE_PIXELS];
    uint32_t last[TILE_PIXELS], told_last[TILE_PIXELS];
};

__attribute__((format(printf, 2, 3))) static int bad(struct verify *verify, const char *format, ...)
{
    char text[CTL_VERIFY_WHY_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (verify->in_tile)
        snprintf(verify->why, CTL_VERIFY_WHY_SIZE, "tile %u,%u: %.200s", verify->tile.tx, verify->tile.ty, text);
    else
        snprintf(verify->why, CTL_VERIFY_WHY_SIZE, "%s", text);
    return ERR_MALFORMED;
}

// ---- Settings ------------------------------------------------------------------------------------------------------

int ctl_fields_parse(struct ctl_fields *fields, const uint8_t *payload, size_t len)
{
    struct bytes_reader in;
    bytes_reader_init(&in, payload, len);
    *fields = (struct ctl_fields){.time_ms = bytes_u64(&in)};
    while (bytes_left(&in) > 0 && fields->count < CTL_CONFIG_FIELDS_MAX) {
        fields->lens[fields->count] = bytes_u16(&in);
        fields->texts[fields->count] = (const char *)bytes_take(&in, fields->lens[fields->count]);
        fields->count++;
    }
    return bytes_done(&in) && fields->count % 2 == 0 ? 0 : ERR_MALFORMED;
}

static int on_config(struct verify *verify, const uint8_t *payload, size_t len)
{
    struct ctl_fields fields;
    struct ctl_summary *summary = verify->summary;
    char why[160] = "malformed";
    if (ctl_fields_parse(&fields, payload, len) != 0 ||
        canvas_config_parse(fields.texts, fields.lens, fields.count, &summary->config, why, sizeof why) != 0)
        return bad(verify, "settings: %s", why);
    const struct geom *geom = &summary->config.geom;
    if (verify->has_config && geom->edge != verify->geom.edge)
        return bad(verify, "settings: the tile edge has changed");
    if (!verify->has_config) {
        summary->began_ms = fields.time_ms;
        verify->version = summary->config.version;
        summary->late = ctl_late_new(fields.time_ms);
        if (summary->late == NULL)
            return ERR_NOMEM;
    }
    if (summary->config.cooldown_ms > 0 || summary->config.version != verify->version)
        verify->has_cooldown = true;
    summary->ended_ms = fields.time_ms;
    verify->has_config = true;
    verify->geom = *geom;
    free(summary->config_record);
    summary->config_record = malloc(len);
    summary->config_len = len;
    if (summary->config_record == NULL)
        return ERR_NOMEM;
    memcpy(summary->config_record, payload, len);
    return 0;
}

// ---- Users ---------------------------------------------------------------------------------------------------------

static int add_claim(struct verify *verify, uint64_t user, const uint8_t *bytes)
{
    struct user_record record;
    if (user_record_decode(bytes, USER_RECORD_LEN, &record) != 0 || record.seq == 0)
        return bad(verify, "user %016" PRIx64 ": not a record", user);
    if (verify->claim_count == verify->claim_capacity) {
        size_t capacity = verify->claim_capacity == 0 ? 1024 : verify->claim_capacity * 2;
        struct claim *claims = realloc(verify->claims, capacity * sizeof *claims);
        if (claims == NULL)
            return ERR_NOMEM;
        verify->claims = claims;
        verify->claim_capacity = capacity;
    }
    verify->claims[verify->claim_count++] =
        (struct claim){.tile = tile_key(geom_tile_of(&verify->geom, record.x, record.y)),
                       .seq = record.seq,
                       .user = user,
                       .offset = geom_offset_of(&verify->geom, record.x, record.y),
                       .color = record.color};
    return ctl_late_record(verify->summary->late, user, &record);
}

static int on_users(struct verify *verify, const uint8_t *payload, size_t len)
{
    if (len == 0 || len % CTL_USER_LEN != 0 || len / CTL_USER_LEN > CTL_USERS_PER_RECORD || verify->sorted)
        return bad(verify, "users: malformed");
    for (size_t at = 0; at < len; at += CTL_USER_LEN) {
        int err = add_claim(verify, bytes_get_u64(payload + at), payload + at + 8);
        if (err != 0)
            return err;
    }
    verify->summary->users += len / CTL_USER_LEN;
    return 0;
}

static int on_names(struct verify *verify, const uint8_t *payload, size_t len)
{
    struct bytes_reader in;
    bytes_reader_init(&in, payload, len);
    while (bytes_left(&in) > 0) {
        (void)bytes_u64(&in);
        size_t record_len = bytes_u16(&in);
        const uint8_t *record = bytes_take(&in, record_len);
        if (record == NULL || record_len < CTL_NAME_RECORD_MIN || record_len > CTL_NAME_RECORD_MAX || record[0] != 1)
            return bad(verify, "names: malformed");
    }
    return 0;
}

static int compare_claims(const void *a, const void *b)
{
    const struct claim *one = a, *two = b;
    if (one->tile != two->tile)
        return one->tile < two->tile ? -1 : 1;
    return one->seq < two->seq ? -1 : one->seq > two->seq;
}

// The first claim of the tile.
static void find_claims(struct verify *verify)
{
    uint32_t key = tile_key(verify->tile);
    if (!verify->sorted && verify->claim_count > 0)
        qsort(verify->claims, verify->claim_count, sizeof verify->claims[0], compare_claims);
    verify->sorted = true;
    size_t low = 0, high = verify->claim_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (verify->claims[middle].tile < key)
            low = middle + 1;
        else
            high = middle;
    }
    verify->next_claim = low;
}

static int meet_claims(struct verify *verify, uint32_t seq, uint64_t user, uint16_t offset, uint8_t color)
{
    for (; verify->next_claim < verify->claim_count; verify->next_claim++) {
        const struct claim *claim = &verify->claims[verify->next_claim];
        if (claim->tile != tile_key(verify->tile) || claim->seq > seq)
            break;
        if (claim->seq != seq || claim->user != user || claim->offset != offset || claim->color != color)
            return bad(verify, "user %016" PRIx64 ": the record is not what the log has at %" PRIu32, claim->user,
                       claim->seq);
        verify->claims_met++;
    }
    return 0;
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static int end_tile(struct verify *verify)
{
    size_t count = geom_tile_len(&verify->geom);
    if (!verify->in_tile)
        return 0;
    if (verify->log_seq != verify->seq || verify->log_epoch != verify->epoch)
        return bad(verify, "the log ends at %" PRIu32 ", the tile is at %" PRIu32, verify->log_seq, verify->seq);
    for (size_t i = 0; i < count; i++) {
        if (verify->px[i] != verify->told_px[i] || verify->last[i] != verify->told_last[i])
            return bad(verify, "pixel %zu is %u of placement %" PRIu32 ", by the log %u of %" PRIu32, i,
                       verify->told_px[i], verify->told_last[i], verify->px[i], verify->last[i]);
    }
    verify->in_tile = false;
    return 0;
}

// Not twice, and not outside of what a canvas can be.
static bool is_new_tile(struct verify *verify, struct tile tile)
{
    uint32_t side = GEOM_SIDE_MAX / 64, index = tile.ty * side + tile.tx;
    if (tile.tx >= side || tile.ty >= side || (verify->seen[index / 8] >> index % 8 & 1) != 0)
        return false;
    verify->seen[index / 8] |= (uint8_t)(1u << index % 8);
    return true;
}

static int on_tile(struct verify *verify, const uint8_t *payload, size_t len)
{
    struct bytes_reader in;
    int err = end_tile(verify);
    if (err != 0)
        return err;
    bytes_reader_init(&in, payload, len);
    verify->tile = (struct tile){.tx = bytes_u16(&in)};
    verify->tile.ty = bytes_u16(&in);
    verify->epoch = bytes_u64(&in);
    verify->seq = bytes_u32(&in);
    size_t px_len = bytes_u32(&in), most = geom_tile_len(&verify->geom);
    const uint8_t *px = bytes_take(&in, px_len);
    size_t last_len = bytes_u32(&in);
    const uint8_t *last = bytes_take(&in, last_len);
    if (!bytes_done(&in) || px_len > most || last_len > most * 4 || last_len % 4 != 0 || verify->seq == 0 ||
        !is_new_tile(verify, verify->tile))
        return bad(verify, "a tile: malformed, or twice");
    verify->in_tile = true;
    verify->log_seq = 0;
    verify->log_epoch = 0;
    memset(verify->px, 0, sizeof verify->px);
    memset(verify->last, 0, sizeof verify->last);
    memset(verify->told_px, 0, sizeof verify->told_px);
    memset(verify->told_last, 0, sizeof verify->told_last);
    memcpy(verify->told_px, px, px_len);
    for (size_t i = 0; i < last_len / 4; i++) // big-endian, as BITFIELD has it
        verify->told_last[i] = (uint32_t)last[4 * i] << 24 | (uint32_t)last[4 * i + 1] << 16 |
                               (uint32_t)last[4 * i + 2] << 8 | last[4 * i + 3];
    find_claims(verify);
    verify->summary->tiles++;
    return 0;
}

static void note_extent(struct verify *verify, uint16_t offset, uint8_t color)
{
    uint32_t x = geom_x(&verify->geom, verify->tile, offset), y = geom_y(&verify->geom, verify->tile, offset);
    if (x >= verify->columns)
        verify->columns = x + 1;
    if (y >= verify->rows)
        verify->rows = y + 1;
    if (color >= verify->colors)
        verify->colors = color + 1u;
}

static int replay(struct verify *verify, uint64_t time_ms, uint16_t offset, uint8_t color, uint64_t user,
                  uint8_t old_color, uint32_t old_seq)
{
    uint32_t seq = ++verify->log_seq;
    if (offset >= geom_tile_len(&verify->geom))
        return bad(verify, "placement %" PRIu32 " lies outside", seq);
    if (verify->px[offset] != old_color || verify->last[offset] != old_seq)
        return bad(verify, "placement %" PRIu32 " does not follow from those before it", seq);
    verify->px[offset] = color;
    verify->last[offset] = seq;
    note_extent(verify, offset, color);
    const struct ctl_placed placed = {.user = user,
                                      .time_ms = time_ms,
                                      .x = (uint16_t)geom_x(&verify->geom, verify->tile, offset),
                                      .y = (uint16_t)geom_y(&verify->geom, verify->tile, offset),
                                      .seq = seq,
                                      .color = color};
    int err = ctl_late_placed(verify->summary->late, &placed);
    return err == 0 ? meet_claims(verify, seq, user, offset, color) : err;
}

// One entry of the log; `in` stands behind it then.
static int on_entry(struct verify *verify, struct bytes_reader *in)
{
    uint64_t epoch = bytes_u64(in), time_ms = bytes_u64(in);
    uint32_t first = bytes_u32(in);
    size_t count = bytes_u16(in);
    const uint8_t *updates = bytes_take(in, count * 3), *users = bytes_take(in, count * 8);
    const uint8_t *colors = bytes_take(in, count), *seqs = bytes_take(in, count * 4);
    if (!bytes_ok(in) || count == 0 || first != verify->log_seq + 1 || count > verify->seq - verify->log_seq ||
        epoch < verify->log_epoch)
        return bad(verify, "the log: malformed after %" PRIu32, verify->log_seq);
    verify->log_epoch = epoch;
    int err = 0;
    for (size_t i = 0; err == 0 && i < count; i++)
        err = replay(verify, time_ms, bytes_get_u16(updates + 3 * i), updates[3 * i + 2], bytes_get_u64(users + 8 * i),
                     colors[i], bytes_get_u32(seqs + 4 * i));
    verify->summary->placements += count;
    return err;
}

static int on_log(struct verify *verify, const uint8_t *payload, size_t len)
{
    struct bytes_reader in;
    bytes_reader_init(&in, payload, len);
    int err = verify->in_tile && len > 0 ? 0 : bad(verify, "a log of no tile");
    while (err == 0 && bytes_left(&in) > 0)
        err = on_entry(verify, &in);
    return err;
}

// ---- All of it -----------------------------------------------------------------------------------------------------

static int on_end(struct verify *verify, const uint8_t *payload)
{
    const struct ctl_summary *summary = verify->summary;
    const struct canvas_config *config = &summary->config;
    int err = end_tile(verify);
    if (err != 0)
        return err;
    if (verify->before != CTL_CONFIG)
        return bad(verify, "no settings at the end");
    if (bytes_get_u32(payload) != summary->tiles || bytes_get_u64(payload + 4) != summary->users ||
        bytes_get_u64(payload + 12) != summary->placements)
        return bad(verify, "the counts at the end are others");
    if (verify->claims_met != verify->claim_count)
        return bad(verify, "%zu records of users name placements that are in no log",
                   verify->claim_count - verify->claims_met);
    if (verify->columns > config->geom.width || verify->rows > config->geom.height ||
        verify->colors > config->palette.count)
        return bad(verify, "placements outside of canvas or palette");
    if (!verify->has_cooldown)
        ctl_late_clear(summary->late);
    return 0;
}

static int on_record(struct verify *verify, enum ctl_record type, const uint8_t *payload, size_t len)
{
    if (!verify->has_config && type != CTL_CONFIG)
        return bad(verify, "no settings at the beginning");
    int err = 0;
    switch (type) {
    case CTL_CONFIG:
        err = end_tile(verify);
        if (err == 0)
            err = on_config(verify, payload, len);
        break;
    case CTL_USERS:
        err = on_users(verify, payload, len);
        break;
    case CTL_NAMES:
        err = on_names(verify, payload, len);
        break;
    case CTL_TILE:
        err = on_tile(verify, payload, len);
        break;
    case CTL_LOG:
        err = on_log(verify, payload, len);
        break;
    case CTL_END:
        err = on_end(verify, payload);
        break;
    }
    verify->before = type;
    return err;
}

int ctl_verify(const char *path, struct ctl_summary *summary, char why[CTL_VERIFY_WHY_SIZE])
{
    struct ctl_file file;
    enum ctl_record type = CTL_CONFIG;
    size_t len;
    *summary = (struct ctl_summary){0};
    struct verify *verify = calloc(1, sizeof *verify);
    int err = ctl_file_open(&file, path);
    snprintf(why, CTL_VERIFY_WHY_SIZE, "%s", err == ERR_IO ? strerror(errno) : "not a backup");
    if (verify == NULL)
        err = ERR_NOMEM;
    if (err == 0) {
        verify->summary = summary;
        verify->why = why;
    }
    while (err == 0 && type != CTL_END) {
        err = ctl_file_next(&file, &type, &len);
        if (err == ERR_MALFORMED)
            snprintf(why, CTL_VERIFY_WHY_SIZE, "cut, or damaged: the digest is another, or a record is none");
        if (err == 0)
            err = on_record(verify, type, file.buffer, len);
    }
    ctl_file_close(&file);
    if (verify != NULL)
        free(verify->claims);
    free(verify);
    return err;
}

void ctl_summary_fini(struct ctl_summary *summary)
{
    free(summary->config_record);
    ctl_late_free(summary->late);
    *summary = (struct ctl_summary){0};
}
