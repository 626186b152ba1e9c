#include "gateway/ring.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/replica.h"

#define FIRST_CAPACITY 64u

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t power = 1;
    while (power < at_least && power < 1u << 31)
        power <<= 1;
    return power;
}

void ring_init(struct ring *ring, uint32_t max)
{
    *ring = (struct ring){.max = power_of_two(max)};
}

void ring_fini(struct ring *ring)
{
    free(ring->records);
    *ring = (struct ring){0};
}

void ring_restart(struct ring *ring, struct position pos)
{
    ring->base = pos;
    ring->count = 0;
    ring->span_count = 0;
}

static uint64_t epoch_at(const struct ring *ring, uint32_t seq)
{
    uint64_t epoch = ring->base.epoch;
    for (uint32_t i = 0; i < ring->span_count && ring->spans[i].first <= seq; i++)
        epoch = ring->spans[i].epoch;
    return epoch;
}

struct position ring_end(const struct ring *ring)
{
    uint32_t seq = ring->base.seq + ring->count;
    return (struct position){epoch_at(ring, seq), seq};
}

bool ring_has(const struct ring *ring, struct position pos)
{
    bool inside = pos.seq >= ring->base.seq && pos.seq - ring->base.seq <= ring->count;
    return inside && epoch_at(ring, pos.seq) == pos.epoch;
}

static uint8_t *record(const struct ring *ring, uint32_t seq)
{
    return ring->records + (size_t)(seq & (ring->capacity - 1)) * REPLICA_RECORD_LEN;
}

// As far as max and memory allow.
static void grow(struct ring *ring, uint64_t need)
{
    if (need <= ring->capacity || ring->capacity == ring->max)
        return;
    uint32_t want = need < ring->max ? (uint32_t)need : ring->max;
    struct ring larger = *ring;
    larger.capacity = power_of_two(want > FIRST_CAPACITY ? want : FIRST_CAPACITY);
    if (larger.capacity > ring->max)
        larger.capacity = ring->max;
    larger.records = malloc((size_t)larger.capacity * REPLICA_RECORD_LEN);
    if (larger.records == NULL)
        return;
    for (uint32_t i = 1; i <= ring->count; i++)
        memcpy(record(&larger, ring->base.seq + i), record(ring, ring->base.seq + i), REPLICA_RECORD_LEN);
    free(ring->records);
    *ring = larger;
}

static void remove_span(struct ring *ring)
{
    ring->span_count--;
    memmove(ring->spans, ring->spans + 1, ring->span_count * sizeof ring->spans[0]);
}

// The oldest records fall out, up to and with `seq`.
static void move_base(struct ring *ring, uint32_t seq)
{
    struct position base = {epoch_at(ring, seq), seq};
    ring->count -= seq - ring->base.seq;
    ring->base = base;
    while (ring->span_count > 1 && ring->spans[1].first <= seq + 1)
        remove_span(ring);
    if (ring->span_count > 0 && ring->spans[0].first <= seq)
        ring->spans[0].first = seq + 1;
    if (ring->count == 0)
        ring->span_count = 0;
}

static void begin_epoch(struct ring *ring, uint64_t epoch, uint32_t first)
{
    if (ring->span_count > 0 && ring->spans[ring->span_count - 1].epoch == epoch)
        return;
    if (ring->span_count == RING_EPOCHS)
        move_base(ring, ring->spans[1].first - 1);
    ring->spans[ring->span_count++] = (struct ring_span){epoch, first};
}

void ring_push(struct ring *ring, uint64_t epoch, uint32_t count, const uint8_t *records)
{
    uint32_t end = ring->base.seq + ring->count;
    grow(ring, (uint64_t)ring->count + count);
    if (count > ring->capacity) {
        uint32_t skip = count - ring->capacity;
        end += skip;
        ring_restart(ring, (struct position){epoch, end});
        records += (size_t)skip * REPLICA_RECORD_LEN;
        count -= skip;
    } else if (count > ring->capacity - ring->count) {
        move_base(ring, end + count - ring->capacity);
    }
    if (count == 0)
        return;
    begin_epoch(ring, epoch, end + 1);
    for (uint32_t i = 0; i < count; i++)
        memcpy(record(ring, end + 1 + i), records + (size_t)i * REPLICA_RECORD_LEN, REPLICA_RECORD_LEN);
    ring->count += count;
}

bool ring_next(const struct ring *ring, struct position from, struct position to, uint32_t limit, struct ring_run *run)
{
    if (to.seq <= from.seq)
        return false;
    uint32_t first = from.seq + 1;
    uint32_t last = to.seq;
    uint64_t epoch = epoch_at(ring, first);
    for (uint32_t i = 0; i < ring->span_count; i++) {
        if (ring->spans[i].first > first && ring->spans[i].first <= last) {
            last = ring->spans[i].first - 1;
            break;
        }
    }
    uint32_t count = last - first + 1;
    *run = (struct ring_run){first, count < limit ? count : limit, epoch, from.epoch};
    return true;
}

struct position ring_run_end(const struct ring_run *run)
{
    return (struct position){run->epoch, run->first + (run->count - 1)};
}

void ring_copy(const struct ring *ring, const struct ring_run *run, uint8_t *to)
{
    uint32_t at = run->first & (ring->capacity - 1);
    uint32_t straight = ring->capacity - at < run->count ? ring->capacity - at : run->count;
    memcpy(to, record(ring, run->first), (size_t)straight * REPLICA_RECORD_LEN);
    memcpy(to + (size_t)straight * REPLICA_RECORD_LEN, ring->records,
           (size_t)(run->count - straight) * REPLICA_RECORD_LEN);
}

size_t ring_bytes(const struct ring *ring)
{
    return (size_t)ring->capacity * REPLICA_RECORD_LEN;
}
