// The table of commands. What moderation needs later is another row, and a file of its own.

#include "common/admin/admin_impl.h"

const struct admin_command admin_commands[] = {
    {"status", 0, 0, "status", admin_run_status},
    {"tiles", 0, 2, "tiles [FROM [COUNT]]", admin_run_tiles},
    {"get", 0, 1, "get [NAME]", admin_run_get},
    {"set", 2, 2, "set NAME VALUE", admin_run_set},
    {"palette", 3, 3, "palette add NAME #RRGGBB", admin_run_palette},
    {"canvas", 2, 2, "canvas grow WIDTHxHEIGHT", admin_run_canvas},
    {"audit", 0, 2, "audit [COUNT [BEFORE]]", admin_run_audit},
};

const size_t admin_command_count = sizeof admin_commands / sizeof admin_commands[0];
