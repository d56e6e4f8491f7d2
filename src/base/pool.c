#include "base/pool.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

enum { SPINS = 4000 };      /* some tens of microseconds */

struct sk_pool {
    int threads, spins;
    pthread_t *thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint round;               /* counts jobs; workers wait for the next */
    atomic_int next, working, quit;
    int asleep;                      /* under lock */
    int parts;
    void (*job)(void *, int, int);
    void *ctx;
};
struct worker { struct sk_pool *pool; int number; };

static void pause_cpu(void) { __builtin_ia32_pause(); }

static void work(struct sk_pool *p, int thread)
{
    int part;
    while ((part = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->parts)
        p->job(p->ctx, part, thread);
}

static void *run(void *arg)
{
    struct worker w = *(struct worker *)arg;
    struct sk_pool *p = w.pool;
    free(arg);
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < p->spins && atomic_load_explicit(&p->round, memory_order_acquire) == seen; i++) pause_cpu();
        if (atomic_load_explicit(&p->round, memory_order_acquire) == seen) {
            pthread_mutex_lock(&p->lock);
            p->asleep++;
            while (atomic_load(&p->round) == seen) pthread_cond_wait(&p->wake, &p->lock);
            p->asleep--;
            pthread_mutex_unlock(&p->lock);
        }
        if (atomic_load(&p->quit)) return NULL;
        seen++;
        work(p, w.number);
        atomic_fetch_sub_explicit(&p->working, 1, memory_order_release);
    }
}

struct sk_pool *sk_pool_new(int threads)
{
    struct sk_pool *p = sk_xcalloc(1, sizeof *p);
    SK_ENSURE(threads >= 1);
    p->threads = threads;
    p->spins = threads <= sk_cpu_count() ? SPINS : 0;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->thread = sk_xcalloc((size_t)threads, sizeof *p->thread);
    for (int i = 1; i < threads; i++) {
        struct worker *w = sk_xmalloc(sizeof *w);
        *w = (struct worker){p, i};
        int e = pthread_create(&p->thread[i], NULL, run, w);
        if (e) {
            sk_fail(SK_EXIT_TEMP, "cannot start thread %d of %d: %s", i + 1, threads, strerror(e));
            exit(sk_die());
        }
    }
    return p;
}

static void start(struct sk_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
    if (p->asleep) pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void sk_pool_free(struct sk_pool *p)
{
    if (!p) return;
    atomic_store(&p->quit, 1);
    start(p);
    for (int i = 1; i < p->threads; i++) pthread_join(p->thread[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->thread);
    free(p);
}

int sk_pool_threads(const struct sk_pool *p) { return p->threads; }

void sk_pool_run(struct sk_pool *p, int parts, void (*job)(void *, int, int), void *ctx)
{
    if (parts <= 1 || p->threads == 1) {
        for (int i = 0; i < parts; i++) job(ctx, i, 0);
        return;
    }
    p->job = job;
    p->ctx = ctx;
    p->parts = parts;
    atomic_store(&p->next, 0);
    atomic_store(&p->working, p->threads - 1);
    start(p);
    work(p, 0);
    for (int i = 0; atomic_load_explicit(&p->working, memory_order_acquire); i++)
        if (i < p->spins) pause_cpu();
        else sched_yield();
}

/* The quota of a control group in whole CPUs, 0 if there is none. */
static int quota(void)
{
    long long most, period;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    int n = 0;
    if (f) {
        if (fscanf(f, "%lld %lld", &most, &period) == 2 && most > 0 && period > 0)
            n = (int)((most + period - 1) / period);
        fclose(f);
    }
    return n;
}

int sk_cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1, q = quota();
    if (q > 0 && q < n) n = q;
    return n > 0 ? n : 1;
}
