#include "check.h"
#include "gateway/repair.h"

static const struct position mine = {50, 100};
#define SUM 0xABCDu

static struct repair_judgement beat(uint64_t epoch, uint32_t seq, uint64_t sum)
{
    return repair_judge_beat(mine, SUM, (struct position){epoch, seq}, sum);
}

static void assert_resync(struct repair_judgement judgement, enum resync_reason reason)
{
    assert_int_equal(judgement.action, REPAIR_RESYNC);
    assert_int_equal(judgement.reason, reason);
}

static void test_beats(void **state)
{
    (void)state;
    assert_int_equal(beat(50, 100, SUM).action, REPAIR_NOTHING);
    assert_resync(beat(50, 100, SUM + 1), RESYNC_CHECKSUM);
    assert_int_equal(beat(50, 101, 0).action, REPAIR_LOG);
    assert_int_equal(beat(60, 101, 0).action, REPAIR_LOG);
    // Older ones that were overtaken by a snapshot.
    assert_int_equal(beat(40, 100, 0).action, REPAIR_NOTHING);
    assert_int_equal(beat(40, 90, 0).action, REPAIR_NOTHING);
    assert_int_equal(beat(50, 99, 0).action, REPAIR_VERIFY);
    // Histories that parted.
    assert_int_equal(beat(60, 100, 0).action, REPAIR_VERIFY);
    assert_int_equal(beat(60, 90, 0).action, REPAIR_VERIFY);
    assert_int_equal(beat(40, 101, 0).action, REPAIR_VERIFY);
}

static struct repair_judgement stored(struct position asked, uint64_t epoch, uint32_t seq)
{
    const struct store_position position = {.pos = {epoch, seq}};
    return repair_judge_position(mine, SUM, asked, &position);
}

static void test_positions(void **state)
{
    (void)state;
    const struct position before = {50, 95};
    const struct position before_epoch = {40, 95};
    assert_int_equal(stored(mine, 50, 100).action, REPAIR_NOTHING);
    assert_int_equal(stored(mine, 50, 101).action, REPAIR_LOG);
    assert_int_equal(stored(mine, 70, 101).action, REPAIR_LOG);
    // I went on while the answer was on its way.
    assert_int_equal(stored(before, 50, 95).action, REPAIR_NOTHING);
    assert_int_equal(stored(before, 50, 99).action, REPAIR_NOTHING);
    assert_int_equal(stored(before_epoch, 40, 97).action, REPAIR_NOTHING);
    // It is behind what I knew when I asked.
    assert_resync(stored(mine, 50, 99), RESYNC_REWOUND);
    assert_resync(stored(before, 50, 94), RESYNC_REWOUND);
    assert_resync(stored(before, 40, 97), RESYNC_REWOUND);
    assert_resync(stored(mine, 0, 0), RESYNC_REWOUND);
    assert_resync(stored(mine, 40, 101), RESYNC_REWOUND);
    // Another took the tile, and has not what I have.
    assert_resync(stored(mine, 60, 100), RESYNC_EPOCH);
    assert_resync(stored(before, 60, 96), RESYNC_EPOCH);
}

static void test_checksums(void **state)
{
    (void)state;
    struct store_position position = {.pos = mine, .has_checksum = true, .checksum_seq = 100, .checksum = SUM};
    assert_int_equal(repair_judge_position(mine, SUM, mine, &position).action, REPAIR_NOTHING);
    assert_resync(repair_judge_position(mine, SUM + 1, mine, &position), RESYNC_CHECKSUM);
    position.checksum_seq = 99; // of an earlier position: says nothing
    assert_int_equal(repair_judge_position(mine, SUM + 1, mine, &position).action, REPAIR_NOTHING);
    position.checksum_seq = 100;
    position.has_checksum = false;
    assert_int_equal(repair_judge_position(mine, SUM + 1, mine, &position).action, REPAIR_NOTHING);
}

static struct store_entry entry(uint64_t epoch, uint32_t first, uint32_t last)
{
    return (struct store_entry){epoch, first, last - first + 1, NULL};
}

static void assert_plan(struct position at, const struct store_entry *entries, size_t count, size_t skip)
{
    struct repair_plan plan = repair_judge_log(at, entries, count);
    assert_int_equal(plan.judgement.action, REPAIR_NOTHING);
    assert_int_equal(plan.skip, skip);
}

