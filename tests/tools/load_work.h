// What is to be drawn, by one process: the pixels of an image, or random ones; at a rate, or as fast as they are
// answered. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/monotime.h"
#include "tests/tools/load_image.h"
#include "tests/tools/load_options.h"

struct load_pixel {
    uint16_t x;
    uint16_t y;
    uint8_t color;
};

struct load_again;

struct load_work {
    struct geom geom;
    uint16_t colors;
    const struct load_image *image; // NULL: random pixels, without end
    const uint32_t *changes;        // places of the image, this process' share
    uint32_t change_count;
    uint32_t next;
    uint64_t random;
    uint64_t rate; // draws per second; 0 = no limit
    struct monotime start;
    uint64_t issued;
    bool stopped;
    struct load_again *again; // pixels that were refused and are to be drawn once more: a ring
    uint32_t again_first;
    uint32_t again_count;
    uint32_t again_capacity;
};

// `changes` as load_image_changes gives them, all of them: this takes share `part` of `parts`, and orders it if asked.
// NULL for random pixels. The arrays must outlive the work, and are this process' own (they are shuffled in place).
void load_work_init(struct load_work *work, const struct load_options *options, const struct load_canvas *canvas,
                    unsigned part, unsigned parts, struct monotime now);
void load_work_image(struct load_work *work, const struct load_options *options, const struct load_image *image,
                     uint32_t *changes, uint32_t count, unsigned part, unsigned parts);
void load_work_fini(struct load_work *work);

// Whether there is a pixel to draw now.
bool load_work_ready(struct load_work *work, struct monotime now);

// The next pixel to draw, if there is one now.
bool load_work_take(struct load_work *work, struct monotime now, struct load_pixel *out);

// It was not placed: once more, not before `due`. Random pixels are not drawn again, others take their place.
// ERR_NOMEM.
MUST_CHECK int load_work_return(struct load_work *work, const struct load_pixel *pixel, struct monotime due);

// Nothing more will come: random ones end when stopped, images when all of their pixels were taken.
void load_work_stop(struct load_work *work);
bool load_work_done(const struct load_work *work);

// Pixels of the image that nobody has taken, or that were given back.
uint64_t load_work_left(const struct load_work *work);
