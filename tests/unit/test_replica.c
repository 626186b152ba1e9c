#include "check.h"

#include "common/core/mix.h"
#include "common/core/replica.h"

#include <stdlib.h>

#define LEN 4096
#define COLORS 32

static struct replica replica;

static int setup(void **state)
{
    (void)state;
    return replica_init(&replica, LEN);
}

static int teardown(void **state)
{
    (void)state;
    // Whatever a test did, the running checksum is that of the pixels.
    assert_true(replica.checksum == mix_tile_checksum(replica.px, replica.len));
    replica_fini(&replica);
    return 0;
}

// Record i of an update that starts at `first` paints offset first + i with that number's color.
static uint8_t records[300 * REPLICA_RECORD_LEN];

static struct replica_update update(uint64_t prev_epoch, uint64_t epoch, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        records[i * 3] = (uint8_t)((first + i) & 0xff);
        records[i * 3 + 1] = (uint8_t)((first + i) >> 8 & 0x0f);
        records[i * 3 + 2] = (uint8_t)((first + i) % COLORS);
    }
    return (struct replica_update){prev_epoch, epoch, first, count, check_guarded(records, (size_t)count * 3)};
}

static int apply(uint64_t prev_epoch, uint64_t epoch, uint32_t first, uint32_t count)
{
    struct replica_update u = update(prev_epoch, epoch, first, count);
    return replica_apply(&replica, &u, COLORS, NULL);
}

static void at(uint64_t epoch, uint32_t seq)
{
    assert_int_equal(replica_load(&replica, (struct position){epoch, seq}, NULL, 0), 0);
}

static void expect(uint64_t epoch, uint32_t seq)
{
    assert_true(replica.pos.epoch == epoch);
    assert_int_equal(replica.pos.seq, seq);
}

static void test_first_placement_of_a_tile(void **state)
{
    (void)state;
    assert_int_equal(replica.pos.seq, 0);
    assert_int_equal(apply(0, 7, 1, 3), REPLICA_APPLIED);
    expect(7, 3);
    assert_int_equal(replica.px[2], 2);
}

static void test_same_epoch_follows(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 5, 11, 2), REPLICA_APPLIED);
    expect(5, 12);
}

static void test_same_epoch_known(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 5, 10, 1), REPLICA_IGNORED);
    assert_int_equal(apply(4, 5, 1, 10), REPLICA_IGNORED);
    expect(5, 10);
    assert_int_equal(replica.px[10], 0);
}

static void test_same_epoch_overlap_applies_the_new_part_only(void **state)
{
    (void)state;
    uint32_t applied = 99;
    at(5, 10);
    struct replica_update u = update(5, 5, 8, 5); // 8 … 12
    assert_int_equal(replica_apply(&replica, &u, COLORS, &applied), REPLICA_APPLIED);
    assert_int_equal(applied, 2);
    expect(5, 12);
    assert_int_equal(replica.px[10], 0);
    assert_int_equal(replica.px[11], 11);
    assert_int_equal(replica.px[12], 12);
}

static void test_overlap_that_began_in_the_epoch_before(void **state)
{
    (void)state;
    // Epoch 5 began with 9; we know 9 and 10.
    at(5, 10);
    assert_int_equal(apply(4, 5, 9, 4), REPLICA_APPLIED);
    expect(5, 12);
}

static void test_same_epoch_gap(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 5, 12, 1), REPLICA_GAP);
    expect(5, 10);
}

static void test_new_epoch_follows(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 9, 11, 1), REPLICA_APPLIED);
    expect(9, 11);
}

static void test_new_epoch_does_not_follow(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 9, 12, 1), REPLICA_EPOCH); // something is missing
    assert_int_equal(apply(5, 9, 10, 1), REPLICA_EPOCH); // what we saw as 10 was lost
    assert_int_equal(apply(6, 9, 11, 1), REPLICA_EPOCH); // another 10 than ours
    assert_int_equal(apply(9, 9, 12, 1), REPLICA_EPOCH); // the first of the epoch passed us by
    expect(5, 10);
}

static void test_old_epoch(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(4, 4, 11, 1), REPLICA_EPOCH);
    expect(5, 10);
}

static void test_histories_that_parted(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(4, 5, 11, 1), REPLICA_EPOCH);
    expect(5, 10);
}

