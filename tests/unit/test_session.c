#include "request.h"

#include <stdio.h>

#include "gateway/session.h"

#define NOW 1700000000u
#define LIFE 1000u

static struct token_keys keys, other_keys;

static int setup(void **state)
{
    (void)state;
    char error[128];
    const char *text = "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    const char *other = "k1 ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    return token_keys_parse(&keys, text, strlen(text), error, sizeof error) != 0 ||
           token_keys_parse(&other_keys, other, strlen(other), error, sizeof error) != 0;
}

static int read_with(const char *header, const char *token, uint32_t now, struct session *session)
{
    char text[1024];
    struct http_request request;
    snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n\r\n", header, token);
    request_parse(&request, text);
    return session_read(session, &keys, &request, text, now);
}

static void test_issue_and_read(void **state)
{
    (void)state;
    struct session issued, got;
    assert_int_equal(session_issue(&issued, &keys, 42, NOW, LIFE), 0);
    assert_int_equal(read_with("Cookie: x=1; tessera_session=", issued.text, NOW, &got), 0);
    assert_int_equal(got.token.user, 42);
    assert_int_equal(read_with("Authorization: Bearer ", issued.text, NOW + LIFE - 1, &got), 0);
    assert_int_equal(got.token.user, 42);
    assert_int_equal(got.token.kind, TOKEN_GUEST);
    assert_int_equal(read_with("authorization: bearer ", issued.text, NOW, &got), 0);
}

// Another site of the domain may have set a cookie of our name, and browsers send the longer path first.
static void test_a_bad_token_does_not_hide_a_good_one(void **state)
{
    (void)state;
    struct session issued, other, got;
    char header[400], many[400] = "Cookie: a=1";
    assert_int_equal(session_issue(&issued, &keys, 42, NOW, LIFE), 0);
    assert_int_equal(session_issue(&other, &other_keys, 43, NOW, LIFE), 0);
    snprintf(header, sizeof header, "Cookie: tessera_session=%s; tessera_session=", other.text);
    assert_int_equal(read_with(header, issued.text, NOW, &got), 0);
    assert_int_equal(got.token.user, 42);
    assert_int_equal(read_with("Cookie: tessera_session=x\r\nCookie: tessera_session=", issued.text, NOW, &got), 0);
    snprintf(header, sizeof header, "Cookie: tessera_session=%s\r\nAuthorization: Bearer ", other.text);
    assert_int_equal(read_with(header, issued.text, NOW, &got), 0);
    assert_int_equal(got.token.user, 42);
    assert_int_equal(read_with(header, "rubbish", NOW, &got), ERR_AUTH);
    // The work for one request has a bound.
    for (unsigned i = 0; i < SESSION_COOKIES_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "; tessera_session=x");
    snprintf(many + strlen(many), sizeof many - strlen(many), "; tessera_session=");
    assert_int_equal(read_with(many, issued.text, NOW, &got), ERR_MALFORMED);
}

static void test_refusals(void **state)
{
    (void)state;
    struct session issued, got;
    assert_int_equal(session_issue(&issued, &keys, 42, NOW, LIFE), 0);
    assert_int_equal(read_with("X: ", "y", NOW, &got), ERR_NOT_FOUND);
    assert_int_equal(read_with("Authorization: Basic ", issued.text, NOW, &got), ERR_NOT_FOUND);
    assert_int_equal(read_with("Cookie: tessera_session=", "", NOW, &got), ERR_MALFORMED);
    assert_int_equal(read_with("Cookie: tessera_session=", "rubbish", NOW, &got), ERR_MALFORMED);
    assert_int_equal(read_with("Cookie: tessera_session=", issued.text, NOW + LIFE, &got), ERR_TIMEOUT);
    assert_int_equal(session_issue(&issued, &other_keys, 42, NOW, LIFE), 0);
    assert_int_equal(read_with("Cookie: tessera_session=", issued.text, NOW, &got), ERR_AUTH);
}

static void test_every_change_of_a_token_is_refused(void **state)
{
    (void)state;
    struct session issued, got;
    assert_int_equal(session_issue(&issued, &keys, 42, NOW, LIFE), 0);
    size_t len = strlen(issued.text);
    for (size_t i = 0; i < len; i++) {
        char text[TOKEN_TEXT_SIZE];
        memcpy(text, issued.text, len + 1);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(read_with("Cookie: tessera_session=", text, NOW, &got), 0);
        text[i] = '\0';
        assert_int_not_equal(read_with("Cookie: tessera_session=", text, NOW, &got), 0);
    }
}

static void test_renewal(void **state)
{
    (void)state;
    struct session session, got;
    assert_int_equal(session_issue(&session, &keys, 42, NOW, LIFE), 0);
    assert_false(session_is_old(&session, NOW));
    assert_false(session_is_old(&session, NOW + LIFE / 2 - 1));
    assert_true(session_is_old(&session, NOW + LIFE / 2));
    assert_false(session_is_old(&session, NOW - 100)); // the clock was set back
    assert_int_equal(session_renew(&session, &keys, NOW + 600, LIFE), 0);
    assert_int_equal(read_with("Cookie: tessera_session=", session.text, NOW + 600 + LIFE - 1, &got), 0);
    assert_int_equal(got.token.user, 42);
}

static void test_cookie(void **state)
{
    (void)state;
    struct session session;
    char cookie[SESSION_COOKIE_SIZE], want[SESSION_COOKIE_SIZE];
    assert_int_equal(session_issue(&session, &keys, UINT64_MAX, NOW, LIFE), 0);
    session_cookie(&session, NOW + 10, false, cookie);
    snprintf(want, sizeof want, "tessera_session=%s; Path=/; Max-Age=990; HttpOnly; SameSite=Lax", session.text);
    assert_string_equal(cookie, want);
    session_cookie(&session, NOW + 2 * LIFE, true, cookie);
    snprintf(want, sizeof want, "tessera_session=%s; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure", session.text);
    assert_string_equal(cookie, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issue_and_read), cmocka_unit_test(test_a_bad_token_does_not_hide_a_good_one),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_every_change_of_a_token_is_refused),
        cmocka_unit_test(test_renewal),        cmocka_unit_test(test_cookie),
    };
    return cmocka_run_group_tests_name("session", tests, setup, NULL);
}
