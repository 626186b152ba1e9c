#include "gateway/ws_upgrade.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "proto/ws_proto.h"

#define KEY_LEN 24u
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

int ws_upgrade_accept(const char *key, size_t len, char accept[WS_ACCEPT_SIZE])
{
    char text[KEY_LEN + sizeof ACCEPT_GUID];
    unsigned char digest[SHA_DIGEST_LENGTH];
    if (len != KEY_LEN)
        return ERR_MALFORMED;
    memcpy(text, key, len);
    memcpy(text + len, ACCEPT_GUID, sizeof ACCEPT_GUID - 1);
    if (EVP_Digest(text, len + sizeof ACCEPT_GUID - 1, digest, NULL, EVP_sha1(), NULL) != 1)
        return ERR_NOMEM;
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    return 0;
}

// Base64 of 16 bytes: 22 digits and two signs of padding.
static int is_key(const char *key, size_t len)
{
    if (key == NULL || len != KEY_LEN || key[22] != '=' || key[23] != '=')
        return 0;
    for (size_t i = 0; i < 22; i++)
        if (!((key[i] >= '0' && key[i] <= '9') || (key[i] >= 'a' && key[i] <= 'z') ||
              (key[i] >= 'A' && key[i] <= 'Z') || key[i] == '+' || key[i] == '/'))
            return 0;
    return 1;
}

static int refuse(struct ws_upgrade *upgrade, uint16_t status, const char *why)
{
    upgrade->status = status;
    upgrade->why = why;
    return ERR_MALFORMED;
}

int ws_upgrade_check(struct ws_upgrade *upgrade, const struct http_request *request, const char *buffer)
{
    size_t len;
    bool repeated = false;
    if (request->parser.http_minor != 1)
        return refuse(upgrade, 400, "a WebSocket needs HTTP/1.1");
    if (!http_request_lists(request, buffer, "connection", "upgrade") ||
        !http_request_lists(request, buffer, "upgrade", "websocket"))
        return refuse(upgrade, 426, "this is a WebSocket");
    const char *version = http_request_single(request, buffer, "sec-websocket-version", &len, &repeated);
    if (version == NULL || len != 2 || memcmp(version, "13", 2) != 0)
        return refuse(upgrade, 426, "only version 13 of WebSocket");
    const char *key = http_request_single(request, buffer, "sec-websocket-key", &len, &repeated);
    if (!is_key(key, len))
        return refuse(upgrade, 400, "malformed Sec-WebSocket-Key");
    if (!http_request_lists(request, buffer, "sec-websocket-protocol", WS_SUBPROTOCOL))
        return refuse(upgrade, 400, "the subprotocol is " WS_SUBPROTOCOL);
    return ws_upgrade_accept(key, len, upgrade->accept);
}
