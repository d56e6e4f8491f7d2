/* pool.h - threads that share out the parts of one job.
 *
 * A job has `parts` independent parts; which thread runs which part is not
 * defined, so parts must not depend on it (results never may). Workers spin
 * briefly, then sleep. With one thread everything runs in the caller.
 */
#ifndef SK_BASE_POOL_H
#define SK_BASE_POOL_H
struct sk_pool;
struct sk_pool *sk_pool_new(int threads);       /* threads >= 1 */
void sk_pool_free(struct sk_pool *p);
int sk_pool_threads(const struct sk_pool *p);
/* Runs job(ctx, part, thread) for each part in 0..parts-1 (thread is in
 * 0..threads-1, for scratch memory); returns when all are done. */
void sk_pool_run(struct sk_pool *p, int parts, void (*job)(void *ctx, int part, int thread), void *ctx);
/* CPUs this process may use (affinity, cgroup quota). */
int sk_cpu_count(void);
#endif
