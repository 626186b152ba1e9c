// The page's own HTML over HTTP.
#pragma once

#include <stdbool.h>

#include "gateway/routes.h"
#include "gateway/static_files.h"

#define PAGE_HEADERS_SIZE 1024u

// What all files of the page are sent with.
void page_headers(char to[PAGE_HEADERS_SIZE], const char *etag, bool varies, bool gzip);

// Answers with `file`, which is index.html, and tags for this link. False: there are none to be had, nothing was
// answered.
bool page_serve(const struct call *call, const struct static_file *file);
