// Records of draws: where their memory comes from, and how they get their verdict.
#include "gateway/route_internal.h"

#include <stdlib.h>

static bool grow(struct route *route)
{
    if (route->slab_count == ROUTE_SLABS_MAX)
        return false;
    struct route_draw *slab = calloc(ROUTE_SLAB_DRAWS, sizeof *slab);
    if (slab == NULL)
        return false;
    for (uint32_t i = ROUTE_SLAB_DRAWS; i-- > 0;) {
        slab[i].draw.id = route->slab_count * ROUTE_SLAB_DRAWS + i;
        slab[i].age_next = route->free;
        route->free = &slab[i];
    }
    route->slabs[route->slab_count++] = slab;
    return true;
}

struct route_draw *route_draw_take(struct route *route)
{
    if (route->free == NULL && !grow(route))
        return NULL;
    struct route_draw *draw = route->free;
    route->free = draw->age_next;
    uint32_t id = draw->draw.id;
    *draw = (struct route_draw){.draw.id = id};
    return draw;
}

void route_draw_release(struct route *route, struct route_draw *draw)
{
    if (draw->client != NULL) {
        DL_DELETE2(draw->client->draws, draw, client_prev, client_next);
        draw->client->in_flight--;
        draw->client = NULL;
    }
    draw->state = ROUTE_DRAW_FREE;
    draw->age_next = route->free;
    route->free = draw;
}

struct route_draw *route_draw_by_id(struct route *route, uint32_t id)
{
    if (id / ROUTE_SLAB_DRAWS >= route->slab_count)
        return NULL;
    return &route->slabs[id / ROUTE_SLAB_DRAWS][id % ROUTE_SLAB_DRAWS];
}

static void answer(struct route *route, struct route_draw *draw, const struct link_verdict *verdict)
{
    draw->verdict = (struct ws_verdict){
        .code = verdict->code,
        .x = draw->draw.x,
        .y = draw->draw.y,
        .nonce = draw->draw.nonce,
        .next_nonce = verdict->next_nonce,
        .wait_ms = verdict->wait_ms,
        .seq = verdict->seq,
    };
    draw->verdict_waits = true;
    DL_APPEND2(route->done, draw, age_prev, age_next);
}

void route_draw_finish(struct route *route, struct route_draw *draw, const struct link_verdict *verdict)
{
    if (!draw->told)
        DL_DELETE2(route->pending, draw, age_prev, age_next);
    if (!draw->told && draw->client != NULL)
        answer(route, draw, verdict);
    if (draw->verdict_waits)
        draw->state = ROUTE_DRAW_DONE;
    else
        route_draw_release(route, draw);
}

void route_draw_tell(struct route *route, struct route_draw *draw, const struct link_verdict *verdict)
{
    DL_DELETE2(route->pending, draw, age_prev, age_next);
    draw->told = true;
    if (draw->client != NULL)
        answer(route, draw, verdict);
}

bool route_next_verdict(struct route *route, struct cluster_client **client, struct ws_verdict *verdict,
                        struct monotime *submitted)
{
    while (route->done != NULL) {
        struct route_draw *draw = route->done;
        DL_DELETE2(route->done, draw, age_prev, age_next);
        draw->verdict_waits = false;
        *client = draw->client;
        *verdict = draw->verdict;
        *submitted = draw->submitted;
        if (draw->client != NULL) {
            DL_DELETE2(draw->client->draws, draw, client_prev, client_next);
            draw->client->in_flight--;
            draw->client = NULL;
        }
        if (draw->state == ROUTE_DRAW_DONE)
            route_draw_release(route, draw);
        if (*client != NULL)
            return true;
    }
    return false;
}

void route_forget(struct route *route, struct cluster_client *client)
{
    (void)route;
    for (struct route_draw *draw = client->draws; draw != NULL; draw = draw->client_next)
        draw->client = NULL;
    client->draws = NULL;
    client->in_flight = 0;
}
