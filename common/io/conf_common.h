// The options that gateway and shard share, so that both name and explain them alike.
//
//   struct options { struct conf_common common; ... };
//   static const struct conf_option rows[] = { CONF_COMMON_ROWS(struct options, common, "127.0.0.1:9100"), ... };
#pragma once

#include "common/io/conf.h"
#include "common/io/log.h"
#include "common/io/log_addr.h"

struct conf_common {
    const char *redis;          // host:port
    const char *redis_user;     // empty = the default user
    const char *redis_password; // empty = no AUTH
    const char *cluster_secret; // shared by all gateways and shards
    int log_level;              // enum log_level
    int log_format;             // enum log_format
    int log_addresses;          // enum log_addr
    const char *metrics;        // host:port; empty = off
    const char *admin;          // likewise
    const char *admin_secret;   // of the admin port
};

#define CONF_COMMON_ROW(type_, field_, member_) offsetof(type_, field_) + offsetof(struct conf_common, member_)

// clang-format off
#define CONF_COMMON_ROWS(type_, field_, metrics_default_)                                                              \
    {.name = "redis", .type = CONF_ADDRESS, .fallback = "127.0.0.1:6379",                                              \
     .offset = CONF_COMMON_ROW(type_, field_, redis),                                                                  \
     .help = "Redis that holds the canvas, as host:port"},                                                             \
    {.name = "redis-user", .type = CONF_STRING, .fallback = "", .max = 128,                                            \
     .offset = CONF_COMMON_ROW(type_, field_, redis_user),                                                             \
     .help = "user for Redis AUTH; empty for the default user"},                                                       \
    {.name = "redis-password", .type = CONF_SECRET, .fallback = "", .max = 512,                                        \
     .offset = CONF_COMMON_ROW(type_, field_, redis_password),                                                         \
     .help = "password for Redis AUTH; empty for none"},                                                               \
    {.name = "cluster-secret", .type = CONF_SECRET, .fallback = "", .max = 512,                                        \
     .offset = CONF_COMMON_ROW(type_, field_, cluster_secret),                                                         \
     .help = "secret by which gateways and shards know each other; the same on all, 32 characters or more"},           \
    {.name = "log-level", .type = CONF_ENUM, .fallback = "info", .choices = LOG_LEVEL_CHOICES,                         \
     .offset = CONF_COMMON_ROW(type_, field_, log_level),                                                              \
     .help = "least important lines that are logged"},                                                                 \
    {.name = "log-format", .type = CONF_ENUM, .fallback = "logfmt", .choices = LOG_FORMAT_CHOICES,                     \
     .offset = CONF_COMMON_ROW(type_, field_, log_format),                                                             \
     .help = "form of the log lines on standard error"},                                                               \
    {.name = "log-addresses", .type = CONF_ENUM, .fallback = "hashed", .choices = LOG_ADDR_CHOICES,                    \
     .offset = CONF_COMMON_ROW(type_, field_, log_addresses),                                                          \
     .help = "addresses of people in the log: hashed with a key made from cluster-secret, or in full"},                \
    {.name = "metrics", .type = CONF_ADDRESS, .fallback = metrics_default_,                                            \
     .offset = CONF_COMMON_ROW(type_, field_, metrics),                                                                \
     .help = "private address of /metrics, /livez and /readyz, each process of a host its own; empty for none"},                                       \
    {.name = "admin", .type = CONF_ADDRESS, .fallback = "",                                                            \
     .offset = CONF_COMMON_ROW(type_, field_, admin),                                                                  \
     .help = "private address of the admin port, for tessera-ctl; empty for none"},                                    \
    {.name = "admin-secret", .type = CONF_SECRET, .fallback = "", .max = 512,                                          \
     .offset = CONF_COMMON_ROW(type_, field_, admin_secret),                                                           \
     .help = "secret of the admin port, 32 characters or more; needed with admin"}
// clang-format on