static void test_logs_that_go_on(void **state)
{
    (void)state;
    const struct store_entry with_mine[] = {entry(50, 91, 100), entry(50, 101, 103), entry(60, 104, 104)};
    assert_plan(mine, with_mine, 3, 1);
    assert_plan(mine, with_mine, 1, 1); // nothing after mine
    // That with mine is trimmed, but its epoch goes on; or mine lies within an entry.
    assert_plan(mine, with_mine + 1, 2, 0);
    const struct store_entry around[] = {entry(50, 95, 103)};
    assert_plan(mine, around, 1, 0);
    // From the beginning.
    const struct store_entry whole[] = {entry(7, 1, 5), entry(9, 6, 6)};
    assert_plan((struct position){0, 0}, whole, 2, 0);
    assert_plan((struct position){0, 0}, NULL, 0, 0);
}

static void assert_log_resync(struct position at, const struct store_entry *entries, size_t count,
                              enum resync_reason reason)
{
    assert_resync(repair_judge_log(at, entries, count).judgement, reason);
}

static void test_logs_that_part(void **state)
{
    (void)state;
    assert_log_resync(mine, NULL, 0, RESYNC_REWOUND);
    const struct store_entry other[] = {entry(60, 91, 100), entry(60, 101, 101)};
    assert_log_resync(mine, other, 2, RESYNC_EPOCH);
    assert_log_resync(mine, other + 1, 1, RESYNC_EPOCH); // nothing vouches for mine
    const struct store_entry around[] = {entry(60, 95, 103)};
    assert_log_resync(mine, around, 1, RESYNC_EPOCH);
    const struct store_entry later[] = {entry(50, 102, 103)};
    assert_log_resync(mine, later, 1, RESYNC_TRIMMED);
    const struct store_entry trimmed[] = {entry(7, 3, 5)};
    assert_log_resync((struct position){0, 0}, trimmed, 1, RESYNC_TRIMMED);
}

static void test_logs_that_cannot_be(void **state)
{
    (void)state;
    const struct store_entry hole[] = {entry(50, 91, 100), entry(50, 101, 103), entry(50, 105, 105)};
    assert_log_resync(mine, hole, 3, RESYNC_MALFORMED);
    const struct store_entry back[] = {entry(50, 91, 100), entry(60, 101, 101), entry(50, 102, 102)};
    assert_log_resync(mine, back, 3, RESYNC_MALFORMED);
    const struct store_entry twice[] = {entry(50, 91, 100), entry(50, 101, 103), entry(50, 103, 105)};
    assert_log_resync(mine, twice, 3, RESYNC_MALFORMED);
    const struct store_entry empty[] = {entry(50, 91, 100), {50, 101, 0, NULL}};
    assert_log_resync(mine, empty, 2, RESYNC_MALFORMED);
    const struct store_entry wraps[] = {entry(50, 91, 100), {50, 101, UINT32_MAX, NULL}};
    assert_log_resync(mine, wraps, 2, RESYNC_MALFORMED);
}

static void test_bounds(void **state)
{
    (void)state;
    struct store_entry entries[REPAIR_ASK_ENTRIES];
    entries[0] = entry(50, 91, 100);
    for (uint32_t i = 1; i < REPAIR_ASK_ENTRIES; i++)
        entries[i] = entry(50, 100 + i, 100 + i);
    assert_plan(mine, entries, REPAIR_ENTRIES_MAX + 1, 1);
    assert_log_resync(mine, entries, REPAIR_ENTRIES_MAX + 2, RESYNC_TOO_FAR);
    entries[1] = entry(50, 101, 100 + REPAIR_PLACEMENTS_MAX);
    assert_plan(mine, entries, 2, 1);
    entries[1].count++;
    assert_log_resync(mine, entries, 2, RESYNC_TOO_FAR);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RESYNC_REASONS; i++)
        assert_true(strlen(resync_reason_name(i)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beats),          cmocka_unit_test(test_positions),
        cmocka_unit_test(test_checksums),      cmocka_unit_test(test_logs_that_go_on),
        cmocka_unit_test(test_logs_that_part), cmocka_unit_test(test_logs_that_cannot_be),
        cmocka_unit_test(test_bounds),         cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
