// The fan-out's clients: which lane each is in, where it is, and how it gets from one audience into another.

#include <stdlib.h>

#include "gateway/fanout.h"

struct position fanout_position(const struct fanout *fanout, const struct hub_client *client, uint32_t index)
{
    if (client->lag != NULL)
        return client->lag->pos[index];
    const struct audience *audience = client->audience;
    const struct lane *lane = &fanout->lanes[audience->lane];
    const struct held_out *out = &audience->watches[index].held->outs[audience->lane];
    bool under_way = fanout->active && fanout->now == lane;
    bool not_reached = under_way && client->round != lane->round && out->round == lane->round;
    return not_reached ? out->before : out->sent;
}

// The client's positions in `audience`; returns whether they are all those of a synced client.
static bool carry_over(const struct fanout *fanout, const struct hub_client *client, const struct audience *audience,
                       const struct position *given, struct position *pos)
{
    bool synced = true;
    for (uint32_t i = 0; i < audience->count; i++) {
        const struct held *held = audience->watches[i].held;
        int old = client->audience != NULL ? interest_find(client->audience, held->key) : -1;
        pos[i] = old >= 0 ? fanout_position(fanout, client, (uint32_t)old) : given[i];
        synced = synced && held->ready && position_equal(pos[i], held->outs[audience->lane].sent);
    }
    return synced;
}

uint32_t fanout_lane(const struct fanout *fanout, const struct hub_client *client)
{
    return client->audience != NULL ? client->audience->lane : fanout->filling;
}

// It has had its clients in a row: whoever has the fewest is next.
static void fill_next_lane(struct fanout *fanout)
{
    const uint32_t *members = fanout->interest->lane_members;
    fanout->filled = 0;
    for (uint32_t i = 0; i < FANOUT_LANES; i++) {
        if (members[i] < members[fanout->filling])
            fanout->filling = i;
    }
}

int fanout_watch(struct fanout *fanout, struct hub_client *client, struct audience *audience,
                 const struct position *given)
{
    if (client->audience == audience)
        return 0;
    bool is_new = client->audience == NULL;
    struct lag *lag = pump_new(client, audience->count);
    if (lag == NULL)
        goto fail;
    bool synced = carry_over(fanout, client, audience, given, lag->pos);
    if (interest_add(fanout->interest, audience, client) != 0)
        goto fail;
    pump_end(fanout, client);
    client->round = fanout->lanes[audience->lane].round;
    if (synced)
        free(lag);
    else
        pump_enter(fanout, lag, LAG_READY);
    if (is_new && ++fanout->filled >= fanout->options.lane_clients)
        fill_next_lane(fanout);
    return 0;

fail:
    free(lag);
    if (!audience->pinned && audience->members == 0)
        interest_settle(fanout->interest, audience);
    return ERR_NOMEM;
}

int fanout_resume(struct fanout *fanout, struct hub_client *client, uint32_t index, struct position pos)
{
    if (client->lag == NULL) {
        int err = pump_start(fanout, client, LAG_READY);
        if (err != 0)
            return err;
    }
    client->lag->pos[index] = pos;
    if (client->lag->queue == LAG_WAITING)
        pump_move(fanout, client->lag, LAG_READY);
    return 0;
}

void fanout_leave(struct fanout *fanout, struct hub_client *client)
{
    if (client->audience == NULL)
        return;
    pump_end(fanout, client);
    interest_remove(fanout->interest, client);
}

void fanout_writable(struct fanout *fanout, struct hub_client *client)
{
    if (client->lag != NULL && client->lag->queue == LAG_BLOCKED)
        pump_move(fanout, client->lag, LAG_READY);
}
