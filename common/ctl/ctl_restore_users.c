// The users of a backup: their records and their names.
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/name.h"
#include "common/ctl/ctl_file.h"
#include "common/ctl/ctl_restore_impl.h"
#include "proto/keys.h"

#define NAME_LIFE_MS "5184000000" // 60 days: of who has no record, until a gateway renews it

static bool is_record(const redisReply *key)
{
    uint64_t user;
    return key_user_parse(key->str, key->len, &user) == 0;
}

static bool on_records(const redisReply *keys, void *arg)
{
    return ctl_restore_remove(arg, keys, is_record);
}

static bool put_user(struct restore *restore, uint64_t user, const uint8_t record[USER_RECORD_LEN])
{
    char name[KEY_MAX];
    const struct redis_arg key = {name, key_user(name, user)}, value = {record, USER_RECORD_LEN};
    return ctl_restorer_write(&restore->to, "SET", &key, 1, &value, 1);
}

bool ctl_restore_users(struct restore *restore, uint8_t *payload, size_t len)
{
    bool good = true;
    for (size_t at = 0; good && at < len; at += CTL_USER_LEN) {
        uint64_t user = bytes_get_u64(payload + at);
        ctl_late_mend(restore->summary.late, user, payload + at + 8);
        good = put_user(restore, user, payload + at + 8);
    }
    return good;
}

bool ctl_restore_late_users(struct restore *restore)
{
    uint64_t user;
    uint8_t record[USER_RECORD_LEN];
    bool good = true;
    while (good && ctl_late_next(restore->summary.late, &user, record))
        good = put_user(restore, user, record);
    return good && ctl_restorer_settle(&restore->to);
}

// Names that are there stay, and so does that somebody was erased.
static bool put_name(struct restore *restore, const uint8_t *user, const uint8_t *record, size_t len)
{
    char key[KEY_MAX], claim[KEY_MAX], placed[KEY_MAX], skeleton[NAME_SKELETON_SIZE];
    const char *name = (const char *)record + CTL_NAME_RECORD_MIN;
    size_t name_len = len - CTL_NAME_RECORD_MIN;
    struct redis_arg keys[4] = {{key, key_user_name(key, bytes_get_u64(user))}};
    keys[1] = keys[0];
    keys[2] = REDIS_ARG_TEXT(KEY_CONFIG);
    keys[3] = (struct redis_arg){placed, key_user(placed, bytes_get_u64(user))};
    if (name_len > 0) {
        if (name_check(name, name_len) != NAME_OK)
            return true; // by other rules than ours
        name_skeleton(name, name_len, skeleton);
        keys[1].len = key_name(claim, skeleton);
        keys[1].data = claim;
    }
    const struct redis_arg args[] = {
        {user, 8}, {record, len}, REDIS_ARG_TEXT(restore->to.number), REDIS_ARG_TEXT(NAME_LIFE_MS)};
    return ctl_restorer_script(&restore->to, LUA_RESTORE_NAME, keys, 4, args, 4);
}

bool ctl_restore_names(struct restore *restore, const uint8_t *payload, size_t len)
{
    bool good = ctl_restore_late_users(restore);
    for (size_t at = 0; good && at < len;) {
        size_t record_len = bytes_get_u16(payload + at + 8);
        good = put_name(restore, payload + at, payload + at + CTL_NAME_HEAD_LEN, record_len);
        at += CTL_NAME_HEAD_LEN + record_len;
    }
    return good;
}

bool ctl_restore_users_clear(struct restore *restore)
{
    return ctl_redis_scan(&restore->to.redis, "{u:*", on_records, restore);
}
