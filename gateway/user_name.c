#include "gateway/user_name.h"

#include <stdio.h>

#define MARGIN_MS UINT64_C(2592000000) // 30 days

void user_name(const struct store_name *name, uint64_t user, char to[NAME_SIZE])
{
    if (name->erased)
        name_pseudonym(user, to);
    else if (name->text[0] != '\0')
        snprintf(to, NAME_SIZE, "%s", name->text);
    else
        name_generate(user, to);
}

uint64_t user_name_wait_ms(const struct store_name *name, uint64_t keep_ms, uint64_t now_ms)
{
    uint64_t changed = name->changed_ms < now_ms ? name->changed_ms : now_ms;
    return name->changed_ms == 0 || changed + keep_ms <= now_ms ? 0 : changed + keep_ms - now_ms;
}

uint64_t user_name_life_ms(const struct store_user *user, uint32_t session_life_s)
{
    return user->record.nonce > 0 ? 0 : (uint64_t)session_life_s * 1000 + MARGIN_MS;
}
