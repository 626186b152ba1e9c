// restore: puts a backup in the place of what is there, while gateways and shards live.
//
//   verify ─► begin (read-only) ─► tiles, each written beside and then put in place as one ─► tiles that the backup
//   lacks
//          become blank ─► users ─► end
//
// Every write asks whether this is still the restore that was begun last: one that stood still while another was made
// changes nothing any more. So no two ever write at the same time, and what one that was killed has left (tiles written
// beside, half) is overwritten or taken away by the next.
//
// Users come last: a shard that has not yet heard of the restore may still place on a tile, and write the user's
// record; on a tile that is replaced after, both are gone, so the record has to go as well.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/ctl/ctl_file.h"
#include "common/ctl/ctl_restore_impl.h"

bool ctl_restore_remove(struct restore *restore, const redisReply *keys, bool (*is_ours)(const redisReply *key))
{
    struct redis_arg some[CTL_RESTORER_KEYS_MAX];
    size_t count = 0;
    bool good = true;
    for (size_t i = 0; good && i < keys->elements; i++) {
        if (is_ours(keys->element[i]))
            some[count++] = (struct redis_arg){keys->element[i]->str, keys->element[i]->len};
        if (count < CTL_RESTORER_KEYS_MAX && i + 1 < keys->elements)
            continue;
        good = count == 0 || ctl_restorer_write(&restore->to, "UNLINK", some, count, NULL, 0);
        count = 0;
    }
    return good && ctl_restorer_settle(&restore->to);
}

// Goes over the file once, for tiles or for users.
static bool pass(struct restore *restore, const char *path, bool users)
{
    struct ctl_file file;
    enum ctl_record type = CTL_CONFIG;
    size_t len;
    bool good = ctl_file_open(&file, path) == 0;
    while (good && type != CTL_END) {
        good = ctl_file_next(&file, &type, &len) == 0 ||
               ctl_restorer_refuse(&restore->to, "the file has changed while it was read");
        if (good && users && type == CTL_USERS)
            good = ctl_restore_users(restore, file.buffer, len);
        else if (good && users && type == CTL_NAMES)
            good = ctl_restore_names(restore, file.buffer, len);
        else if (good && !users && type == CTL_TILE)
            good = ctl_restore_tile(restore, file.buffer);
        else if (good && !users && type == CTL_LOG)
            good = ctl_restore_log(restore, file.buffer, len);
    }
    ctl_file_close(&file);
    return good && ctl_restore_tile_end(restore) && ctl_restorer_settle(&restore->to);
}

static bool run(struct restore *restore, const char *path)
{
    return ctl_restore_begin(restore) && pass(restore, path, false) && ctl_restore_tiles_settle(restore) &&
           ctl_restore_users_clear(restore) && pass(restore, path, true) && ctl_restore_late_users(restore) &&
           ctl_restore_end(restore);
}

enum ctl_status ctl_run_restore(const struct ctl_options *options, const char *const *args, size_t count)
{
    static struct restore restore; // large
    char why[CTL_VERIFY_WHY_SIZE];
    (void)count;
    memset(&restore, 0, sizeof restore);
    restore.options = options;
    int err = ctl_verify(args[0], &restore.summary, why);
    if (err != 0) {
        ctl_say("%s: %s; nothing was changed", args[0], err == ERR_NOMEM ? "no memory" : why);
        ctl_summary_fini(&restore.summary);
        return err == ERR_MALFORMED ? CTL_DAMAGED : CTL_REFUSED;
    }
    snprintf(restore.label, sizeof restore.label, "%.300s: %" PRIu32 " tiles, %" PRIu64 " placements", args[0],
             restore.summary.tiles, restore.summary.placements);
    const struct ctl_counts counts = {args[0], restore.summary.tiles, restore.summary.users, restore.summary.placements,
                                      (int64_t)ctl_late_count(restore.summary.late)};
    enum ctl_status status = ctl_restorer_open(&restore.to, options);
    if (status == CTL_DONE && !run(&restore, args[0]))
        status = restore.to.refused ? CTL_REFUSED : CTL_UNKNOWN;
    if (status == CTL_DONE)
        ctl_print_counts(options, &counts);
    ctl_redis_close(&restore.to.redis);
    ctl_summary_fini(&restore.summary);
    return status;
}
