#include "gateway/images.h"

#include <stdlib.h>
#include <string.h>

struct hub_request {
    TAILQ_ENTRY(hub_request) link;
    struct images *images;
    struct held **helds; // pinned
    uint32_t count;
    uint32_t next; // the first that was not loaded when looked at last
    struct loop_timer deadline;
    hub_images_cb cb;
    void *arg;
};

struct tile_image *tile_image_ref(struct tile_image *image)
{
    image->refs++;
    return image;
}

void tile_image_unref(struct tile_image *image)
{
    if (image != NULL && --image->refs == 0)
        free(image);
}

struct tile_image *images_copy(const struct held *held)
{
    struct tile_image *image = malloc(sizeof *image + held->replica.len);
    if (image == NULL)
        return NULL;
    image->refs = 1;
    image->tile = held->tile;
    image->pos = held->replica.pos;
    image->checksum = held->replica.checksum;
    image->len = held->replica.len;
    memcpy(image->px, held->replica.px, held->replica.len);
    return image;
}

static bool all_loaded(struct hub_request *request)
{
    while (request->next < request->count && request->helds[request->next]->loaded)
        request->next++;
    return request->next == request->count;
}

// Out of the list, unpinned, freed.
static void discard(struct hub_request *request)
{
    struct images *images = request->images;
    loop_timer_disarm(&request->deadline);
    TAILQ_REMOVE(&images->waiting, request, link);
    images->count--;
    tiles_release(images->tiles, request->helds, request->count);
    free(request->helds);
    free(request);
}

static struct tile_image **copy_all(const struct hub_request *request)
{
    struct tile_image **copies = calloc(request->count + 1, sizeof(struct tile_image *));
    for (uint32_t i = 0; copies != NULL && i < request->count; i++) {
        copies[i] = images_copy(request->helds[i]);
        if (copies[i] != NULL)
            continue;
        while (i > 0)
            tile_image_unref(copies[--i]);
        free(copies);
        return NULL;
    }
    return copies;
}

static void answer(struct hub_request *request, int err)
{
    hub_images_cb cb = request->cb;
    void *arg = request->arg;
    size_t count = request->count;
    struct tile_image **copies = err == 0 ? copy_all(request) : NULL;
    discard(request);
    if (copies != NULL)
        cb(0, copies, count, arg);
    else
        cb(err != 0 ? err : ERR_FULL, NULL, 0, arg);
    free(copies);
}

static void on_deadline(void *arg)
{
    answer(arg, ERR_TIMEOUT);
}

static void on_check(void *arg)
{
    struct images *images = arg;
    struct hub_request *request, *next;
    for (request = TAILQ_FIRST(&images->waiting); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        if (!all_loaded(request))
            continue;
        answer(request, 0);
        // The callee may have cancelled any other: the rest is for the next turn.
        loop_defer(images->loop, &images->check);
        return;
    }
}

void images_init(struct images *images, struct loop *loop, struct tiles *tiles)
{
    *images = (struct images){.loop = loop, .tiles = tiles};
    TAILQ_INIT(&images->waiting);
    loop_deferred_init(&images->check, on_check, images);
}

void images_fini(struct images *images)
{
    struct hub_request *request;
    loop_deferred_cancel(&images->check);
    while ((request = TAILQ_FIRST(&images->waiting)) != NULL) {
        // The analyser does not see that TAILQ_REMOVE changes the head.
        answer(request, ERR_CLOSED); // NOLINT(clang-analyzer-unix.Malloc)
    }
}

void images_loaded(struct images *images)
{
    if (images->count > 0)
        loop_defer(images->loop, &images->check);
}

static struct hub_request *request_new(struct images *images, const struct tile *wanted, size_t count)
{
    struct hub_request *request = calloc(1, sizeof *request);
    struct held **helds = calloc(count + 1, sizeof(struct held *));
    if (request == NULL || helds == NULL || tiles_hold(images->tiles, wanted, (uint32_t)count, 0, helds) != 0) {
        free(helds);
        free(request);
        return NULL;
    }
    *request = (struct hub_request){.images = images, .helds = helds, .count = (uint32_t)count};
    loop_timer_init(&request->deadline, images->loop, on_deadline, request);
    TAILQ_INSERT_TAIL(&images->waiting, request, link);
    images->count++;
    return request;
}

struct hub_request *images_ask(struct images *images, const struct tile *tiles, size_t count, hub_images_cb cb,
                               void *arg)
{
    struct hub_request *request = NULL;
    if (images->count < IMAGES_WAITING_MAX && count <= UINT32_MAX)
        request = request_new(images, tiles, count);
    if (request == NULL) {
        cb(ERR_FULL, NULL, 0, arg);
        return NULL;
    }
    request->cb = cb;
    request->arg = arg;
    if (all_loaded(request)) {
        answer(request, 0);
        return NULL;
    }
    if (!store_ready(images->tiles->store)) {
        answer(request, ERR_CLOSED);
        return NULL;
    }
    loop_timer_arm_ms(&request->deadline, IMAGES_TIMEOUT_MS);
    return request;
}

void images_cancel(struct hub_request *request)
{
    if (request != NULL)
        discard(request);
}
