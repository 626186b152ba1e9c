#include "gateway/content.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/core/hash_table.h"
#include "gateway/content_body.h"
#include "proto/limits.h"

#define FRESH_MS 1000   // this long a body is given out without looking
#define UNUSED_MS 10000 // after this long nobody will ask for it again soon
#define ENTRIES_MAX 256u
#define BYTES_MAX (128u << 20) // of bodies; a canvas of 4096 x 4096 is 16 MiB
#define WAITING_MAX 4096u      // requests

// One kind of body of one part of the canvas: the last that was made, and who waits for the next.
struct entry {
    uint64_t key;
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) link; // by last use, the oldest first
    struct content *content;
    struct content_part part;
    struct monotime used;
    bool making;                 // images are on their way, or the worker has it
    struct hub_request *loading; // NULL when it has come
    struct loop_deferred begin;
    TAILQ_HEAD(request_list, content_request) waiting;
    uint32_t waiters;

    struct shared_buf *body; // NULL: never made
    struct monotime made;
    char etag[CONTENT_ETAG_SIZE];
    char position[CONTENT_POSITION_SIZE];
};

struct content_request {
    TAILQ_ENTRY(content_request) link;
    struct entry *entry;
    content_cb cb;
    void *arg;
};

struct content_stats {
    uint64_t requests, made, reused, failed;
};

struct content {
    struct loop *loop;
    struct hub *hub;
    struct worker *worker;
    struct canvas_config config; // version 0: not known yet
    struct entry *entries;
    TAILQ_HEAD(entry_list, entry) by_use;
    uint32_t entry_count, waiting;
    size_t bytes;
    struct loop_timer sweep;
    struct content_stats stats;
};

struct content_job {
    struct worker_job job; // first
    struct entry *entry;
    struct canvas_config config;
    struct tile_image **images;
    size_t count;
    struct shared_buf *body;
};

// ---- Entries -------------------------------------------------------------------------------------------------------

static void set_body(struct entry *entry, struct shared_buf *body)
{
    if (entry->body != NULL)
        entry->content->bytes -= entry->body->len;
    shared_buf_unref(entry->body);
    entry->body = body;
    if (body != NULL)
        entry->content->bytes += body->len;
}

static void entry_free(struct entry *entry)
{
    struct content *content = entry->content;
    set_body(entry, NULL);
    loop_deferred_cancel(&entry->begin);
    HASH_DEL(content->entries, entry);
    TAILQ_REMOVE(&content->by_use, entry, link);
    content->entry_count--;
    free(entry);
}

// Frees what was used longest ago and is not being made, until the bounds hold with room for `more`. False: all are
// busy.
static bool make_room(struct content *content, uint32_t more)
{
    struct entry *entry, *next;
    for (entry = TAILQ_FIRST(&content->by_use); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (content->entry_count + more <= ENTRIES_MAX && content->bytes <= BYTES_MAX)
            return true;
        if (!entry->making)
            entry_free(entry);
    }
    return content->entry_count + more <= ENTRIES_MAX;
}

static void begin(void *arg);

