// What a user is called, from what is stored. Pure.
#pragma once

#include <stdint.h>

#include "gateway/store.h"

// The chosen name, the generated one, or of an erased user the pseudonym.
void user_name(const struct store_name *name, uint64_t user, char to[NAME_SIZE]);

// How long a name lives after its user was seen last, in ms; 0: for good. With a cooldown each cost a placement;
// without one a script could claim any number, so they end, somewhat after the last session that could have had them.
uint64_t user_name_life_ms(const struct store_user *user, uint32_t session_life_s);

// Until another name may be chosen, in ms. `name` may have been changed in the future, should the clock have been set
// back.
uint64_t user_name_wait_ms(const struct store_name *name, uint64_t keep_ms, uint64_t now_ms);
