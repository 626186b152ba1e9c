// Questions about pixels and users over HTTP whose answers come late, or never, or to nobody; everything behind the
// edge is faked. The client is the far end of a socket pair.
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/edge_internal.h"
#include "tests/unit/edge_fakes.h"

#define CLIENTS 300

static struct edge *edge;
static int clients[CLIENTS];
static struct conn *conns[CLIENTS];
static char got[1 << 14];

static void send_text(unsigned at, const char *text)
{
    assert_int_equal(send(clients[at], text, strlen(text), MSG_NOSIGNAL), strlen(text));
    edge_fakes_turn(2);
}

static void ask(unsigned at, const char *request)
{
    char text[512];
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", request,
             edge_fakes.token);
    send_text(at, text);
}

static void put(unsigned at, const char *body)
{
    char text[512];
    snprintf(text, sizeof text,
             "PUT /api/v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
             edge_fakes.token, strlen(body), body);
    send_text(at, text);
}

static const char *take(unsigned at)
{
    edge_fakes_turn(2);
    ssize_t n = recv(clients[at], got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    return got;
}

static void expect(unsigned at, const char *text)
{
    if (strstr(take(at), text) == NULL)
        fail_msg("no %s in %s", text, got);
}

// A client that closes is not noticed while it waits, but a gateway that stops ends it, and so does its deadline.
static void leave(unsigned at)
{
    conn_doom(conns[at], CONN_REASON_STALLED);
    edge_fakes_turn(3);
}

static int setup(void **state)
{
    (void)state;
    edge = edge_fakes_begin(
        &(struct edge_options){.name_keep_ms = 5000, .max_connections = CLIENTS, .max_sockets = CLIENTS});
    edge_facts.config = (struct canvas_config){
        .version = 1, .geom = {300, 200, 256}, .cooldown_ms = 1000, .palette = {.count = 2, .colors = {{.name = "w"}}}};
    edge_facts.config_known = true;
    for (unsigned i = 0; i < CLIENTS; i++)
        conns[i] = edge_fakes_connect(SOCK_STREAM, &clients[i]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        edge_fakes_hang_up(&clients[i]);
    edge_fakes_end();
    return 0;
}

// ---- Pixels ---------------------------------------------------------------------------------------------------------

static const struct store_pixel two = {.now_ms = 1000,
                                       .color = 1,
                                       .next = 9,
                                       .count = 3,
                                       .placements = {{20, 1, 7, 990}, {15, 0, 8, 900}, {12, 1, 7, 800}}};

static void test_pixel(void **state)
{
    (void)state;
    const struct store_name names[2] = {{.text = "Anna"}, {.erased = true}};
    ask(0, "GET /api/v1/pixel/257/3?history=5&before=77");
    assert_true(tile_equal(edge_fakes.pixel_asked.tile, (struct tile){1, 0}));
    assert_true(edge_fakes.pixel_asked.offset == 3 * 256 + 1 && edge_fakes.pixel_asked.limit == 5 &&
                edge_fakes.pixel_asked.from == 77);
    edge_fakes.pixel_cb(0, &two, edge_fakes.arg);
    assert_true(edge_fakes.names_count == 2 && edge_fakes.names_asked[0] == 7 && edge_fakes.names_asked[1] == 8);
    edge_fakes.names_cb(0, names, 2, edge_fakes.arg);
    expect(0, "{\"x\":257,\"y\":3,\"color\":1,\"name\":\"\",\"now_ms\":1000,\"placements\":[{\"seq\":20,\"color\":1,"
              "\"time_ms\":990,"
              "\"by\":\"Anna\",\"erased\":false},{\"seq\":15,\"color\":0,\"time_ms\":900,\"by\":\"erased-");
    assert_non_null(strstr(got, ",\"time_ms\":800,\"by\":\"Anna\",\"erased\":false}],\"next\":9}"));
    assert_int_equal(edge->stats.lookups_waiting, 0);
}

static void test_pixel_that_cannot_be_read(void **state)
{
    (void)state;
    ask(0, "GET /api/v1/pixel/1/1");
    edge_fakes.pixel_cb(ERR_CLOSED, NULL, edge_fakes.arg);
    expect(0, "HTTP/1.1 503 ");
    ask(0, "GET /api/v1/pixel/1/1");
    edge_fakes.pixel_cb(0, &two, edge_fakes.arg);
    edge_fakes.names_cb(ERR_IO, NULL, 0, edge_fakes.arg);
    expect(0, "HTTP/1.1 503 ");
    assert_int_equal(edge->stats.lookups_waiting, 0);
}

// The client goes between question and answer, at each of the two steps; the next client is none the wiser.
static void test_client_goes(void **state)
{
    (void)state;
    ask(0, "GET /api/v1/pixel/1/1");
    leave(0);
    edge_fakes.names_cb = NULL;
    edge_fakes.pixel_cb(0, &two, edge_fakes.arg);
    assert_null(edge_fakes.names_cb);
    ask(1, "GET /api/v1/pixel/1/1");
    edge_fakes.pixel_cb(0, &two, edge_fakes.arg);
    leave(1);
    edge_fakes.names_cb(0, (struct store_name[2]){0}, 2, edge_fakes.arg);
    ask(2, "GET /api/v1/me");
    leave(2);
    edge_fakes_answer_user(0, 0, 0, 0);
    ask(3, "GET /api/v1/heat");
    leave(3);
    edge_fakes.heat_cb(0, &(struct store_heat){0}, edge_fakes.arg);
    assert_int_equal(edge->stats.lookups_waiting, 0);
    ask(4, "GET /api/v1/heat");
    expect(4, "{\"half_life_ms\":300000,\"tiles\":[]}");
}

// Answers that never come: no more than so many questions wait. The one after is refused at once.
static void test_waiting_is_bounded(void **state)
{
    (void)state;
    static void *args[EDGE_LOOKUPS_WAITING_MAX];
    for (unsigned i = 0; i < EDGE_LOOKUPS_WAITING_MAX; i++) {
        ask(i, "GET /api/v1/pixel/1/1");
        args[i] = edge_fakes.arg;
    }
    assert_int_equal(edge_fakes.pixels, EDGE_LOOKUPS_WAITING_MAX);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const targets[] = {"GET /api/v1/pixel/1/1", "GET /api/v1/me", "GET /api/v1/heat"};
        ask(EDGE_LOOKUPS_WAITING_MAX + i, targets[i]);
        expect(EDGE_LOOKUPS_WAITING_MAX + i, "HTTP/1.1 503 ");
    }
    assert_int_equal(edge_fakes.pixels, EDGE_LOOKUPS_WAITING_MAX);
    store_pixel_cb cb = edge_fakes.pixel_cb;
    for (unsigned i = 0; i < EDGE_LOOKUPS_WAITING_MAX; i++)
        cb(ERR_CLOSED, NULL, args[i]);
    assert_int_equal(edge->stats.lookups_waiting, 0);
}

static void test_pixels_of_all_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(edge->pixels.rate_per_s, EDGE_PIXELS_PER_SECOND);
    bucket_init(&edge->pixels, 1, 1, loop_now(edge_fakes.loop));
    assert_true(bucket_take(&edge->pixels, loop_now(edge_fakes.loop), 1));
    ask(0, "GET /api/v1/pixel/1/1");
    expect(0, "HTTP/1.1 503 ");
    assert_int_equal(edge_fakes.pixels, 0);
    assert_int_equal(edge->stats.lookups_waiting, 0);
}