static struct entry *entry_new(struct content *content, uint64_t key, const struct content_part *part)
{
    if (!make_room(content, 1))
        return NULL;
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    // From here on the worker may read it at any time.
    entry->part = *part;
    entry->key = key;
    HASH_ADD(hh, content->entries, key, sizeof key, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    entry->content = content;
    loop_deferred_init(&entry->begin, begin, entry);
    TAILQ_INIT(&entry->waiting);
    TAILQ_INSERT_TAIL(&content->by_use, entry, link);
    content->entry_count++;
    return entry;
}

static uint64_t key_of(const struct content_part *part)
{
    uint64_t of_kind = part->kind == CONTENT_TILE     ? tile_key(part->tile)
                       : part->kind == CONTENT_REGION ? region_key(&part->region)
                                                      : 0;
    return (uint64_t)part->kind << 61 | (uint64_t)part->gzip << 60 | of_kind;
}

static struct entry *entry_for(struct content *content, const struct content_part *part)
{
    uint64_t key = key_of(part);
    struct entry *entry;
    HASH_FIND(hh, content->entries, &key, sizeof key, entry);
    if (entry == NULL)
        entry = entry_new(content, key, part);
    if (entry == NULL)
        return NULL;
    entry->used = loop_now(content->loop);
    TAILQ_REMOVE(&content->by_use, entry, link);
    TAILQ_INSERT_TAIL(&content->by_use, entry, link);
    return entry;
}

static void on_sweep(void *arg)
{
    struct content *content = arg;
    struct monotime now = loop_now(content->loop);
    struct entry *entry, *next;
    for (entry = TAILQ_FIRST(&content->by_use); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (!monotime_reached(monotime_add_ms(entry->used, UNUSED_MS), now))
            break;
        if (!entry->making)
            entry_free(entry);
    }
    if (content->entry_count > 0)
        loop_timer_arm_ms(&content->sweep, UNUSED_MS / 2);
}

// ---- Answering -----------------------------------------------------------------------------------------------------

static void answer(const struct entry *entry, int err, content_cb cb, void *arg)
{
    const struct content_body body = {
        .bytes = entry->body,
        .etag = entry->etag,
        .position = entry->part.kind == CONTENT_TILE ? entry->position : NULL,
        .gzip = entry->part.gzip,
    };
    cb(err, err == 0 ? &body : NULL, arg);
}

// Making begins at the end of the turn, so that it never ends within content_get.
static void start(struct entry *entry)
{
    entry->making = true;
    loop_defer(entry->content->loop, &entry->begin);
}

static void answer_all(struct entry *entry, int err)
{
    struct content_request *request;
    if (err != 0)
        entry->content->stats.failed++;
    // Who is told may ask again at once. That is for the next time.
    for (uint32_t n = entry->waiters; n > 0 && (request = TAILQ_FIRST(&entry->waiting)) != NULL; n--) {
        // The analyser does not see that TAILQ_REMOVE changes the head.
        content_cb cb = request->cb; // NOLINT(clang-analyzer-unix.Malloc)
        void *arg = request->arg;
        content_cancel(request);
        answer(entry, err, cb, arg);
    }
    entry->making = false;
    if (!TAILQ_EMPTY(&entry->waiting))
        start(entry);
    else if (entry->body == NULL)
        entry_free(entry);
}

static void job_free(struct content_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        tile_image_unref(job->images[i]);
    free(job->images);
    free(job);
}

static void run(struct worker_job *worker_job)
{
    struct content_job *job = (struct content_job *)worker_job;
    job->body = content_make(&job->entry->part, &job->config, job->images, job->count);
}

static void done(struct worker_job *worker_job)
{
    struct content_job *job = (struct content_job *)worker_job;
    struct entry *entry = job->entry;
    struct content *content = entry->content;
    int err = job->body != NULL ? 0 : ERR_FULL;
    if (err == 0) {
        set_body(entry, job->body);
        content_etag(entry->etag, &entry->part, &job->config, job->images, job->count);
        content_position(entry->position, job->images[0]->pos);
        entry->made = loop_now(content->loop);
        content->stats.made++;
    }
    job_free(job);
    answer_all(entry, err);
    make_room(content, 0);
}

// ---- Making --------------------------------------------------------------------------------------------------------

// With references to the images of its own.
static struct content_job *job_new(struct entry *entry, struct tile_image *const *images, size_t count)
{
    struct content_job *job = calloc(1, sizeof *job);
    struct tile_image **own = calloc(count + 1, sizeof(struct tile_image *));
    if (job == NULL || own == NULL) {
        free(job);
        free(own);
        return NULL;
    }
    *job = (struct content_job){
        .job = {.run = run, .done = done},
        .entry = entry,
        .config = entry->content->config,
        .images = own,
        .count = count,
    };
    for (size_t i = 0; i < count; i++)
        own[i] = tile_image_ref(images[i]);
    return job;
}

// How many tiles it takes, and which; 0 when it is none of the canvas.
static size_t count_of(const struct content_part *part, const struct geom *geom)
{
    struct region_tiles tiles;
    if (part->kind == CONTENT_REGION)
        return region_tiles(&part->region, geom, &tiles) ? region_count(&tiles) : 0;
    return part->kind == CONTENT_TILE ? 1 : geom_count(geom);
}

static struct tile tile_of(const struct content_part *part, const struct geom *geom, uint32_t i)
{
    struct region_tiles tiles;
    if (part->kind == CONTENT_REGION && region_tiles(&part->region, geom, &tiles))
        return region_tile_at(&tiles, i);
    return part->kind == CONTENT_TILE ? part->tile : geom_tile_at(geom, i);
}

// 0: the worker will call done.
static int make(struct entry *entry, struct tile_image *const *images, size_t count)
{
    // It grew while the images were on their way: they no longer are all.
    bool all = count == count_of(&entry->part, &entry->content->config.geom);
    struct content_job *job = all ? job_new(entry, images, count) : NULL;
    if (job == NULL)
        return ERR_FULL;
    int err = worker_submit(entry->content->worker, &job->job);
    if (err != 0)
        job_free(job);
    return err;
}

static void on_images(int err, struct tile_image *const *images, size_t count, void *arg)
{
    struct entry *entry = arg;
    struct content *content = entry->content;
    char etag[CONTENT_ETAG_SIZE];
    bool same = false;
    entry->loading = NULL;
    if (err == 0) {
        content_etag(etag, &entry->part, &content->config, images, count);
        same = entry->body != NULL && strcmp(etag, entry->etag) == 0;
        if (!same)
            err = make(entry, images, count);
    }
    for (size_t i = 0; i < count; i++)
        tile_image_unref(images[i]);
    if (err == 0 && !same)
        return;
    if (same) {
        entry->made = loop_now(content->loop);
        content->stats.reused++;
    }
    answer_all(entry, err);
}

static void begin(void *arg)
{
    struct entry *entry = arg;
    struct content *content = entry->content;
    size_t count = count_of(&entry->part, &content->config.geom);
    struct tile *tiles = calloc(count + 1, sizeof *tiles);
    if (tiles == NULL) {
        answer_all(entry, ERR_FULL);
        return;
    }
    for (size_t i = 0; i < count; i++)
        tiles[i] = tile_of(&entry->part, &content->config.geom, (uint32_t)i);
    // The answer may come before it returns, and then the entry may be gone.
    struct hub_request *loading = hub_images(content->hub, tiles, count, on_images, entry);
    free(tiles);
    if (loading != NULL)
        entry->loading = loading;
}

// ---- The outside ---------------------------------------------------------------------------------------------------

static int add_metrics(struct metrics *metrics, const struct content_stats *stats)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_content_requests_total",
         .type = METRICS_COUNTER,
         .help = "Requests for tiles, canvases and pictures over HTTP.",
         .value = &stats->requests},
        {.name = "tessera_content_made_total",
         .type = METRICS_COUNTER,
         .help = "Bodies made for them.",
         .value = &stats->made},
        {.name = "tessera_content_reused_total",
         .type = METRICS_COUNTER,
         .help = "Bodies that were older than a second and still right.",
         .value = &stats->reused},
        {.name = "tessera_content_failed_total",
         .type = METRICS_COUNTER,
         .help = "Bodies that could not be made.",
         .value = &stats->failed},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

