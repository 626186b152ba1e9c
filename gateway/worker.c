#include "gateway/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct worker_job *first, **end;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t mutex; // over what follows, up to wake
    pthread_cond_t filled;
    struct queue urgent, normal, ready;
    size_t count; // submitted, and `done` not called
    bool stopping;

    size_t max;
    int wake; // eventfd: something is ready
    struct event *event;
};

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_put(struct queue *queue, struct worker_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct worker_job *queue_take(struct queue *queue)
{
    struct worker_job *job = queue->first;
    if (job == NULL)
        return NULL;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return job;
}

// Waits for a job; NULL when there will be none.
static struct worker_job *next_job(struct worker *worker)
{
    struct worker_job *job;
    while ((job = queue_take(&worker->urgent)) == NULL && (job = queue_take(&worker->normal)) == NULL) {
        if (worker->stopping)
            return NULL;
        pthread_cond_wait(&worker->filled, &worker->mutex);
    }
    return job;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    const uint64_t one = 1;
    struct worker_job *job;
    pthread_mutex_lock(&worker->mutex);
    while ((job = next_job(worker)) != NULL) {
        pthread_mutex_unlock(&worker->mutex);
        job->run(job);
        pthread_mutex_lock(&worker->mutex);
        queue_put(&worker->ready, job);
        // It fails only when the counter is full, and then the loop will wake up all the same.
        ssize_t written = write(worker->wake, &one, sizeof one);
        (void)written;
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

static void finish(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    struct worker_job *job = worker->ready.first;
    queue_init(&worker->ready);
    for (const struct worker_job *each = job; each != NULL; each = each->next)
        worker->count--;
    pthread_mutex_unlock(&worker->mutex);
    while (job != NULL) {
        struct worker_job *next = job->next;
        job->done(job);
        job = next;
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
    finish(arg);
}

// Signals are the loop's.
static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

struct worker *worker_new(struct loop *loop, size_t max_jobs)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;
    queue_init(&worker->urgent);
    queue_init(&worker->normal);
    queue_init(&worker->ready);
    worker->max = max_jobs;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->filled, NULL);
    worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (worker->wake < 0)
        goto fail;
    worker->event = event_new(loop_base(loop), worker->wake, EV_READ | EV_PERSIST, on_wake, worker);
    if (worker->event == NULL || event_add(worker->event, NULL) != 0 || start_thread(worker) != 0)
        goto fail;
    return worker;

fail:
    if (worker->event != NULL)
        event_free(worker->event);
    if (worker->wake >= 0)
        close(worker->wake);
    pthread_cond_destroy(&worker->filled);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
    return NULL;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_signal(&worker->filled);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    finish(worker);
    event_free(worker->event);
    close(worker->wake);
    pthread_cond_destroy(&worker->filled);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
    int err = ERR_FULL;
    pthread_mutex_lock(&worker->mutex);
    if (worker->count < worker->max && !worker->stopping) {
        worker->count++;
        queue_put(job->urgent ? &worker->urgent : &worker->normal, job);
        pthread_cond_signal(&worker->filled);
        err = 0;
    }
    pthread_mutex_unlock(&worker->mutex);
    return err;
}
