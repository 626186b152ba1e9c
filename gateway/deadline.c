#include "gateway/deadline.h"

void deadlines_init(struct deadlines *list, int64_t after_ms)
{
    list->head = (struct deadline){&list->head, &list->head, MONOTIME_NEVER};
    list->after_ms = after_ms;
}

void deadline_arm(struct deadlines *list, struct deadline *deadline, struct monotime now)
{
    deadline_cancel(deadline);
    deadline->at = monotime_add_ms(now, list->after_ms);
    deadline->prev = list->head.prev;
    deadline->next = &list->head;
    deadline->prev->next = deadline;
    list->head.prev = deadline;
}

void deadline_cancel(struct deadline *deadline)
{
    if (deadline->next == NULL)
        return;
    deadline->prev->next = deadline->next;
    deadline->next->prev = deadline->prev;
    deadline->prev = deadline->next = NULL;
}

bool deadline_armed(const struct deadline *deadline)
{
    return deadline->next != NULL;
}

struct deadline *deadlines_due(struct deadlines *list, struct monotime now)
{
    struct deadline *first = list->head.next;
    if (first == &list->head || !monotime_reached(first->at, now))
        return NULL;
    deadline_cancel(first);
    return first;
}
