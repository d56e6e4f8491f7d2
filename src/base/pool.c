/* pool.c - threads that share out the parts of one job.
 *
 * `left` is the number of parts nobody has taken: a part is taken by
 * lowering it by one. What the job is may be read only after that, because a
 * job with a part in hand is not over, and so its description is not being
 * rewritten. `done` counts finished parts; the caller returns at the last.
 * Threads that find nothing to do look again for SPIN_NS, then sleep in the
 * kernel on `left`; so does the caller on `done`.
 */
#include "base/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"

enum { SPIN_NS = 50000, PAUSES = 16 };

struct worker { struct sk_pool *pool; pthread_t id; int thread; };

struct sk_pool {
    /* each on a cache line of its own: they are written by many */
    _Alignas(64) _Atomic uint32_t left;
    _Alignas(64) _Atomic uint32_t done;
    _Alignas(64) _Atomic int sleepers, waiting, stop, busy;
    _Alignas(64) void (*job)(void *ctx, int part, int thread);
    void *ctx;
    int parts;
    int threads, spin;
    struct worker *workers;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int threads)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Takes and runs parts until there are none left to take. */
static void take_parts(struct sk_pool *p, int thread)
{
    uint32_t left = atomic_load(&p->left);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&p->left, &left, left - 1))
            continue;
        uint32_t parts = (uint32_t)p->parts;
        p->job(p->ctx, (int)(parts - left), thread);
        if (atomic_fetch_add(&p->done, 1) + 1 == parts && atomic_load(&p->waiting))
            futex_wake(&p->done, 1);
        left = atomic_load(&p->left);
    }
}

/* Looks at word for a short while; 1 as soon as it differs from value
 * (or equals it, if `until` is set). */
static int spin(const struct sk_pool *p, _Atomic uint32_t *word, uint32_t value, int until)
{
    if (!p->spin)
        return (atomic_load(word) == value) == until;
    int64_t end = nanoseconds() + SPIN_NS;
    do {
        for (int i = 0; i < PAUSES; i++) {
            if ((atomic_load(word) == value) == until)
                return 1;
            relax();
        }
    } while (nanoseconds() < end);
    return 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sk_pool *p = w->pool;
    while (!atomic_load(&p->stop)) {
        take_parts(p, w->thread);
        if (spin(p, &p->left, 0, 0))
            continue;
        /* Counted before the kernel compares: who publishes a job either
         * sees the sleeper or is seen by it. */
        atomic_fetch_add(&p->sleepers, 1);
        if (!atomic_load(&p->stop))
            futex_wait(&p->left, 0);
        atomic_fetch_sub(&p->sleepers, 1);
    }
    return NULL;
}

struct sk_pool *sk_pool_new(int threads)
{
    SK_ENSURE(threads >= 1);
    struct sk_pool *p = sk_xaligned(sizeof *p);
    p->threads = 1;
    /* Who waits spinning for a thread that has no CPU keeps it from getting one. */
    p->spin = threads <= sk_cpu_count();
    p->workers = sk_xcalloc((size_t)threads, sizeof *p->workers);
    /* Signals are for the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 1; i < threads; i++) {
        struct worker *w = &p->workers[i];
        *w = (struct worker){.pool = p, .thread = i};
        int failed = pthread_create(&w->id, NULL, work, w);
        if (failed) {
            sk_warn("cannot start thread %d of %d (%s): going on with %d", i + 1, threads, strerror(failed), i);
            break;
        }
        p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

void sk_pool_free(struct sk_pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, 1);
    /* A worker counts itself before it looks at `stop` a last time: once none
     * is counted, none will sleep any more. */
    for (int i = 1; i < p->threads; i++) {
        while (atomic_load(&p->sleepers) > 0) {
            futex_wake(&p->left, p->threads);
            relax();
        }
        pthread_join(p->workers[i].id, NULL);
    }
    free(p->workers);
    free(p);
}

int sk_pool_threads(const struct sk_pool *p)
{
    return p->threads;
}

void sk_pool_run(struct sk_pool *p, int parts, void (*job)(void *ctx, int part, int thread), void *ctx)
{
    if (p->threads == 1 || parts == 1) {
        for (int i = 0; i < parts; i++)
            job(ctx, i, 0);
        return;
    }
    if (parts < 1)
        return;
    SK_ENSURE(!atomic_exchange(&p->busy, 1));   /* jobs do not start jobs */
    p->job = job;
    p->ctx = ctx;
    p->parts = parts;
    atomic_store(&p->done, 0);
    atomic_store(&p->left, (uint32_t)parts);
    int sleepers = atomic_load(&p->sleepers);
    if (sleepers > 0)
        futex_wake(&p->left, sleepers < parts - 1 ? sleepers : parts - 1);
    take_parts(p, 0);
    if (!spin(p, &p->done, (uint32_t)parts, 1)) {
        atomic_store(&p->waiting, 1);
        uint32_t done;
        while ((done = atomic_load(&p->done)) != (uint32_t)parts)
            futex_wait(&p->done, done);
        atomic_store(&p->waiting, 0);
    }
    atomic_store(&p->busy, 0);
}
