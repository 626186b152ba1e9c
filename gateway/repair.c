#include "gateway/repair.h"

static const struct repair_judgement nothing = {.action = REPAIR_NOTHING};

static struct repair_judgement resync(enum resync_reason reason)
{
    return (struct repair_judgement){REPAIR_RESYNC, reason};
}

const char *resync_reason_name(enum resync_reason reason)
{
    static const char *const names[RESYNC_REASONS] = {
        [RESYNC_TOO_FAR] = "too_far", [RESYNC_TRIMMED] = "trimmed",   [RESYNC_EPOCH] = "epoch",
        [RESYNC_REWOUND] = "rewound", [RESYNC_CHECKSUM] = "checksum", [RESYNC_MALFORMED] = "malformed",
        [RESYNC_STUCK] = "stuck",
    };
    return names[reason];
}

struct repair_judgement repair_judge_beat(struct position mine, uint64_t my_checksum, struct position beat,
                                          uint64_t beat_checksum)
{
    if (position_equal(mine, beat))
        return my_checksum == beat_checksum ? nothing : resync(RESYNC_CHECKSUM);
    if (beat.epoch < mine.epoch && beat.seq <= mine.seq)
        return nothing; // it was on its way while I was loaded
    if (beat.epoch >= mine.epoch && beat.seq > mine.seq)
        return (struct repair_judgement){.action = REPAIR_LOG};
    return (struct repair_judgement){.action = REPAIR_VERIFY};
}

struct repair_judgement repair_judge_position(struct position mine, uint64_t my_checksum, struct position asked,
                                              const struct store_position *stored)
{
    struct position there = stored->pos;
    if (position_equal(mine, there)) {
        bool comparable = stored->has_checksum && stored->checksum_seq == mine.seq;
        return !comparable || stored->checksum == my_checksum ? nothing : resync(RESYNC_CHECKSUM);
    }
    if (there.seq > mine.seq && there.epoch >= mine.epoch)
        return (struct repair_judgement){.action = REPAIR_LOG};
    // The bus may have brought me further while the answer was on its way.
    bool merely_older =
        there.seq < mine.seq && there.epoch <= mine.epoch && there.seq >= asked.seq && there.epoch >= asked.epoch;
    if (merely_older)
        return nothing;
    return resync(there.epoch > mine.epoch ? RESYNC_EPOCH : RESYNC_REWOUND);
}

static uint32_t last_of(const struct store_entry *entry)
{
    return entry->first + (entry->count - 1);
}

// Whether the entries carry on from `mine` without a hole; adds up their placements.
static bool entries_follow(struct position mine, const struct store_entry *entries, size_t count, uint64_t *placements)
{
    uint64_t epoch = mine.epoch;
    uint32_t last = mine.seq;
    *placements = 0;
    for (size_t i = 0; i < count; i++) {
        const struct store_entry *entry = &entries[i];
        bool numbered = entry->count >= 1 && entry->first >= 1 && entry->count - 1 <= UINT32_MAX - entry->first;
        if (!numbered || entry->epoch < epoch || last_of(entry) <= last)
            return false;
        bool overlaps = i == 0 && entry->epoch == mine.epoch && entry->first <= last;
        if (entry->first != last + 1 && !overlaps)
            return false;
        *placements += last_of(entry) - last;
        last = last_of(entry);
        epoch = entry->epoch;
    }
    return true;
}

// Whether the first entry shows that placement mine.seq is mine there too: it ends with it, or it is of my epoch and
// goes on from it, as one epoch is one unbroken writing of one owner.
static struct repair_judgement judge_first(struct position mine, const struct store_entry *first)
{
    if (first->first > mine.seq + 1)
        return resync(RESYNC_TRIMMED);
    return first->epoch == mine.epoch ? nothing : resync(RESYNC_EPOCH);
}

struct repair_plan repair_judge_log(struct position mine, const struct store_entry *entries, size_t count)
{
    struct repair_plan plan = {.judgement = nothing};
    if (count == 0) {
        if (mine.seq > 0)
            plan.judgement = resync(RESYNC_REWOUND);
        return plan;
    }
    if (mine.seq > 0) {
        plan.judgement = judge_first(mine, &entries[0]);
        plan.skip = last_of(&entries[0]) <= mine.seq ? 1 : 0;
    } else if (entries[0].first > 1) {
        plan.judgement = resync(RESYNC_TRIMMED);
    }
    uint64_t placements;
    if (plan.judgement.action == REPAIR_RESYNC)
        return plan;
    if (!entries_follow(mine, entries + plan.skip, count - plan.skip, &placements))
        plan.judgement = resync(RESYNC_MALFORMED);
    else if (count - plan.skip > REPAIR_ENTRIES_MAX || placements > REPAIR_PLACEMENTS_MAX)
        plan.judgement = resync(RESYNC_TOO_FAR);
    return plan;
}
