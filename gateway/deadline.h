// Deadlines of many connections that all have the same length: a list in the order of arming, so that arming,
// cancelling and finding those that are due cost the same for one and for 100,000. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/monotime.h"

// Embedded in its owner, zeroed at first. In at most one list.
struct deadline {
    struct deadline *prev, *next; // NULL when it is not armed
    struct monotime at;
};

struct deadlines {
    struct deadline head;
    int64_t after_ms;
};

void deadlines_init(struct deadlines *list, int64_t after_ms);

// Due `after_ms` from now. Arming again moves it, from another list too. `now` must not go back.
void deadline_arm(struct deadlines *list, struct deadline *deadline, struct monotime now);
void deadline_cancel(struct deadline *deadline); // harmless when it is not armed
bool deadline_armed(const struct deadline *deadline);

// The next one that is due, cancelled; NULL when none is.
struct deadline *deadlines_due(struct deadlines *list, struct monotime now);
