#include "common/core/replica.h"

#include "common/core/bytes.h"
#include "common/core/mix.h"

#include <stdlib.h>
#include <string.h>

int replica_init(struct replica *replica, uint32_t len)
{
    *replica = (struct replica){.len = len, .px = calloc(len, 1)};
    return replica->px != NULL ? 0 : ERR_NOMEM;
}

void replica_fini(struct replica *replica)
{
    free(replica->px);
    *replica = (struct replica){0};
}

int replica_load(struct replica *replica, struct position pos, const uint8_t *stored, size_t stored_len)
{
    if (stored_len > replica->len)
        return ERR_MALFORMED;
    if (stored_len > 0)
        memcpy(replica->px, stored, stored_len);
    memset(replica->px + stored_len, 0, replica->len - stored_len);
    replica->checksum = mix_tile_checksum(replica->px, stored_len);
    replica->pos = pos;
    return 0;
}

static uint16_t record_offset(const struct replica_update *update, uint32_t i)
{
    return bytes_get_u16(update->records + (size_t)i * REPLICA_RECORD_LEN);
}

static uint8_t record_color(const struct replica_update *update, uint32_t i)
{
    return update->records[(size_t)i * REPLICA_RECORD_LEN + 2];
}

// Everything is looked at before anything changes, so that an update happens whole or not at all.
static bool update_possible(const struct replica *replica, const struct replica_update *update, uint16_t colors)
{
    bool numbered = update->count >= 1 && update->first >= 1 && update->count - 1 <= UINT32_MAX - update->first;
    if (!numbered || update->prev_epoch > update->epoch)
        return false;
    for (uint32_t i = 0; i < update->count; i++) {
        if (record_offset(update, i) >= replica->len || record_color(update, i) >= colors)
            return false;
    }
    return true;
}

static enum replica_result judge(struct position mine, const struct replica_update *update)
{
    uint32_t last = update->first + (update->count - 1);
    bool follows = position_equal(mine, (struct position){update->prev_epoch, update->first - 1});
    if (update->epoch != mine.epoch)
        return follows ? REPLICA_APPLIED : REPLICA_EPOCH;
    if (last <= mine.seq)
        return REPLICA_IGNORED;
    if (update->first - 1 > mine.seq)
        return REPLICA_GAP;
    // It joins on exactly, but says that placement `mine` was of another epoch than it was here: histories that parted.
    if (update->first - 1 == mine.seq && !follows)
        return REPLICA_EPOCH;
    return REPLICA_APPLIED;
}

int replica_apply(struct replica *replica, const struct replica_update *update, uint16_t colors, uint32_t *applied)
{
    if (applied != NULL)
        *applied = 0;
    if (!update_possible(replica, update, colors))
        return ERR_MALFORMED;
    enum replica_result result = judge(replica->pos, update);
    if (result != REPLICA_APPLIED)
        return (int)result;

    uint32_t known = replica->pos.seq - (update->first - 1);
    for (uint32_t i = known; i < update->count; i++) {
        uint16_t offset = record_offset(update, i);
        uint8_t color = record_color(update, i);
        replica->checksum += mix64(offset, color) - mix64(offset, replica->px[offset]);
        replica->px[offset] = color;
    }
    replica->pos = (struct position){update->epoch, update->first + (update->count - 1)};
    if (applied != NULL)
        *applied = update->count - known;
    return REPLICA_APPLIED;
}
