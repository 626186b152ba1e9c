// The table of commands. Those of the admin port have a row in common/admin/admin_commands.c as well.

#include "common/ctl/ctl.h"

const struct ctl_command ctl_commands[] = {
    {"status", 0, 0, "status", "the cluster as it is now: canvas, Redis, shards, gateways, tiles", NULL,
     ctl_show_status},
    {"tiles", 0, 2, "tiles [FROM [COUNT]]",
     "tiles that were ever taken, with owner, epoch and position, from number FROM on", NULL, ctl_show_tiles},
    {"get", 0, 1, "get [NAME]", "all settings, or one", NULL, ctl_show_get},
    {"set", 2, 2, "set NAME VALUE",
     "cooldown (0, 250ms, 5s, 3m, 2h), read-only (on, off), announcement (text, empty for none), guests-per-address",
     NULL, ctl_show_change},
    {"palette", 3, 3, "palette add NAME #RRGGBB", "appends a color", NULL, ctl_show_change},
    {"canvas", 2, 2, "canvas grow WIDTHxHEIGHT", "adds columns at the right and rows at the bottom", NULL,
     ctl_show_change},
    {"audit", 0, 2, "audit [COUNT [BEFORE]]", "what was done and by whom, the newest first, or those before an entry",
     NULL, ctl_show_audit},
    {"backup", 1, 1, "backup FILE", "the whole canvas with its history and users, while everybody draws",
     ctl_run_backup, NULL},
    {"verify", 1, 1, "verify FILE", "replays a backup and holds it against itself", ctl_run_verify, NULL},
    {"restore", 1, 1, "restore FILE",
     "verifies a backup and puts it in the place of what is there, while everybody watches; --again after one that "
     "broke off",
     ctl_run_restore, NULL},
};

const size_t ctl_command_count = sizeof ctl_commands / sizeof ctl_commands[0];
