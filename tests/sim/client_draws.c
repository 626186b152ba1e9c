// The draws of client.h, until each has its verdict.
#include "tests/sim/client_impl.h"

#include <string.h>

#include "proto/limits.h"
#include "proto/verdict.h"

#define GIVE_UP_US 60000000
#define REPEAT_MIN_US 20000
#define REFUSED_MIN_US 5000
#define NONCE_SPAN 256u
#define ANSWER_UNDISTURBED_US 1500000 // where nothing goes wrong

static void send_draw(struct client *client, struct client_pending *pending)
{
    uint8_t message[WS_DRAW_LEN];
    const struct ws_draw draw = {.color = pending->color, .x = pending->x, .y = pending->y, .nonce = pending->nonce};
    pending->again_us = 0;
    pending->copies++;
    ledger_sent(pending->number);
    client_send(client, message, ws_encode_draw(message, &draw));
}

static void remove_pending(struct client *client, uint32_t i)
{
    client->pending_count--;
    memmove(&client->pending[i], &client->pending[i + 1], (client->pending_count - i) * sizeof client->pending[0]);
}

static void expire(struct client *client)
{
    for (uint32_t i = 0; i < client->pending_count;) {
        if (sim_now_us() - client->pending[i].first_us < GIVE_UP_US) {
            i++;
            continue;
        }
        ledger_gave_up(client->pending[i].number);
        remove_pending(client, i);
    }
}

static void on_repeat(void *arg)
{
    struct client *client = arg;
    int64_t next_us = 0;
    client->repeat = 0;
    expire(client);
    for (uint32_t i = 0; i < client->pending_count && client->welcomed; i++) {
        struct client_pending *pending = &client->pending[i];
        if (pending->again_us != 0 && pending->again_us <= sim_now_us())
            send_draw(client, pending);
        else if (pending->again_us != 0 && (next_us == 0 || pending->again_us < next_us))
            next_us = pending->again_us;
    }
    if (next_us != 0)
        client->repeat = sim_at(&client->proc, next_us, on_repeat, NULL, client);
}

// ---- Drawing
// ---------------------------------------------------------------------------------------------------------

bool client_may_draw(const struct client *client)
{
    uint32_t window = clients.settings.cooldown_ms > 0 ? 1 : clients.settings.window;
    bool span = client->pending_count == 0 || client->next_nonce - client->pending[0].nonce < NONCE_SPAN;
    return client->welcomed && !clients.resting && client->pending_count < window && span &&
           client->ready_us <= sim_now_us();
}

void client_draw(struct client *client)
{
    struct ledger_draw draw = {.client = client->number, .user = client->user.user, .connection = client->connection};
    uint16_t x = 0, y = 0;
    for (int i = 0; i < 4; i++) {
        draw.tile = (unsigned)sim_below(clients.settings.tiles);
        x = (uint16_t)sim_below(clients.settings.side);
        y = (uint16_t)sim_below(clients.settings.side);
        draw.offset = (uint16_t)(y * clients.settings.geom.edge + x);
        draw.color = (uint8_t)(1 + sim_below(clients.settings.colors - 1u));
        if (!ledger_knows(draw.user, draw.tile, draw.offset, draw.color))
            break;
        if (i == 3)
            return;
    }
    struct tile tile = db_tile_at(draw.tile);
    draw.nonce = client->next_nonce;
    struct client_pending *pending = &client->pending[client->pending_count++];
    *pending = (struct client_pending){.number = ledger_draw(&draw),
                                       .nonce = client->next_nonce++,
                                       .x = (uint16_t)(tile.tx * clients.settings.geom.edge + x),
                                       .y = (uint16_t)(tile.ty * clients.settings.geom.edge + y),
                                       .color = draw.color,
                                       .first_us = sim_now_us()};
    send_draw(client, pending);
}

// ---- Answers
// ---------------------------------------------------------------------------------------------------------

static void repeat_later(struct client *client, struct client_pending *pending, uint32_t wait_ms)
{
    pending->again_us = sim_now_us() + (wait_ms > 0 ? (int64_t)wait_ms * 1000 : REPEAT_MIN_US);
    sim_cancel(client->repeat);
    client->repeat = sim_after(&client->proc, 0, on_repeat, NULL, client);
}

// As a page does: a fresh draw whose number was not the right one is sent once more with the right one.
static bool send_renumbered(struct client *client, struct client_pending *pending, const struct ws_verdict *verdict)
{
    bool fresh = clients.settings.cooldown_ms > 0 && pending->copies == 1;
    if (verdict->code != VERDICT_STALE || !fresh)
        return false;
    pending->nonce = verdict->next_nonce;
    client->next_nonce = verdict->next_nonce + 1;
    ledger_renumber(pending->number, pending->nonce);
    send_draw(client, pending);
    return true;
}

void client_on_verdict(struct client *client, const struct ws_verdict *verdict)
{
    uint32_t i = 0;
    while (i < client->pending_count && client->pending[i].nonce != verdict->nonce)
        i++;
    if (i == client->pending_count || client->pending[i].x != verdict->x || client->pending[i].y != verdict->y)
        return;
    struct client_pending *pending = &client->pending[i];
    client->verdict_us = sim_now_us();
    ledger_verdict(pending->number, verdict->code, verdict->seq);
    if (clients.settings.undisturbed && verdict->code != VERDICT_PLACED)
        sim_fail("undisturbed", "%s gets verdict %u", client->name, verdict->code);
    if (clients.settings.undisturbed && sim_now_us() - pending->first_us > ANSWER_UNDISTURBED_US)
        sim_fail("undisturbed", "%s waits %lld ms for a verdict", client->name,
                 (long long)(sim_now_us() - pending->first_us) / 1000);
    if (verdict->code == VERDICT_UNAVAILABLE) {
        repeat_later(client, pending, verdict->wait_ms);
        return;
    }
    if (send_renumbered(client, pending, verdict))
        return;
    remove_pending(client, i);
    if (clients.settings.cooldown_ms > 0)
        client->next_nonce = verdict->next_nonce;
    client->ready_us = sim_now_us() + (int64_t)verdict->wait_ms * 1000;
    if (verdict->code != VERDICT_PLACED)
        client->ready_us += REFUSED_MIN_US;
}

// A verdict that came over the old connection, after the new one had asked, knows better.
void client_on_welcome(struct client *client, const struct ws_welcome *welcome)
{
    bool outdated = client->verdict_us > client->socket->hello_us;
    client->retry_us = RETRY_MIN_US;
    if (!outdated)
        client->ready_us = sim_now_us() + (int64_t)welcome->wait_ms * 1000;
    expire(client);
    if (clients.settings.cooldown_ms > 0 && client->pending_count == 0 && !outdated)
        client->next_nonce = welcome->next_nonce;
    if (clients.settings.cooldown_ms == 0 && client->next_nonce < NONCE_COUNTED)
        client->next_nonce = welcome->next_nonce;
    for (uint32_t i = 0; i < client->pending_count; i++)
        send_draw(client, &client->pending[i]);
}
