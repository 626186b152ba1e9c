// Version 1 of the PROXY protocol: one line of text. For proxy.c only; the contracts are those of proxy.h. Pure.
//
//   PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n
//   PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n
//   PROXY UNKNOWN anything\r\n
#pragma once

#include "gateway/proxy.h"

#define PROXY_V1_FIRST 'P' // by which it is told from version 2

MUST_CHECK ssize_t proxy_v1_parse(const uint8_t *bytes, size_t len, struct proxy_header *out);
size_t proxy_v1_want(const uint8_t *bytes, size_t len);