// ---- Users ----------------------------------------------------------------------------------------------------------

static void test_rename_that_others_overtake(void **state)
{
    (void)state;
    put(0, "{\"name\":\"Anna\"}");
    for (unsigned i = 1; i <= 3; i++) {
        edge_fakes_answer_user(0, 5, 0, 0);
        assert_int_equal(edge_fakes.renames, i);
        assert_string_equal(edge_fakes.renamed, ">Anna");
        edge_fakes.rename_cb(0, STORE_RENAME_CHANGED, 0, edge_fakes.arg);
    }
    expect(0, "HTTP/1.1 503 ");
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes_answer_user(0, 5, 0, 0);
    edge_fakes.rename_cb(0, STORE_RENAMED, 5000, edge_fakes.arg);
    expect(0, "\"name\":\"Anna\",\"chosen\":true,\"change_in_s\":5}");
}

// With a token of which that much of its life is over, of 100 s.
static void renew(unsigned at, uint32_t age_s)
{
    uint32_t now = loop_wall_s(edge_fakes.loop);
    const struct token token = {
        .kind = TOKEN_GUEST, .user = EDGE_FAKES_USER, .issued = now - age_s, .expires = now - age_s + 100};
    char text[512], signed_text[TOKEN_TEXT_SIZE];
    assert_true(token_sign(&edge_fakes.keys, &token, signed_text) > 0);
    snprintf(text, sizeof text, "POST /api/v1/session HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n",
             signed_text);
    edge_fakes.user_cb = NULL;
    send_text(at, text);
    expect(at, "HTTP/1.1 200 ");
}

