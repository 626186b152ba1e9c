#include "gateway/snaps.h"

#include <stdlib.h>

#include "gateway/frames.h"
#include "gateway/images.h"

struct snap_job {
    struct worker_job job; // first
    struct snaps *snaps;
    uint32_t generation; // of the tile when the image was taken
    struct tile_image *image;
    struct shared_buf *buf;
};

void snaps_init(struct snaps *snaps, struct worker *worker, struct tiles *tiles, struct fanout *fanout)
{
    *snaps = (struct snaps){.worker = worker, .tiles = tiles, .fanout = fanout};
}

static void run(struct worker_job *job)
{
    struct snap_job *snap = (struct snap_job *)job;
    const struct tile_image *image = snap->image;
    snap->buf = frames_snapshot(image->tile, image->pos, image->checksum, image->px, image->len);
}

static void done(struct worker_job *job)
{
    struct snap_job *snap = (struct snap_job *)job;
    struct snaps *snaps = snap->snaps;
    // The tile may be gone, or have started over meanwhile.
    struct held *held = tiles_find(snaps->tiles, snap->image->tile);
    snaps->made++;
    if (held != NULL && held->generation == snap->generation)
        fanout_snapshot(snaps->fanout, held, snap->buf, snap->image->pos);
    shared_buf_unref(snap->buf);
    tile_image_unref(snap->image);
    free(snap);
}

bool snaps_ask(struct held *held, void *arg)
{
    struct snaps *snaps = arg;
    struct snap_job *snap = calloc(1, sizeof *snap);
    if (snap == NULL)
        return false;
    *snap = (struct snap_job){
        .job = {.run = run, .done = done, .urgent = true},
        .snaps = snaps,
        .generation = held->generation,
        .image = images_copy(held),
    };
    if (snap->image != NULL && worker_submit(snaps->worker, &snap->job) == 0)
        return true;
    snaps->refused++;
    tile_image_unref(snap->image);
    free(snap);
    return false;
}
