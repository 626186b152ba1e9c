#include "common/ctl/ctl_late.h"

#include <stdlib.h>

#include "common/core/hash_table.h"
#include "proto/limits.h"

struct late_user {
    uint64_t user;
    uint64_t told_ms; // when what the record names was placed; 0: before the backup began, or there is none
    uint32_t count;   // of the placements after that
    struct ctl_placed last;
    UT_hash_handle hh;
};

struct ctl_late {
    uint64_t began_ms;
    struct late_user *users;
};

struct ctl_late *ctl_late_new(uint64_t began_ms)
{
    struct ctl_late *late = calloc(1, sizeof *late);
    if (late != NULL)
        late->began_ms = began_ms;
    return late;
}

static void strike_off(struct ctl_late *late, struct late_user *user)
{
    HASH_DEL(late->users, user); // NOLINT(clang-analyzer-core.NullDereference)
    free(user);
}

void ctl_late_clear(struct ctl_late *late)
{
    while (late->users != NULL)
        strike_off(late, late->users);
}

void ctl_late_free(struct ctl_late *late)
{
    if (late != NULL)
        ctl_late_clear(late);
    free(late);
}

// NULL without memory.
static struct late_user *user_of(struct ctl_late *late, uint64_t number)
{
    struct late_user *user;
    HASH_FIND(hh, late->users, &number, sizeof number, user);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user);
    if (user == NULL)
        return NULL;
    user->user = number;
    HASH_ADD(hh, late->users, user, sizeof user->user, user);
    if (user->hh.tbl == NULL) {
        free(user);
        return NULL;
    }
    return user;
}

int ctl_late_record(struct ctl_late *late, uint64_t number, const struct user_record *record)
{
    if (record->landed_ms < late->began_ms)
        return 0;
    struct late_user *user = user_of(late, number);
    if (user == NULL)
        return ERR_NOMEM;
    user->told_ms = record->landed_ms;
    return 0;
}

// Two placements of a user never have the same time: the cooldown, a millisecond at least, is between them.
int ctl_late_placed(struct ctl_late *late, const struct ctl_placed *placed)
{
    if (placed->time_ms < late->began_ms)
        return 0;
    struct late_user *user = user_of(late, placed->user);
    if (user == NULL)
        return ERR_NOMEM;
    if (placed->time_ms <= user->told_ms)
        return 0;
    if (user->count == 0 || placed->time_ms > user->last.time_ms)
        user->last = *placed;
    user->count++;
    return 0;
}

size_t ctl_late_count(const struct ctl_late *late)
{
    size_t count = 0;
    for (const struct late_user *user = late->users; user != NULL; user = user->hh.next)
        count += user->count > 0;
    return count;
}

// `nonce`: of the record before these placements, each of which used up one more.
static void write_record(const struct late_user *user, uint32_t nonce, uint8_t to[USER_RECORD_LEN])
{
    const struct ctl_placed *last = &user->last;
    uint32_t room = NONCE_COUNTED - 1 - nonce;
    const struct user_record record = {.color = last->color,
                                       .x = last->x,
                                       .y = last->y,
                                       .nonce = nonce + (user->count < room ? user->count : room),
                                       .seq = last->seq,
                                       .landed_ms = last->time_ms};
    user_record_encode(to, &record);
}

void ctl_late_mend(struct ctl_late *late, uint64_t number, uint8_t bytes[USER_RECORD_LEN])
{
    struct late_user *user;
    struct user_record record;
    HASH_FIND(hh, late->users, &number, sizeof number, user);
    if (user == NULL)
        return;
    if (user->count > 0 && user_record_decode(bytes, USER_RECORD_LEN, &record) == 0 && record.nonce < NONCE_COUNTED)
        write_record(user, record.nonce, bytes);
    strike_off(late, user);
}

bool ctl_late_next(struct ctl_late *late, uint64_t *number, uint8_t record[USER_RECORD_LEN])
{
    while (late->users != NULL) {
        struct late_user *user = late->users;
        bool found = user->count > 0; // NOLINT(clang-analyzer-unix.Malloc)
        *number = user->user;
        if (found)
            write_record(user, 0, record);
        strike_off(late, user);
        if (found)
            return true;
    }
    return false;
}
