// Faults built into the simulation's own parts on purpose, to see that it finds them. None is in what it tests.
#pragma once

enum mutant {
    MUTANT_NONE,
    MUTANT_NO_FENCE,          // place.lua asks nobody for the epoch
    MUTANT_EPOCH_PLUS_ONE,    // a taking only adds one: over a restore epochs come again
    MUTANT_NOT_TAKEN_ANEW,    // a taking by its last owner changes nothing
    MUTANT_DUPLICATES,        // a repetition is placed again
    MUTANT_GAP_IGNORED,       // updates are applied whatever lies before them
    MUTANT_RESUME_OFF_BY_ONE, // a client says that it has one placement more
    MUTANT_SNAPSHOT_LATE,     // a snapshot's position is read after its pixels
    MUTANT_WRITE_FIRST,       // place.lua writes before it checks
    MUTANT_EVERYSEC,          // answers leave before the file is synced
    MUTANT_COOLDOWN_SHORT,    // the cooldown ends a little early
    MUTANT_NO_DRAIN,          // a gateway that is told to stop closes its sockets at once
    MUTANT_NO_HANDOVER,       // a shard that is told to stop leaves the view to its lease
    MUTANT_COUNT,
};

// "no-fence" …; MUTANT_COUNT for an unknown name.
const char *mutant_name(enum mutant mutant);
enum mutant mutant_by_name(const char *name);
// The invariant that has to catch it.
const char *mutant_caught_by(enum mutant mutant);
