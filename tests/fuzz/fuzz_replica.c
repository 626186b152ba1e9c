// A replica of a tile against a plain model: an array of pixels, a list of all
// placements, and the rule of PROTOCOL.md written down once more.
//
//   steps: what u8, and what the step takes
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "common/core/replica.h"
#include "tests/fuzz/fuzz.h"

#define LEN 64u // pixels
#define COLORS 8
#define UPDATES_MAX 40u
#define STEPS_MAX 200

struct model {
    struct position pos;
    uint8_t px[LEN];
};

static void check_same(const struct replica *replica, const struct model *model)
{
    FUZZ_CHECK(position_equal(replica->pos, model->pos));
    FUZZ_CHECK(memcmp(replica->px, model->px, LEN) == 0);
    FUZZ_CHECK(replica->checksum == mix_tile_checksum(model->px, LEN));
}

// What the rule says of an update; nothing is changed.
static int judge(const struct model *model, const struct replica_update *update)
{
    uint64_t last = (uint64_t)update->first + update->count - 1;
    if (update->count == 0 || update->first == 0 || last > UINT32_MAX || update->prev_epoch > update->epoch)
        return ERR_MALFORMED;
    for (uint32_t i = 0; i < update->count; i++)
        if (bytes_get_u16(update->records + 3 * i) >= LEN || update->records[3 * i + 2] >= COLORS)
            return ERR_MALFORMED;
    bool follows = update->prev_epoch == model->pos.epoch && update->first - 1 == model->pos.seq;
    if (follows)
        return REPLICA_APPLIED;
    if (update->epoch != model->pos.epoch)
        return REPLICA_EPOCH;
    if (last <= model->pos.seq)
        return REPLICA_IGNORED;
    if (update->first > model->pos.seq + UINT64_C(1))
        return REPLICA_GAP;
    return update->first == model->pos.seq + UINT64_C(1) ? REPLICA_EPOCH : REPLICA_APPLIED;
}

static void apply(struct model *model, const struct replica_update *update)
{
    for (uint32_t i = 0; i < update->count; i++)
        if (update->first + i > model->pos.seq)
            model->px[bytes_get_u16(update->records + 3 * i)] = update->records[3 * i + 2];
    model->pos = (struct position){update->epoch, update->first + (update->count - 1)};
}

static void step_update(struct replica *replica, struct model *model, struct fuzz_in *in)
{
    uint8_t records[UPDATES_MAX * 3], odd = fuzz_u8(in);
    struct replica_update update = {.count = fuzz_below(in, UPDATES_MAX + 1)};
    uint32_t applied, before = model->pos.seq;
    // Mostly near where we are: one before, here, one behind; and the same epoch or the next.
    update.first = model->pos.seq + 3 - odd % 5;
    update.epoch = model->pos.epoch + (odd >> 4 & 1);
    update.prev_epoch = model->pos.epoch + (odd >> 5 & 1) - (odd >> 6 & 1);
    if (odd >> 7 != 0)
        update.first = fuzz_u32(in);
    for (uint32_t i = 0; i < update.count; i++) {
        bytes_set_u16(records + 3 * i, fuzz_u8(in) % (LEN + 1));
        records[3 * i + 2] = fuzz_u8(in) % (COLORS + 1);
    }
    update.records = fuzz_copy(records, 3 * update.count);
    int expected = judge(model, &update);
    FUZZ_CHECK(replica_apply(replica, &update, COLORS, &applied) == expected);
    if (expected == REPLICA_APPLIED) {
        apply(model, &update);
        FUZZ_CHECK(applied == model->pos.seq - before);
    } else {
        FUZZ_CHECK(applied == 0);
    }
    free((void *)(uintptr_t)update.records);
}

static void step_load(struct replica *replica, struct model *model, struct fuzz_in *in)
{
    const struct position pos = {fuzz_u8(in), fuzz_u8(in)};
    size_t len;
    const uint8_t *bytes = fuzz_take(in, fuzz_u8(in), &len);
    int err = replica_load(replica, pos, bytes, len);
    FUZZ_CHECK((err == 0) == (len <= LEN));
    if (err != 0)
        return;
    memset(model->px, 0, LEN);
    memcpy(model->px, bytes, len);
    model->pos = pos;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    struct replica replica;
    struct model model = {0};
    FUZZ_CHECK(replica_init(&replica, LEN) == 0);
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++) {
        if (fuzz_u8(&in) % 8 == 0)
            step_load(&replica, &model, &in);
        else
            step_update(&replica, &model, &in);
        check_same(&replica, &model);
    }
    replica_fini(&replica);
    return 0;
}