struct content *content_new(struct loop *loop, struct metrics *metrics, struct hub *hub, struct worker *worker)
{
    struct content *content = calloc(1, sizeof *content);
    if (content == NULL)
        return NULL;
    content->loop = loop;
    content->hub = hub;
    content->worker = worker;
    TAILQ_INIT(&content->by_use);
    loop_timer_init(&content->sweep, loop, on_sweep, content);
    if (add_metrics(metrics, &content->stats) != 0) {
        free(content);
        return NULL;
    }
    return content;
}

static void cancel_all(struct entry *entry)
{
    struct content_request *request, *next;
    for (request = TAILQ_FIRST(&entry->waiting); request != NULL; request = next) {
        next = TAILQ_NEXT(request, link);
        content_cancel(request);
    }
}

void content_free(struct content *content)
{
    struct entry *entry, *next;
    if (content == NULL)
        return;
    loop_timer_disarm(&content->sweep);
    for (entry = TAILQ_FIRST(&content->by_use); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        hub_images_cancel(entry->loading);
        cancel_all(entry);
        entry_free(entry);
    }
    free(content);
}

void content_configure(struct content *content, const struct canvas_config *config)
{
    content->config = *config;
}

static int check(const struct content *content, const struct content_part *part)
{
    const struct geom *geom = &content->config.geom;
    if (content->config.version == 0)
        return ERR_CLOSED;
    if (part->kind == CONTENT_TILE)
        return geom_has_tile(geom, part->tile) ? 0 : ERR_RANGE;
    if (part->kind == CONTENT_REGION)
        return count_of(part, geom) > 0 ? 0 : ERR_RANGE;
    return geom->width <= LIMIT_WHOLE_CANVAS && geom->height <= LIMIT_WHOLE_CANVAS ? 0 : ERR_RANGE;
}

// Waits for what the entry will be. NULL without memory.
static struct content_request *wait_for(struct entry *entry, content_cb cb, void *arg)
{
    struct content_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    *request = (struct content_request){.entry = entry, .cb = cb, .arg = arg};
    TAILQ_INSERT_TAIL(&entry->waiting, request, link);
    entry->waiters++;
    entry->content->waiting++;
    return request;
}

struct content_request *content_get(struct content *content, const struct content_part *asked, content_cb cb, void *arg)
{
    struct content_part part = *asked;
    part.gzip = asked->gzip && asked->kind != CONTENT_PNG && asked->kind != CONTENT_REGION;
    content->stats.requests++;
    int err = check(content, &part);
    if (err == 0 && content->waiting >= WAITING_MAX)
        err = ERR_FULL;
    struct entry *entry = err == 0 ? entry_for(content, &part) : NULL;
    if (entry == NULL) {
        cb(err != 0 ? err : ERR_FULL, NULL, arg);
        return NULL;
    }
    if (!loop_timer_armed(&content->sweep))
        loop_timer_arm_ms(&content->sweep, UNUSED_MS / 2);
    if (entry->body != NULL && !monotime_reached(monotime_add_ms(entry->made, FRESH_MS), entry->used)) {
        answer(entry, 0, cb, arg);
        return NULL;
    }
    struct content_request *request = wait_for(entry, cb, arg);
    if (request == NULL) {
        cb(ERR_FULL, NULL, arg);
        return NULL;
    }
    if (!entry->making)
        start(entry);
    return request;
}

void content_cancel(struct content_request *request)
{
    if (request == NULL)
        return;
    TAILQ_REMOVE(&request->entry->waiting, request, link);
    request->entry->waiters--;
    request->entry->content->waiting--;
    free(request);
}
