// A client's connection after the upgrade: what hub and cluster may ask of it. (The edge - ws_conn.c with conn.c - owns
// the memory and the socket; reading, HELLO, limits and closing are its business.)
//
//   edge --messages--> hub_join/watch/resume, cluster_draw
//   hub  --frames----> ws_conn_write_shared    TILE, SNAPSHOT: ready frames, shared, never copied for a client
//   all  --messages--> ws_conn_send            WELCOME, VERDICT …: small, for one client, bounded queue
//
// Order on the wire: the rest of a shared buffer that was cut, then the queue of small messages, then new shared
// buffers. None of these functions frees the connection or calls back before it returns: a connection that must end is
// marked, and freed from the loop later (hub_leave and cluster_forget come then).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gateway/shared_buf.h"
#include "proto/ws_proto.h"

struct ws_conn;

enum ws_write {
    WS_WRITE_TAKEN, // all of it was written, or the rest is held by reference and goes out first
    WS_WRITE_FULL,  // nothing was taken: earlier bytes still wait. hub_writable is called when they are gone
    WS_WRITE_DEAD,  // the connection is ending; forget it, hub_leave follows
};

// Sends buf from byte `from` on. The caller keeps its own reference.
enum ws_write ws_conn_write_shared(struct ws_conn *conn, struct shared_buf *buf, size_t from);

// Frames and sends one small binary message (PALETTE is the largest), or queues it; over 16 KiB of queue the connection
// ends with 4004.
void ws_conn_send(struct ws_conn *conn, const uint8_t *payload, size_t len);

// Ends the connection: close frame if the socket takes it, then gone. `reason` is for log and metric, static storage.
void ws_conn_close(struct ws_conn *conn, enum ws_close code, const char *reason);

// Bytes of the header of an unmasked binary server frame with that payload length, written to `to` (at most 10). RFC
// 6455, 5.2.
size_t ws_frame_head(uint8_t to[10], size_t payload_len);
