#include "common/io/loop_deferred.h"

#include <stddef.h>

static void ring_init(struct loop_deferred *head)
{
    head->next = head->prev = head;
}

static bool ring_empty(const struct loop_deferred *head)
{
    return head->next == head;
}

static void ring_append(struct loop_deferred *head, struct loop_deferred *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

static void ring_move(struct loop_deferred *from, struct loop_deferred *to)
{
    while (!ring_empty(from)) {
        struct loop_deferred *item = from->next;
        loop_deferred_cancel(item);
        ring_append(to, item);
    }
}

void loop_deferred_init(struct loop_deferred *deferred, loop_deferred_cb *run, void *arg)
{
    *deferred = (struct loop_deferred){.run = run, .arg = arg};
}

void loop_deferred_cancel(struct loop_deferred *deferred)
{
    if (deferred->next == NULL)
        return;
    deferred->prev->next = deferred->next;
    deferred->next->prev = deferred->prev;
    deferred->next = deferred->prev = NULL;
}

void loop_deferred_queue_init(struct loop_deferred_queue *queue)
{
    *queue = (struct loop_deferred_queue){0};
    ring_init(&queue->later);
    ring_init(&queue->later_last);
    ring_init(&queue->due);
    ring_init(&queue->due_last);
}

bool loop_deferred_waits(const struct loop_deferred_queue *queue)
{
    return !ring_empty(&queue->later) || !ring_empty(&queue->later_last);
}

bool loop_deferred_put(struct loop_deferred_queue *queue, struct loop_deferred *deferred, bool last)
{
    if (deferred->next != NULL)
        return false;
    if (queue->running && deferred->turn != queue->turn) {
        ring_append(last ? &queue->due_last : &queue->due, deferred);
        return false;
    }
    bool first = !loop_deferred_waits(queue);
    ring_append(last ? &queue->later_last : &queue->later, deferred);
    return first;
}

void loop_deferred_run(struct loop_deferred_queue *queue)
{
    ring_move(&queue->later, &queue->due);
    ring_move(&queue->later_last, &queue->due_last);
    queue->turn++;
    queue->running = true;
    for (;;) {
        struct loop_deferred *item = ring_empty(&queue->due) ? queue->due_last.next : queue->due.next;
        if (item == &queue->due_last)
            break;
        loop_deferred_cancel(item);
        item->turn = queue->turn;
        item->run(item->arg);
    }
    queue->running = false;
}
