// The canvas over HTTP: bodies for /api/v1/tiles/{tx}/{ty}, /api/v1/tiles, /api/v1/canvas.png and region.png, made once
// per position by the worker thread and shared by all who ask within a second.
#pragma once

#include <stdbool.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "gateway/hub.h"
#include "gateway/region.h"
#include "gateway/shared_buf.h"
#include "gateway/worker.h"
#include "proto/canvas_config.h"

struct content;
struct content_request;

enum content_kind { CONTENT_TILE, CONTENT_TILES, CONTENT_PNG, CONTENT_REGION };

// What is asked for.
struct content_part {
    enum content_kind kind;
    bool gzip;            // the client accepts it; pictures: ignored
    struct tile tile;     // CONTENT_TILE
    struct region region; // CONTENT_REGION
};

struct content_body {
    struct shared_buf *bytes; // borrowed for the call: take a reference to keep it
    const char *etag;         // with its quotes
    const char *position;     // "<epoch>-<seq>" of CONTENT_TILE, else NULL
    bool gzip;
};

// err: 0; ERR_RANGE (tile outside: 404; canvas above 4096 x 4096: 413; region outside: 400); ERR_FULL, ERR_TIMEOUT,
// ERR_CLOSED (503). body is NULL with an error.
typedef void (*content_cb)(int err, const struct content_body *body, void *arg);

struct content *content_new(struct loop *loop, struct metrics *metrics, struct hub *hub, struct worker *worker);
void content_free(struct content *content);
void content_configure(struct content *content, const struct canvas_config *config);
// Returns a handle to cancel with, NULL if the callback has come.
struct content_request *content_get(struct content *content, const struct content_part *part, content_cb cb, void *arg);
void content_cancel(struct content_request *request);
