#include "common/io/loop_deferred.h"

#include <string.h>

#include "check.h"

// Calls say their letter; each may have something to do besides.
static struct {
    struct loop_deferred_queue queue;
    char said[64];
} scene;

struct call {
    struct loop_deferred deferred;
    char letter;
    void (*also)(struct call *call);
};

static struct call a, b, c;

static void on_run(void *arg)
{
    struct call *call = arg;
    size_t len = strlen(scene.said);
    assert_true(len + 1 < sizeof scene.said);
    scene.said[len] = call->letter;
    if (call->also != NULL)
        call->also(call);
}

static void begin(void)
{
    memset(&scene, 0, sizeof scene);
    loop_deferred_queue_init(&scene.queue);
    struct call *const calls[] = {&a, &b, &c};
    for (int i = 0; i < 3; i++) {
        *calls[i] = (struct call){.letter = (char)('a' + i)};
        loop_deferred_init(&calls[i]->deferred, on_run, calls[i]);
    }
}

static bool put(struct call *call)
{
    return loop_deferred_put(&scene.queue, &call->deferred, false);
}

static bool put_last(struct call *call)
{
    return loop_deferred_put(&scene.queue, &call->deferred, true);
}

static const char *turn(void)
{
    memset(scene.said, 0, sizeof scene.said);
    loop_deferred_run(&scene.queue);
    return scene.said;
}

static void test_only_the_first_asks_for_a_turn(void **state)
{
    (void)state;
    begin();
    assert_false(loop_deferred_waits(&scene.queue));
    assert_true(put(&b));
    assert_false(put(&b));
    assert_false(put_last(&a));
    assert_false(put(&c));
    assert_string_equal(turn(), "bca");
    assert_false(loop_deferred_waits(&scene.queue));
    assert_true(put_last(&a));
    assert_string_equal(turn(), "a");
}

static void test_what_is_taken_back_does_not_run(void **state)
{
    (void)state;
    begin();
    put(&a);
    put(&b);
    loop_deferred_cancel(&a.deferred);
    loop_deferred_cancel(&c.deferred);
    assert_string_equal(turn(), "b");
}

static void put_b(struct call *call)
{
    (void)call;
    assert_false(put(&b));
}

static void test_what_a_call_puts_off_runs_in_the_same_turn(void **state)
{
    (void)state;
    begin();
    a.also = put_b;
    put(&a);
    put_last(&c);
    assert_string_equal(turn(), "abc");
    assert_false(loop_deferred_waits(&scene.queue));
}

static void put_again(struct call *call)
{
    assert_true(put(call)); // for the next turn, which has to be asked for
}

static void test_nothing_runs_twice_in_a_turn(void **state)
{
    (void)state;
    begin();
    a.also = put_again;
    put(&a);
    assert_string_equal(turn(), "a");
    assert_true(loop_deferred_waits(&scene.queue));
    assert_string_equal(turn(), "a");
}

static void cancel_b(struct call *call)
{
    (void)call;
    loop_deferred_cancel(&b.deferred);
}

static void test_calls_may_take_one_another_back(void **state)
{
    (void)state;
    begin();
    a.also = cancel_b;
    put(&a);
    put(&b);
    put(&c);
    assert_string_equal(turn(), "ac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_first_asks_for_a_turn),
        cmocka_unit_test(test_what_is_taken_back_does_not_run),
        cmocka_unit_test(test_what_a_call_puts_off_runs_in_the_same_turn),
        cmocka_unit_test(test_nothing_runs_twice_in_a_turn),
        cmocka_unit_test(test_calls_may_take_one_another_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
