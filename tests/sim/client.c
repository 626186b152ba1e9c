#include "tests/sim/client_impl.h"

#include <stdlib.h>

#include "proto/link_proto.h"

struct clients clients;

static void on_pace(void *arg)
{
    struct client *client = arg;
    sim_count_event();
    client->pace = sim_after(&client->proc, sim_skewed(clients.settings.pace_us / 10, 4 * clients.settings.pace_us),
                             on_pace, NULL, client);
    bool plain = clients.settings.record != NULL && client->number == 0;
    if (client->welcomed && !clients.resting && !plain && client->tile_count > 0 && sim_below(24) == 0)
        client_go_back(client);
    if (client->welcomed && !clients.resting && !plain && sim_below(40) == 0)
        client_look_elsewhere(client);
    uint64_t burst = sim_below(8) == 0 ? 1 + clients.settings.window / 2 : 1;
    for (uint64_t i = 0; i < burst && client_may_draw(client); i++)
        client_draw(client);
}

static void begin_one(struct client *client, uint32_t number)
{
    *client = (struct client){.number = number, .retry_us = RETRY_MIN_US, .next_nonce = 1};
    snprintf(client->name, sizeof client->name, "C%u", number);
    for (int i = 0; i < 2; i++)
        client->sockets[i].client = client;
    client->socket = &client->sockets[0];
    sim_proc_start(&client->proc, client->name);
    client->user.user = 1 + number % clients.settings.users;
    client->user.kind = sim_below(4) == 0 ? LINK_USER_MEMBER : LINK_USER_GUEST;
    char address[ADDR_TEXT_SIZE];
    int len = snprintf(address, sizeof address, "10.0.0.%u", number % clients.settings.addresses);
    if (addr_from_text(&client->user.address, address, (size_t)len) != 0)
        abort();
    client->connection = sim_random() | 1;
    for (unsigned tile = 0; tile < clients.settings.tiles; tile++) {
        if (number > 0 && sim_below(4) == 0)
            continue;
        struct client_watched *watched = &client->watched[client->tile_count];
        if (replica_init(&watched->replica, DB_TILE_LEN) != 0 || replica_init(&watched->older, DB_TILE_LEN) != 0)
            abort();
        client->tiles[client->tile_count++] = tile;
    }
    client->connect = sim_after(&client->proc, sim_skewed(0, 500000), client_on_connect, NULL, client);
    client->pace = sim_after(&client->proc, sim_skewed(0, 500000), on_pace, NULL, client);
}

void clients_begin(const struct client_settings *settings)
{
    clients.settings = *settings;
    clients.resting = false;
    for (uint32_t i = 0; i < settings->count; i++)
        begin_one(&clients.all[i], i);
}

void clients_end(void)
{
    for (uint32_t i = 0; i < clients.settings.count; i++) {
        struct client *client = &clients.all[i];
        client_close_socket(&client->sockets[0]);
        client_close_socket(&client->sockets[1]);
        for (uint32_t k = 0; k < client->tile_count; k++)
            replica_fini(&client->watched[k].replica);
        for (uint32_t k = 0; k < client->tile_count; k++)
            replica_fini(&client->watched[k].older);
        sim_proc_end(&client->proc);
    }
}

void clients_rest(void)
{
    clients.resting = true;
    for (uint32_t i = 0; i < clients.settings.count; i++) {
        struct client *client = &clients.all[i];
        if (!client->welcomed)
            continue;
        client_look_everywhere(client);
        // What a page did not see last, nothing tells it of.
        for (uint32_t k = 0; k < client->tile_count; k++) {
            client->watched[k].asked = false;
            client_ask_again(client, &client->watched[k]);
        }
    }
}

bool clients_quiet(void)
{
    for (uint32_t i = 0; i < clients.settings.count; i++) {
        if (clients.all[i].pending_count > 0 || !clients.all[i].welcomed)
            return false;
    }
    return true;
}

struct sim_proc *client_proc(uint32_t number)
{
    return &clients.all[number].proc;
}
