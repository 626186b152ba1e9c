#include "tests/sim/mutant.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name, *caught_by;
} mutants[MUTANT_COUNT] = {
    [MUTANT_NONE] = {"none", ""},
    [MUTANT_NO_FENCE] = {"no-fence", "fence"},
    [MUTANT_EPOCH_PLUS_ONE] = {"epoch-plus-one", "history"},
    [MUTANT_NOT_TAKEN_ANEW] = {"not-taken-anew", "history"},
    [MUTANT_DUPLICATES] = {"duplicates", "doubled"},
    [MUTANT_GAP_IGNORED] = {"gap-ignored", "content"},
    [MUTANT_RESUME_OFF_BY_ONE] = {"resume-off-by-one", "content"},
    [MUTANT_SNAPSHOT_LATE] = {"snapshot-late", "content"},
    [MUTANT_WRITE_FIRST] = {"write-first", "cooldown refused doubled"},
    [MUTANT_EVERYSEC] = {"everysec", "acked"},
    [MUTANT_COOLDOWN_SHORT] = {"cooldown-short", "cooldown"},
    [MUTANT_NO_DRAIN] = {"no-drain", "undisturbed"},
    [MUTANT_NO_HANDOVER] = {"no-handover", "undisturbed"},
};

const char *mutant_name(enum mutant mutant)
{
    return mutants[mutant].name;
}

const char *mutant_caught_by(enum mutant mutant)
{
    return mutants[mutant].caught_by;
}

enum mutant mutant_by_name(const char *name)
{
    int i = 0;
    while (i < MUTANT_COUNT && strcmp(mutants[i].name, name) != 0)
        i++;
    return (enum mutant)i;
}
