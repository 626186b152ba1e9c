// Between load_conn.c, which has a connection's states, and load_conn_read.c, which has what it receives.
#pragma once

#include "tests/tools/load_conn.h"

#define LOAD_SILENCE_MS 35000 // PROTOCOL.md, STATUS

// The socket is readable. Any of the ends below may have come when it returns.
void load_conn_on_readable(struct load_conn *conn);

// There may be room for further draws. At a rate they come with the ticks, whoever has room.
void load_conn_draw_on(struct load_conn *conn, struct monotime now);

// The socket is no more: comes back later, elsewhere. Its memory stays.
void load_conn_lost(struct load_conn *conn);

// As the gateway sent something that it may not.
void load_conn_malformed(struct load_conn *conn, const char *what);

// For good.
void load_conn_give_up(struct load_conn *conn, const char *why, unsigned code);