static void test_impossible_updates_change_nothing(void **state)
{
    (void)state;
    at(5, 10);
    assert_int_equal(apply(5, 5, 11, 0), ERR_MALFORMED);
    assert_int_equal(apply(5, 5, 0, 1), ERR_MALFORMED);
    assert_int_equal(apply(6, 5, 11, 1), ERR_MALFORMED);
    assert_int_equal(apply(5, 5, UINT32_MAX, 2), ERR_MALFORMED);

    struct replica_update u = update(5, 5, 11, 2);
    uint8_t bad[6] = {11, 0, 1, 0, 0x10, 1}; // second offset = LEN
    u.records = bad;
    assert_int_equal(replica_apply(&replica, &u, COLORS, NULL), ERR_MALFORMED);
    bad[4] = 0;
    bad[5] = COLORS; // second color unknown
    assert_int_equal(replica_apply(&replica, &u, COLORS, NULL), ERR_MALFORMED);
    assert_int_equal(replica.px[11], 0);
    expect(5, 10);
    bad[5] = COLORS - 1;
    assert_int_equal(replica_apply(&replica, &u, COLORS, NULL), REPLICA_APPLIED);
}

static void test_last_number_of_all(void **state)
{
    (void)state;
    at(5, UINT32_MAX - 1);
    assert_int_equal(apply(5, 5, UINT32_MAX, 1), REPLICA_APPLIED);
    expect(5, UINT32_MAX);
    assert_int_equal(apply(5, 5, UINT32_MAX, 1), REPLICA_IGNORED);
}

static void test_load_short_whole_and_too_long(void **state)
{
    (void)state;
    static uint8_t stored[LEN + 1];
    memset(stored, 7, sizeof stored);
    assert_int_equal(replica_load(&replica, (struct position){1, 1}, stored, LEN), 0);
    assert_int_equal(replica.px[LEN - 1], 7);
    assert_int_equal(replica_load(&replica, (struct position){1, 2}, stored, LEN + 1), ERR_MALFORMED);
    expect(1, 1);
    assert_int_equal(replica_load(&replica, (struct position){1, 3}, stored, 3), 0);
    assert_int_equal(replica.px[2], 7);
    assert_int_equal(replica.px[3], 0);
    assert_int_equal(replica_load(&replica, (struct position){0, 0}, NULL, 0), 0);
    assert_int_equal(replica.px[0], 0);
    assert_true(replica.checksum == 0);
}

// Updates cut into pieces anyhow, repeated and late, give the same pixels as the whole in order.
static void test_any_cutting_gives_the_same(void **state)
{
    (void)state;
    struct replica whole;
    assert_int_equal(replica_init(&whole, LEN), 0);
    struct replica_update all = update(0, 5, 1, 300);
    assert_int_equal(replica_apply(&whole, &all, COLORS, NULL), REPLICA_APPLIED);
    srand(7);
    while (replica.pos.seq < 300) {
        uint32_t first = 1 + (uint32_t)rand() % 300;
        uint32_t count = 1 + (uint32_t)rand() % (300 - first + 1);
        uint32_t seq = replica.pos.seq;
        int result = apply(first == 1 ? 0 : 5, 5, first, count);
        uint32_t last = first + count - 1;
        if (seq == 0 && first != 1)
            assert_int_equal(result, REPLICA_EPOCH);
        else if (last <= seq)
            assert_int_equal(result, REPLICA_IGNORED);
        else
            assert_int_equal(result, first <= seq + 1 ? REPLICA_APPLIED : REPLICA_GAP);
    }
    assert_memory_equal(replica.px, whole.px, LEN);
    assert_true(replica.checksum == whole.checksum);
    replica_fini(&whole);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_placement_of_a_tile),
        TEST(test_same_epoch_follows),
        TEST(test_same_epoch_known),
        TEST(test_same_epoch_overlap_applies_the_new_part_only),
        TEST(test_overlap_that_began_in_the_epoch_before),
        TEST(test_same_epoch_gap),
        TEST(test_new_epoch_follows),
        TEST(test_new_epoch_does_not_follow),
        TEST(test_old_epoch),
        TEST(test_histories_that_parted),
        TEST(test_impossible_updates_change_nothing),
        TEST(test_last_number_of_all),
        TEST(test_load_short_whole_and_too_long),
        TEST(test_any_cutting_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
