#include "check.h"

#include "common/core/palette.h"
#include "proto/verdict.h"
#include "shard/rules.h"

static struct canvas_config config(void)
{
    return (struct canvas_config){.version = 1, .geom = {100, 50, 64}, .palette = *palette_default()};
}

static int judge(const struct canvas_config *canvas, bool pressure, struct link_draw draw)
{
    struct link_verdict verdict = {.code = 99};
    draw.id = 7;
    draw.nonce = 5;
    if (rules_allow(canvas, pressure, &draw, &verdict))
        return -1;
    assert_int_equal(verdict.id, 7);
    assert_int_equal(verdict.next_nonce, 5);
    assert_int_equal(verdict.seq, 0);
    assert_int_equal(verdict.wait_ms, verdict.code == VERDICT_READ_ONLY ? RULES_READ_ONLY_WAIT_MS : 0);
    return verdict.code;
}

static void test_rules(void **state)
{
    (void)state;
    struct canvas_config canvas = config();
    assert_int_equal(judge(&canvas, false, (struct link_draw){.x = 99, .y = 49, .color = 31}), -1);
    assert_int_equal(judge(&canvas, false, (struct link_draw){.color = 32}), VERDICT_BAD_COLOR);
    assert_int_equal(judge(&canvas, false, (struct link_draw){.color = 255}), VERDICT_BAD_COLOR);
    assert_int_equal(judge(&canvas, false, (struct link_draw){.x = 100}), VERDICT_OUT_OF_BOUNDS);
    assert_int_equal(judge(&canvas, false, (struct link_draw){.y = 50}), VERDICT_OUT_OF_BOUNDS);
    assert_int_equal(judge(&canvas, true, (struct link_draw){0}), VERDICT_READ_ONLY);
    canvas.read_only = true;
    assert_int_equal(judge(&canvas, false, (struct link_draw){0}), VERDICT_READ_ONLY);
    assert_int_equal(judge(&canvas, false, (struct link_draw){.color = 32}), VERDICT_BAD_COLOR);
}

static void test_overload_wait(void **state)
{
    (void)state;
    assert_int_equal(rules_overload_wait_ms(32768, 65536), 500);
    assert_int_equal(rules_overload_wait_ms(32768, 0), RULES_OVERLOAD_WAIT_MAX_MS);
    assert_int_equal(rules_overload_wait_ms(1, 100000), RULES_OVERLOAD_WAIT_MIN_MS);
    assert_int_equal(rules_overload_wait_ms(UINT32_MAX, 1), RULES_OVERLOAD_WAIT_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_overload_wait)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
