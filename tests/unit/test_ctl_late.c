#include "check.h"

#include "common/ctl/ctl_late.h"

#define BEGAN 1000u

static struct ctl_placed placed(uint64_t user, uint64_t time_ms, uint32_t seq)
{
    return (struct ctl_placed){
        .user = user, .time_ms = time_ms, .x = (uint16_t)seq, .y = 7, .seq = seq, .color = (uint8_t)(seq + 1)};
}

static void place(struct ctl_late *late, uint64_t user, uint64_t time_ms, uint32_t seq)
{
    const struct ctl_placed one = placed(user, time_ms, seq);
    assert_int_equal(ctl_late_placed(late, &one), 0);
}

static void tell(struct ctl_late *late, uint64_t user, uint64_t landed_ms)
{
    assert_int_equal(ctl_late_record(late, user, &(struct user_record){.nonce = 1, .seq = 1, .landed_ms = landed_ms}),
                     0);
}

static void expect(const uint8_t bytes[USER_RECORD_LEN], uint32_t nonce, uint32_t seq, uint64_t landed_ms)
{
    struct user_record record;
    assert_int_equal(user_record_decode(bytes, USER_RECORD_LEN, &record), 0);
    assert_int_equal(record.nonce, nonce);
    assert_int_equal(record.seq, seq);
    assert_int_equal(record.landed_ms, landed_ms);
    if (seq > 1) {
        assert_int_equal(record.x, seq);
        assert_int_equal(record.y, 7);
        assert_int_equal(record.color, seq + 1);
    }
}

static void mend(struct ctl_late *late, uint64_t user, uint32_t nonce, uint64_t landed_ms, uint8_t to[USER_RECORD_LEN])
{
    user_record_encode(to, &(struct user_record){.nonce = nonce, .seq = 1, .landed_ms = landed_ms});
    ctl_late_mend(late, user, to);
}

// Tiles come one after the other, so times do not: the latest is the last one.
static void test_later_placements_count(void **state)
{
    (void)state;
    struct ctl_late *late = ctl_late_new(BEGAN);
    uint8_t record[USER_RECORD_LEN];
    uint64_t user;
    tell(late, 1, 900);  // placed before the backup began
    tell(late, 2, 1200); // was caught after the first of three
    tell(late, 3, 1300); // and one whose record is the last
    place(late, 1, 900, 1);
    place(late, 1, 1500, 30);
    place(late, 1, 1000, 20); // in the same moment as the backup began
    place(late, 2, 1200, 1);
    place(late, 2, 1100, 5);
    place(late, 2, 1400, 6);
    place(late, 3, 1300, 1);
    place(late, 4, 999, 1);
    place(late, 5, 1600, 40); // has no record
    assert_int_equal(ctl_late_count(late), 3);
    mend(late, 1, 8, 900, record);
    expect(record, 10, 30, 1500);
    mend(late, 1, 8, 900, record); // once
    expect(record, 8, 1, 900);
    mend(late, 2, 3, 1200, record);
    expect(record, 4, 6, 1400);
    mend(late, 3, 3, 1300, record);
    expect(record, 3, 1, 1300);
    mend(late, 4, 1, 999, record);
    expect(record, 1, 1, 999);
    assert_int_equal(ctl_late_count(late), 1);
    assert_true(ctl_late_next(late, &user, record));
    assert_int_equal(user, 5);
    expect(record, 1, 40, 1600);
    assert_false(ctl_late_next(late, &user, record));
    ctl_late_free(late);
}

// Nonces with a cooldown stay below those without one.
static void test_nonces_do_not_run_over(void **state)
{
    (void)state;
    struct ctl_late *late = ctl_late_new(BEGAN);
    uint8_t record[USER_RECORD_LEN];
    for (uint32_t seq = 2; seq < 5; seq++)
        place(late, 1, 1000 + seq, seq);
    mend(late, 1, 0x7ffffffe, 900, record);
    expect(record, 0x7fffffff, 4, 1004);
    ctl_late_free(late);
}

static void test_nothing_is_left_after_clearing(void **state)
{
    (void)state;
    struct ctl_late *late = ctl_late_new(BEGAN);
    uint8_t record[USER_RECORD_LEN];
    uint64_t user;
    for (uint32_t i = 1; i < 1000; i++)
        place(late, i, 1000 + i, i);
    assert_int_equal(ctl_late_count(late), 999);
    ctl_late_clear(late);
    assert_int_equal(ctl_late_count(late), 0);
    assert_false(ctl_late_next(late, &user, record));
    ctl_late_free(late);
    ctl_late_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_placements_count),
        cmocka_unit_test(test_nonces_do_not_run_over),
        cmocka_unit_test(test_nothing_is_left_after_clearing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
