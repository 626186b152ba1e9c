// The codecs between gateways and shards, on the bus, and of what lies in Redis: whatever is taken, written again, is
// the same message; what points into the input stays inside.
#include <stdlib.h>
#include <string.h>

#include "proto/bus_proto.h"
#include "proto/keys.h"
#include "proto/link_proto.h"
#include "shard/window.h"
#include "tests/fuzz/fuzz.h"

static void check_inside(const uint8_t *bytes, size_t len, const uint8_t *part, size_t part_len)
{
    FUZZ_CHECK(part >= bytes && part + part_len <= bytes + len);
}

// ---- Links ----------------------------------------------------------------------------------------------------------

static void check_records(const uint8_t *bytes, size_t len, const struct link_message *message)
{
    uint8_t again[LINK_DRAW_LEN];
    struct link_draw draw;
    struct link_verdict verdict;
    FUZZ_CHECK(message->count >= 1 && message->count <= LIMIT_BATCH_DRAWS);
    for (uint32_t i = 0; i < message->count; i++) {
        size_t record = message->type == LINK_FORWARD    ? LINK_DRAW_LEN
                        : message->type == LINK_VERDICTS ? LINK_VERDICT_LEN
                                                         : LINK_ID_LEN;
        const uint8_t *at = message->records + i * record;
        check_inside(bytes, len, at, record);
        if (message->type == LINK_FORWARD && link_draw_at(message->records, i, &draw) != 0)
            continue;
        if (message->type == LINK_FORWARD) {
            link_put_draw(again, &draw);
        } else if (message->type == LINK_VERDICTS) {
            link_verdict_at(message->records, i, &verdict);
            link_put_verdict(again, &verdict);
        } else {
            link_put_id(again, link_id_at(message->records, i));
        }
        FUZZ_CHECK(memcmp(again, at, record) == 0);
        // They are the last of the message, to its last byte.
        FUZZ_CHECK(i + 1 < message->count || at + record == bytes + len);
    }
}

static size_t encode(uint8_t *to, const struct link_message *message)
{
    switch (message->type) {
    case LINK_CHALLENGE:
        return link_encode_challenge(to, message->nonce);
    case LINK_RESPONSE:
        return link_encode_response(to, message->nonce, message->gateway, message->mac);
    case LINK_ACCEPT:
        return link_encode_accept(to, message->mac, message->incarnation, message->view);
    case LINK_FORWARD:
        return link_encode_forward(to, message->view, message->refusals, message->records, message->count);
    case LINK_VERDICTS:
        return link_encode_verdicts(to, message->records, message->count);
    case LINK_NOT_OWNER:
        return link_encode_not_owner(to, message->view, message->records, message->count);
    case LINK_PING:
        return link_encode_ping(to);
    case LINK_PONG:
        return link_encode_pong(to, message->view);
    }
    return 0;
}

static void check_link(const uint8_t *bytes, size_t len)
{
    static uint8_t again[LIMIT_LINK_MESSAGE];
    struct link_message message, second;
    if (link_decode(bytes, len, &message) != 0)
        return;
    if (message.type == LINK_FORWARD || message.type == LINK_VERDICTS || message.type == LINK_NOT_OWNER)
        check_records(bytes, len, &message);
    if (message.nonce != NULL)
        check_inside(bytes, len, message.nonce, LINK_NONCE_LEN);
    if (message.mac != NULL)
        check_inside(bytes, len, message.mac, LINK_MAC_LEN);
    // Another version than ours has no encoder here.
    if ((message.type == LINK_CHALLENGE || message.type == LINK_RESPONSE) && message.version != LINK_PROTO_VERSION)
        return;
    // Only shorter forms of the same numbers: the encoder writes the shortest.
    size_t again_len = encode(again, &message);
    FUZZ_CHECK(again_len > 0 && again_len <= len);
    FUZZ_CHECK(link_decode(again, again_len, &second) == 0);
    FUZZ_CHECK(second.type == message.type && second.view == message.view && second.gateway == message.gateway &&
               second.incarnation == message.incarnation && second.refusals == message.refusals &&
               second.count == message.count);
}

// ---- The bus, and records -------------------------------------------------------------------------------------------

static void check_bus(const uint8_t *bytes, size_t len)
{
    struct bus_message message, second;
    uint8_t erased[BUS_ERASED_LEN];
    if (bus_decode(bytes, len, &message) != 0)
        return;
    if (message.type == BUS_UPDATE) {
        FUZZ_CHECK(message.count >= 1 && message.count <= LIMIT_BATCH_DRAWS && message.first >= 1);
        FUZZ_CHECK(message.first + (message.count - 1) >= message.first);
        check_inside(bytes, len, message.updates, 3u * message.count);
        FUZZ_CHECK(message.updates + (size_t)3u * message.count == bytes + len);
    } else if (message.type == BUS_ERASED) {
        bus_encode_erased(erased, message.user);
        FUZZ_CHECK(bus_decode(erased, sizeof erased, &second) == 0 && second.user == message.user);
    }
}

static void check_records_of_redis(const uint8_t *bytes, size_t len)
{
    struct user_record record;
    struct window window;
    uint8_t again[WINDOW_LEN];
    (void)!user_record_decode(bytes, len, &record);
    if (window_decode(&window, bytes, len) != 0)
        return;
    window_encode(again, &window);
    FUZZ_CHECK(memcmp(again, bytes, len) == 0);
    for (uint32_t i = 0; i < 600; i++)
        if (window_ask(&window, window.newest - 300 + i) == WINDOW_NEW) {
            struct window next = window;
            window_add(&next, window.newest - 300 + i, 1);
            FUZZ_CHECK(window_ask(&next, window.newest - 300 + i) == WINDOW_PLACED);
        }
}

// A name that is read is the one that would be written.
static void check_keys(const char *text, size_t len)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX, KEY_TILE_NEW_LOG};
    char again[KEY_MAX];
    struct tile tile;
    uint64_t user;
    if (key_tile_of_channel(text, len, &tile) == 0)
        FUZZ_CHECK(key_tile(again, tile, KEY_TILE_BUS) == len && memcmp(again, text, len) == 0);
    for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
        if (key_tile_parse(text, len, whats[i], &tile) == 0)
            FUZZ_CHECK(key_tile(again, tile, whats[i]) == len && memcmp(again, text, len) == 0);
    if (key_user_parse(text, len, &user) == 0)
        FUZZ_CHECK(key_user(again, user) == len && memcmp(again, text, len) == 0);
    if (key_user_name_parse(text, len, &user) == 0)
        FUZZ_CHECK(key_user_name(again, user) == len && memcmp(again, text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_link(data, size);
    check_bus(data, size);
    check_records_of_redis(data, size);
    check_keys((const char *)data, size);
    return 0;
}
