#include "gateway/api_wait.h"

#include "gateway/edge_internal.h"
#include "gateway/routes.h"

int api_wait_begin(struct api_wait *wait, const struct call *call)
{
    struct edge *edge = call->conn->edge;
    if (edge->stats.lookups_waiting >= EDGE_LOOKUPS_WAITING_MAX)
        return ERR_FULL;
    edge->stats.lookups_waiting++;
    *wait = (struct api_wait){.edge = edge, .conn = call->conn};
    call->http->wait = wait;
    return 0;
}

struct conn *api_wait_done(struct api_wait *wait)
{
    struct conn *conn = wait->conn;
    wait->edge->stats.lookups_waiting--;
    if (conn != NULL)
        conn->http->wait = NULL;
    return conn;
}

void api_wait_end(struct http_conn *http)
{
    if (http->wait != NULL)
        http->wait->conn = NULL;
    http->wait = NULL;
}