static void test_a_name_is_renewed_with_the_session(void **state)
{
    (void)state;
    struct store_user user = {0};
    renew(0, 20);
    assert_null(edge_fakes.user_cb);
    renew(0, 60);
    assert_non_null(edge_fakes.user_cb);
    edge_fakes.user_cb(0, &user, edge_fakes.user_arg); // has the generated one
    renew(0, 60);
    edge_fakes.user_cb(ERR_CLOSED, NULL, edge_fakes.user_arg);
    assert_int_equal(edge_fakes.renames, 0);
    renew(0, 60);
    strcpy(user.name.text, "Anna");
    edge_fakes.user_cb(0, &user, edge_fakes.user_arg);
    assert_int_equal(edge_fakes.renames, 1);
    assert_string_equal(edge_fakes.renamed, "Anna>Anna");
    edge_fakes.rename_cb(ERR_CLOSED, STORE_RENAME_CHANGED, 0, edge_fakes.arg);
}

static void test_answers_to_a_rename(void **state)
{
    (void)state;
    static const struct {
        int err;
        enum store_renamed result;
        const char *text;
    } cases[] = {
        {0, STORE_RENAME_TAKEN, "HTTP/1.1 409 "},
        {0, STORE_RENAME_TOO_SOON, "\r\nRetry-After: 3\r\n"},
        {0, STORE_RENAME_ERASED, "HTTP/1.1 401 "},
        {ERR_IO, STORE_RENAMED, "HTTP/1.1 503 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(0, "{\"name\":\"Anna\"}");
        edge_fakes_answer_user(0, 5, 0, 0);
        edge_fakes.rename_cb(cases[i].err, cases[i].result, 2500, edge_fakes.arg);
        expect(0, cases[i].text);
    }
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes_answer_user(0, 0, 0, 0);
    expect(0, "\"no_placement\"");
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes_answer_user(ERR_CLOSED, 0, 0, 0);
    expect(0, "HTTP/1.1 503 ");
    assert_int_equal(edge->stats.lookups_waiting, 0);
}

// With one name an hour: what was refused, or changed nothing, was none.
static void test_only_names_that_stay_count(void **state)
{
    (void)state;
    static const enum store_renamed refusals[] = {STORE_RENAME_TAKEN, STORE_RENAME_TOO_SOON, STORE_RENAME_ERASED};
    const struct store_user anna = {.record = {.nonce = 1}, .name = {.text = "Anna"}};
    limits_free(edge->limits);
    edge->limits = limits_new(&(struct limits_options){.names_per_hour = 1, .idle_entries_max = 8});
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        put(0, "{\"name\":\"Anna\"}");
        edge_fakes_answer_user(0, 5, 0, 0);
        edge_fakes.rename_cb(0, refusals[i], 2500, edge_fakes.arg);
        expect(0, "HTTP/1.1 4");
        assert_null(strstr(got, "too many names"));
    }
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes_answer_user(0, 0, 0, 0);
    expect(0, "\"no_placement\"");
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes_answer_user(ERR_CLOSED, 0, 0, 0);
    expect(0, "HTTP/1.1 503 ");
    put(0, "{\"name\":\"Anna\"}");
    edge_fakes.user_cb(0, &anna, edge_fakes.user_arg);
    edge_fakes.rename_cb(0, STORE_RENAMED, 2500, edge_fakes.arg); // as before
    expect(0, "HTTP/1.1 200 ");
    // Both under way at once: the second is one too many, though the first may still be refused.
    put(0, "{\"name\":\"Berta\"}");
    put(1, "{\"name\":\"Berta\"}");
    expect(1, "too many names");
    edge_fakes_answer_user(0, 5, 0, 0);
    edge_fakes.rename_cb(0, STORE_RENAMED, 2500, edge_fakes.arg);
    expect(0, "HTTP/1.1 200 ");
    ask(0, "DELETE /api/v1/me");
    expect(0, "too many names");
}

