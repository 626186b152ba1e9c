"""Who somebody is, and from where: sessions, tokens, origins."""

import json

from edge_fixture import edge, nobody_died  # noqa: F401
from tessera import http


def test_sessions(edge):
    reply = http.request(edge.gateway.address, "POST", "/api/v1/session")
    answer = json.loads(reply.body)
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"tessera_session={answer['token']}; Path=/; ")
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert reply.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in reply.headers
    for header in ({"Cookie": f"a=b; tessera_session={answer['token']}"}, {"Authorization": f"Bearer {answer['token']}"}):
        again = json.loads(http.request(edge.tight.address, "POST", "/api/v1/session", header).body)
        assert again["user"] == answer["user"]
    other = json.loads(http.request(edge.gateway.address, "POST", "/api/v1/session", {"Cookie": "tessera_session=rubbish"}).body)
    assert other["user"] != answer["user"]


def test_tampered_tokens(edge):
    token = edge.token()
    with edge.raw() as raw:
        raw.open(token)
    for i in range(0, len(token), 3):
        wrong = token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :]
        with edge.raw() as raw:
            assert raw.upgrade(wrong)[0] == 401, i
    for wrong in (None, "x", token[:-1], token + "A", token + ".", "t1..", "." * 90, token.replace("t1", "t2")):
        with edge.raw() as raw:
            status, headers, _ = raw.upgrade(wrong)
            assert status == 401 and headers["connection"] == "close"
            assert raw.until_closed() == b""
    with edge.raw() as raw:
        assert raw.upgrade(None, authorization=f"Bearer {token}")[0] == 101


def test_origins(edge):
    token = edge.token()
    good = [None, "http://localhost", "https://localhost", "https://friend.example"]
    bad = ["http://evil.example", "null", "", "http://localhost:81", "http://friend.example", "file://localhost"]
    for origin in good + bad:
        with edge.raw() as raw:
            status, headers, _ = raw.upgrade(token, origin=origin)
            assert status == (101 if origin in good else 403), origin
            assert "access-control-allow-origin" not in headers
        reply = http.request(edge.gateway.address, "POST", "/api/v1/session", {"Host": "localhost", **({"Origin": origin} if origin is not None else {})})
        assert reply.status == (200 if origin in good else 403), origin
