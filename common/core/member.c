#include "common/core/member.h"

#include "common/core/mix.h"

#include <string.h>

int member_view_add(struct member_view *view, const char *address, size_t address_len, uint64_t incarnation)
{
    if (address_len == 0 || address_len >= MEMBER_ADDRESS_SIZE || memchr(address, '\0', address_len) != NULL)
        return ERR_RANGE;
    char copy[MEMBER_ADDRESS_SIZE] = {0};
    memcpy(copy, address, address_len);
    for (uint16_t i = 0; i < view->count; i++) {
        if (strcmp(view->members[i].address, copy) == 0) {
            view->members[i].incarnation = incarnation;
            return 0;
        }
    }
    if (view->count >= MEMBER_MAX)
        return ERR_FULL;
    struct member *member = &view->members[view->count++];
    memcpy(member->address, copy, sizeof copy);
    member->incarnation = incarnation;
    return 0;
}

uint64_t member_weight(const char *address, struct tile tile)
{
    return mix_final(mix_fnv1a(address, strlen(address)) ^ tile_key(tile) * 0x9e3779b97f4a7c15u);
}

const struct member *member_owner(const struct member_view *view, struct tile tile)
{
    const struct member *best = NULL;
    uint64_t best_weight = 0;
    for (uint16_t i = 0; i < view->count; i++) {
        const struct member *member = &view->members[i];
        uint64_t weight = member_weight(member->address, tile);
        bool wins = best == NULL || weight > best_weight ||
                    (weight == best_weight && strcmp(member->address, best->address) < 0);
        if (wins) {
            best = member;
            best_weight = weight;
        }
    }
    return best;
}
