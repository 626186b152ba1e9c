// Between route's slots and the links in them.
#include "common/io/log.h"
#include "gateway/cluster_internal.h"

static void on_up(void *arg, uint64_t incarnation, uint64_t view)
{
    struct cluster_slot *slot = arg;
    struct cluster *cluster = slot->cluster;
    (void)incarnation;
    cluster->links_up++;
    route_link_up(cluster->route, slot->number, loop_now(cluster->loop));
    route_hint_view(cluster->route, view);
    cluster_pump(cluster);
}

static void on_down(void *arg)
{
    struct cluster_slot *slot = arg;
    struct cluster *cluster = slot->cluster;
    cluster->links_up--;
    route_link_down(cluster->route, slot->number, loop_now(cluster->loop));
    cluster_pump(cluster);
}

static int on_verdicts(void *arg, const uint8_t *records, uint32_t count)
{
    struct cluster_slot *slot = arg;
    struct cluster *cluster = slot->cluster;
    int err = route_verdicts(cluster->route, slot->number, records, count, loop_now(cluster->loop));
    cluster_pump(cluster);
    return err;
}

static int on_not_owner(void *arg, uint64_t view, const uint8_t *records, uint32_t count)
{
    struct cluster_slot *slot = arg;
    struct cluster *cluster = slot->cluster;
    int err = route_not_owner(cluster->route, slot->number, view, records, count, loop_now(cluster->loop));
    cluster_pump(cluster);
    return err;
}

static void on_pong(void *arg, uint64_t view)
{
    struct cluster_slot *slot = arg;
    route_hint_view(slot->cluster->route, view);
    cluster_pump(slot->cluster);
}

static void open_slot(struct cluster *cluster, struct cluster_slot *slot)
{
    static const struct shard_link_handlers handlers = {
        .on_up = on_up,
        .on_down = on_down,
        .on_verdicts = on_verdicts,
        .on_not_owner = on_not_owner,
        .on_pong = on_pong,
    };
    const struct shard_link_config config = {
        .address = slot->address,
        .secret = cluster->secret,
        .secret_len = cluster->secret_len,
        .gateway = cluster->id,
    };
    int err = shard_link_open(&slot->link, cluster->loop, &config, &handlers, slot);
    if (err == 0)
        return;
    log_error("shard link cannot be opened", LOG_STR("shard", slot->address), LOG_ERR(err));
    cluster_retry_later(cluster);
}

void cluster_follow_links(struct cluster *cluster)
{
    struct route_link_change change;
    while (route_next_link(cluster->route, loop_now(cluster->loop), &change)) {
        struct cluster_slot *slot = &cluster->slots[change.slot];
        if (change.open) {
            slot->address = change.address;
            open_slot(cluster, slot);
            continue;
        }
        if (slot->link != NULL && shard_link_is_up(slot->link))
            cluster->links_up--;
        shard_link_close(slot->link);
        slot->link = NULL;
        slot->address = NULL;
    }
}

void cluster_retry_links(struct cluster *cluster)
{
    for (uint32_t i = 0; i < ROUTE_LINKS_MAX; i++) {
        if (cluster->slots[i].address != NULL && cluster->slots[i].link == NULL)
            open_slot(cluster, &cluster->slots[i]);
    }
}
