// Requests for images of tiles that may have to be loaded first (hub_images).
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "common/io/loop.h"
#include "gateway/hub.h"
#include "gateway/tiles.h"

#define IMAGES_WAITING_MAX 64u
#define IMAGES_TIMEOUT_MS 5000

struct images {
    struct loop *loop;
    struct tiles *tiles;
    TAILQ_HEAD(hub_request_list, hub_request) waiting;
    uint32_t count;
    struct loop_deferred check;
};

void images_init(struct images *images, struct loop *loop, struct tiles *tiles);
// Answers all that wait with ERR_CLOSED.
void images_fini(struct images *images);

// A copy of a loaded tile. NULL without memory.
struct tile_image *images_copy(const struct held *held);

// As hub_images and hub_images_cancel.
struct hub_request *images_ask(struct images *images, const struct tile *tiles, size_t count, hub_images_cb cb,
                               void *arg);
void images_cancel(struct hub_request *request);
// Some tile was loaded.
void images_loaded(struct images *images);