// Who asked to be erased is erased, also when the connection breaks first.
static void test_erasing_goes_on_without_the_client(void **state)
{
    (void)state;
    ask(0, "DELETE /api/v1/me");
    leave(0);
    edge_fakes_answer_user(0, 5, 0, 0);
    assert_true(edge_fakes.erased == EDGE_FAKES_USER);
    edge_fakes.erased = 0;
    edge_fakes.erase_cb(0, true, edge_fakes.arg);
    edge_fakes_answer_user(0, 5, 0, 0);
    assert_true(edge_fakes.erased == EDGE_FAKES_USER);
    edge_fakes.erase_cb(0, false, edge_fakes.arg);
    assert_int_equal(edge->stats.lookups_waiting, 0);
    edge_fakes.user_erased = true;
    ask(1, "DELETE /api/v1/me");
    edge_fakes_answer_user(0, 5, 0, 0);
    expect(1, "HTTP/1.1 401 ");
}

// ---- Tiles ----------------------------------------------------------------------------------------------------------

// A tile that is not here makes Redis read all of it, so it counts; what is here does not. (The fake holds tiles 0/…,
// and has no content: 503.)
static void test_tiles_that_are_not_here_are_counted(void **state)
{
    (void)state;
    limits_free(edge->limits);
    edge->limits = limits_new(&(struct limits_options){.lookups_per_second = 1, .idle_entries_max = 8});
    for (unsigned i = 0; i < LIMITS_LOOKUP_MAX; i++) {
        ask(0, "GET /api/v1/tiles/1/0");
        expect(0, "HTTP/1.1 503 ");
        ask(0, "GET /api/v1/tiles/0/0");
        expect(0, "HTTP/1.1 503 ");
    }
    // One more every second: a machine for which this took so long is asked again.
    for (unsigned i = 0; i < 100; i++) {
        ask(0, "GET /api/v1/tiles/1/0");
        if (strstr(take(0), "HTTP/1.1 429 ") != NULL)
            break;
    }
    assert_non_null(strstr(got, "HTTP/1.1 429 "));
    assert_non_null(strstr(got, "Retry-After: "));
    ask(0, "GET /api/v1/tiles/0/0");
    expect(0, "HTTP/1.1 503 ");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pixel),
        TEST(test_pixel_that_cannot_be_read),
        TEST(test_client_goes),
        TEST(test_waiting_is_bounded),
        TEST(test_pixels_of_all_are_bounded),
        TEST(test_rename_that_others_overtake),
        TEST(test_a_name_is_renewed_with_the_session),
        TEST(test_answers_to_a_rename),
        TEST(test_only_names_that_stay_count),
        TEST(test_erasing_goes_on_without_the_client),
        TEST(test_tiles_that_are_not_here_are_counted),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
