// The tiles that the clients of client.h watch and show.
#include "tests/sim/client_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/sim/server.h"
#include "tests/sim/sim_replica.h"

static struct client_watched *watched_of(struct client *client, struct tile tile)
{
    unsigned number = db_tile_number(tile);
    for (uint32_t i = 0; i < client->tile_count; i++) {
        if (client->tiles[i] == number)
            return &client->watched[i];
    }
    return NULL;
}

struct ws_entry client_entry(struct client *client, uint32_t i)
{
    struct position *pos = &client->watched[i].replica.pos;
    if (clients.settings.mutant == MUTANT_RESUME_OFF_BY_ONE && pos->seq > 0)
        pos->seq++;
    return (struct ws_entry){db_tile_at(client->tiles[i]), *pos};
}

// What the client got of a tile, and what it shows after it.
static void note_shown(const struct client *client, const struct client_watched *watched, bool gap)
{
    struct tile tile = db_tile_at(client->tiles[watched - client->watched]);
    const struct replica *replica = &watched->replica;
    if (clients.settings.record == NULL || client->number != 0)
        return;
    fprintf(clients.settings.record, "{\"in\": \"");
    for (size_t i = 0; i < clients.payload_len; i++)
        fprintf(clients.settings.record, "%02x", clients.payload[i]);
    fprintf(clients.settings.record,
            "\", \"gap\": %s, \"tile\": [%u, %u], \"epoch\": %" PRIu64 ", \"seq\": %" PRIu32
            ", \"checksum\": \"%016" PRIx64 "\"}\n",
            gap ? "true" : "false", tile.tx, tile.ty, replica->pos.epoch, replica->pos.seq, replica->checksum);
}

static void say_shows(const struct client *client, const struct client_watched *watched)
{
    uint32_t i = (uint32_t)(watched - client->watched);
    ledger_shows(client->name, client->tiles[i], watched->replica.pos, watched->replica.checksum);
}

void client_ask_again(struct client *client, struct client_watched *watched)
{
    uint8_t message[WS_WATCH_HEAD_LEN + WS_ENTRY_LEN];
    if (watched->asked)
        return;
    watched->asked = true;
    const struct ws_entry entry = client_entry(client, (uint32_t)(watched - client->watched));
    sim_trace("%s has a gap in tile %u and resumes from (%llu, %u)", client->name,
              client->tiles[watched - client->watched], (unsigned long long)entry.pos.epoch, entry.pos.seq);
    client_send(client, message, ws_encode_watch(message, WS_RESUME, &entry, 1));
}

void client_go_back(struct client *client)
{
    struct client_watched *watched = &client->watched[sim_below(client->tile_count)];
    struct replica *replica = &watched->replica, *older = &watched->older;
    if (sim_below(2) == 0) {
        if (replica_load(older, replica->pos, replica->px, replica->len) != 0)
            abort();
        return;
    }
    if (replica_load(replica, older->pos, older->px, older->len) != 0)
        abort();
    watched->asked = false;
    client_ask_again(client, watched);
}

void client_look_elsewhere(struct client *client)
{
    uint8_t message[WS_WATCH_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < client->tile_count; i++) {
        struct client_watched *watched = &client->watched[i];
        bool was = watched->looks;
        watched->looks = sim_below(3) > 0;
        if (!watched->looks)
            continue;
        if (!was)
            watched->asked = false;
        entries[count++] = client_entry(client, i);
    }
    sim_trace("%s watches %u tiles", client->name, count);
    client_send(client, message, ws_encode_watch(message, WS_WATCH, entries, (uint16_t)count));
}

void client_look_everywhere(struct client *client)
{
    uint8_t message[WS_WATCH_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        client->watched[i].looks = true;
        entries[i] = client_entry(client, i);
    }
    client_send(client, message, ws_encode_watch(message, WS_WATCH, entries, (uint16_t)client->tile_count));
}

void client_on_tile(struct client *client, const struct ws_tile *tile)
{
    struct client_watched *watched = watched_of(client, tile->tile);
    if (watched == NULL) {
        sim_fail("malformed", "%s gets a tile that it does not watch", client->name);
        return;
    }
    struct replica_update update = {
        .prev_epoch = tile->previous_epoch,
        .epoch = tile->epoch,
        .first = tile->first,
        .count = tile->count,
        .records = tile->updates,
    };
    int result = sim_replica_apply(&watched->replica, &update, clients.settings.colors, NULL);
    if (result < 0)
        sim_fail("malformed", "%s gets an impossible update", client->name);
    if (result == REPLICA_APPLIED)
        watched->asked = false;
    bool gap = result == REPLICA_GAP || result == REPLICA_EPOCH;
    sim_trace("%s gets %u … %u of tile %u, epoch %llu%s", client->name, update.first, update.first + update.count - 1,
              client->tiles[watched - client->watched], (unsigned long long)update.epoch,
              result == REPLICA_APPLIED ? "" : ", not applied");
    note_shown(client, watched, gap);
    if (gap)
        client_ask_again(client, watched);
    say_shows(client, watched);
}

void client_on_snapshot(struct client *client, const struct ws_snapshot *snapshot)
{
    uint8_t px[DB_TILE_LEN];
    uLongf len = sizeof px;
    struct client_watched *watched = watched_of(client, snapshot->tile);
    const uint8_t *data = snapshot->data;
    bool good = watched != NULL;
    if (good && snapshot->encoding == 1) {
        good = uncompress(px, &len, snapshot->data, snapshot->len) == Z_OK;
        data = px;
    } else {
        len = snapshot->len;
    }
    if (!good || replica_load(&watched->replica, snapshot->pos, data, len) != 0 ||
        watched->replica.checksum != snapshot->checksum) {
        sim_fail("malformed", "%s gets a snapshot that cannot be", client->name);
        return;
    }
    watched->asked = false;
    sim_trace("%s gets tile %u as of (%llu, %u)", client->name, client->tiles[watched - client->watched],
              (unsigned long long)snapshot->pos.epoch, snapshot->pos.seq);
    note_shown(client, watched, false);
    say_shows(client, watched);
}

bool client_converged(uint32_t number, const char **why)
{
    const struct client *client = &clients.all[number];
    static char text[128];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        const struct db_tile *tile = &server_db()->tiles[client->tiles[i]];
        const struct replica *replica = &client->watched[i].replica;
        if (position_equal(tile->pos, replica->pos) && memcmp(tile->px, replica->px, DB_TILE_LEN) == 0)
            continue;
        snprintf(text, sizeof text, "%s: tile %u at (%llu, %u), store at (%llu, %u)", client->name, client->tiles[i],
                 (unsigned long long)replica->pos.epoch, replica->pos.seq, (unsigned long long)tile->pos.epoch,
                 tile->pos.seq);
        *why = text;
        return false;
    }
    return true;
}
