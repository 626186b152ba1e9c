// The WebSockets in the order of acceptance, which is also about that of their memory and sockets: whoever goes over
// all of them goes in that order. Those that leave make holes; when there are many, the rest moves up.
#include <stdlib.h>

#include "gateway/edge_internal.h"

#define HOLES_MIN 64u
#define CAPACITY_MIN 256u

// Rounds go on where they were: in front of a place there are as many clients as before.
static void close_holes(struct edge *edge)
{
    struct broadcast *const rounds[] = {&edge->status_round, &edge->config_round, &edge->drain_round};
    uint32_t moved_to[3] = {0, 0, 0};
    uint32_t to = 0;
    for (uint32_t at = 0; at < edge->places; at++) {
        for (unsigned r = 0; r < 3; r++)
            if (rounds[r]->at == at)
                moved_to[r] = to;
        if (edge->clients[at] == NULL)
            continue;
        edge->clients[at]->ws.index = to;
        edge->users[to] = edge->users[at];
        edge->clients[to++] = edge->clients[at];
    }
    for (unsigned r = 0; r < 3; r++)
        rounds[r]->at = rounds[r]->at >= edge->places ? to : moved_to[r];
    edge->places = to;
    edge->holes = 0;
}

int edge_add_client(struct edge *edge, struct conn *conn, uint64_t user)
{
    if (edge->places == edge->capacity && edge->holes > edge->places / 4)
        close_holes(edge);
    if (edge->places == edge->capacity) {
        uint32_t capacity = edge->capacity > 0 ? 2 * edge->capacity : CAPACITY_MIN;
        struct conn **clients = realloc(edge->clients, capacity * sizeof(struct conn *));
        if (clients == NULL)
            return ERR_NOMEM;
        edge->clients = clients;
        uint64_t *users = realloc(edge->users, capacity * sizeof *users);
        if (users == NULL)
            return ERR_NOMEM;
        edge->users = users;
        edge->capacity = capacity;
    }
    conn->ws.index = edge->places;
    edge->users[edge->places] = user;
    edge->clients[edge->places++] = conn;
    edge->stats.clients++;
    cluster_set_connections(edge->parts.cluster, (uint32_t)edge->stats.clients);
    return 0;
}

void edge_remove_client(struct edge *edge, struct conn *conn)
{
    edge->clients[conn->ws.index] = NULL;
    edge->holes++;
    edge->stats.clients--;
    cluster_set_connections(edge->parts.cluster, (uint32_t)edge->stats.clients);
    if (edge->holes >= HOLES_MIN && edge->holes > edge->places / 2)
        close_holes(edge);
}

// Strangers may have any number of users erased, so nobody's memory is touched but theirs: the numbers lie side by
// side.
void edge_on_erased(uint64_t user, void *arg)
{
    struct edge *edge = arg;
    for (uint32_t at = 0; at < edge->places; at++) {
        struct conn *conn = edge->users[at] == user ? edge->clients[at] : NULL;
        if (conn != NULL && conn->state == CONN_WS)
            ws_conn_close(&conn->ws, WS_CLOSE_ERASED, "the user was erased");
    }
}
