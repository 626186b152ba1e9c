#include "tests/tools/load_work.h"

#include <stdlib.h>

#include "common/core/mix.h"

#define BURST_US 100000 // unused allowance is kept for so long

struct load_again {
    struct load_pixel pixel;
    struct monotime due;
};

static uint64_t draw_random(struct load_work *work)
{
    work->random += 0x9e3779b97f4a7c15u;
    return mix_final(work->random);
}

void load_work_init(struct load_work *work, const struct load_options *options, const struct load_canvas *canvas,
                    unsigned part, unsigned parts, struct monotime now)
{
    uint64_t rate = (uint64_t)options->rate;
    *work = (struct load_work){
        .geom = canvas->geom,
        .colors = canvas->colors,
        .random = mix_final((uint64_t)options->seed * 1000 + part + 1),
        .rate = rate / parts + (part < rate % parts ? 1 : 0),
        .start = now,
        // A share of nothing, where others have the little that there is.
        .stopped = rate > 0 && rate / parts + (part < rate % parts ? 1 : 0) == 0,
    };
}

void load_work_image(struct load_work *work, const struct load_options *options, const struct load_image *image,
                     uint32_t *changes, uint32_t count, unsigned part, unsigned parts)
{
    if (options->order == LOAD_SHUFFLE) {
        // The same in every process, so that the shares do not overlap.
        struct load_work dice = {.random = mix_final((uint64_t)options->seed)};
        for (uint32_t i = count; i > 1; i--) {
            uint32_t j = (uint32_t)(draw_random(&dice) % i);
            uint32_t other = changes[j];
            changes[j] = changes[i - 1];
            changes[i - 1] = other;
        }
    }
    uint32_t begin = (uint32_t)((uint64_t)count * part / parts);
    uint32_t end = (uint32_t)((uint64_t)count * (part + 1) / parts);
    work->image = image;
    work->changes = changes + begin;
    work->change_count = end - begin;
}

void load_work_fini(struct load_work *work)
{
    free(work->again);
    work->again = NULL;
}

// How many may have been issued by now. Time that was not used is lost after BURST_US.
static bool within_rate(struct load_work *work, struct monotime now)
{
    if (work->rate == 0)
        return true;
    int64_t due_us = (int64_t)(work->issued * 1000000 / work->rate);
    int64_t elapsed_us = monotime_diff_us(now, work->start);
    if (due_us > elapsed_us)
        return false;
    if (elapsed_us - due_us > BURST_US)
        work->start = monotime_add_us(work->start, elapsed_us - due_us - BURST_US);
    return true;
}

static bool has_fresh(const struct load_work *work)
{
    return !work->stopped && (work->image == NULL || work->next < work->change_count);
}

static bool has_again(const struct load_work *work, struct monotime now)
{
    return work->again_count > 0 && monotime_reached(work->again[work->again_first].due, now);
}

bool load_work_ready(struct load_work *work, struct monotime now)
{
    return (has_fresh(work) || has_again(work, now)) && within_rate(work, now);
}

static void take_again(struct load_work *work, struct load_pixel *out)
{
    *out = work->again[work->again_first].pixel;
    work->again_first = (work->again_first + 1) % work->again_capacity;
    work->again_count--;
}

static void take_change(struct load_work *work, struct load_pixel *out)
{
    uint32_t place = work->changes[work->next++];
    *out = (struct load_pixel){
        .x = (uint16_t)(place % work->image->width),
        .y = (uint16_t)(place / work->image->width),
        .color = (uint8_t)work->image->px[place],
    };
}

static void take_random(struct load_work *work, struct load_pixel *out)
{
    uint64_t a = draw_random(work);
    *out = (struct load_pixel){
        .x = (uint16_t)((a & 0xffffffff) % work->geom.width),
        .y = (uint16_t)((a >> 32) % work->geom.height),
        .color = (uint8_t)(draw_random(work) % work->colors),
    };
}

bool load_work_take(struct load_work *work, struct monotime now, struct load_pixel *out)
{
    if (!load_work_ready(work, now))
        return false;
    work->issued++;
    if (has_again(work, now))
        take_again(work, out);
    else if (work->image != NULL)
        take_change(work, out);
    else
        take_random(work, out);
    return true;
}

static int grow(struct load_work *work)
{
    uint32_t capacity = work->again_capacity > 0 ? 2 * work->again_capacity : 1024;
    struct load_again *again = malloc(capacity * sizeof *again);
    if (again == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < work->again_count; i++)
        again[i] = work->again[(work->again_first + i) % work->again_capacity];
    free(work->again);
    work->again = again;
    work->again_first = 0;
    work->again_capacity = capacity;
    return 0;
}

int load_work_return(struct load_work *work, const struct load_pixel *pixel, struct monotime due)
{
    if (work->image == NULL || work->stopped)
        return 0;
    if (work->again_count == work->again_capacity && grow(work) != 0)
        return ERR_NOMEM;
    work->again[(work->again_first + work->again_count++) % work->again_capacity] = (struct load_again){*pixel, due};
    return 0;
}

void load_work_stop(struct load_work *work)
{
    work->stopped = true;
}

bool load_work_done(const struct load_work *work)
{
    if (work->stopped)
        return true;
    return work->image != NULL && load_work_left(work) == 0;
}

uint64_t load_work_left(const struct load_work *work)
{
    return work->image == NULL ? 0 : work->change_count - work->next + work->again_count;
}
