// tessera-ctl: its options, exit statuses and commands.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Exit statuses (proto/ADMIN.md).
enum ctl_status {
    CTL_DONE = 0,
    CTL_REFUSED = 1, // or failed
    CTL_USAGE = 2,
    CTL_UNKNOWN = 3, // no answer: the outcome is unknown
    CTL_AUTH = 4,
    CTL_DAMAGED = 5,
};

struct ctl_options {
    const char *admin, *admin_secret;
    const char *redis, *redis_user, *redis_password;
    const char *who;
    int64_t timeout_ms;
    bool json, again;
};

struct ctl_command {
    const char *name;
    size_t min, max; // arguments
    const char *usage, *help;
    // NULL: asked of the admin port, and shown by `show`.
    enum ctl_status (*run)(const struct ctl_options *options, const char *const *args, size_t count);
    void (*show)(const json_t *result);
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

// Says why on standard error, with the name of the program.
__attribute__((format(printf, 1, 2))) void ctl_say(const char *format, ...);
// The result, as JSON or with `show`.
void ctl_print(const struct ctl_options *options, const json_t *result, void (*show)(const json_t *result));

// What backup, verify and restore say of a file. `behind`: records of users that are behind their log; -1: not known.
struct ctl_counts {
    const char *file;
    uint32_t tiles;
    uint64_t users, placements;
    int64_t behind;
};
void ctl_print_counts(const struct ctl_options *options, const struct ctl_counts *counts);

// ctl_show.c
void ctl_show_status(const json_t *result);
void ctl_show_tiles(const json_t *result);
void ctl_show_get(const json_t *result);
void ctl_show_change(const json_t *result);
void ctl_show_audit(const json_t *result);

// ctl_backup.c, ctl_restore.c: FILE is args[0]
enum ctl_status ctl_run_backup(const struct ctl_options *options, const char *const *args, size_t count);
enum ctl_status ctl_run_verify(const struct ctl_options *options, const char *const *args, size_t count);
enum ctl_status ctl_run_restore(const struct ctl_options *options, const char *const *args, size_t count);
