/* gpu_lock_test.c - many processes that take pretended GPUs, some of them
 * killed: never two holders, everybody is served, in order. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"
#include "base/msg.h"
#include "lockd/acquire.h"

enum { GPUS = 8, PROCESSES = 32, MOST = 4, LIVES = 1024 /* processes ever started */ };

struct shared {
    _Atomic int owner[GPUS];         /* a process's number, from 1; 0: nobody */
    _Atomic int doomed[LIVES];       /* about to be killed, or dead */
    _Atomic int both, served, failed;
    _Atomic long arrived, overtaken[LIVES], arrival[LIVES];   /* arrival: 0, or the number of one that comes after it */
    _Atomic long worst;
    double freed, taken;
};
static struct shared *sh;
static char folder[256];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) * n >> 31);
}

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* The ticket is drawn: who arrives from now on comes after this one. */
static void has_to_wait(void *ctx, int ahead)
{
    int self = *(int *)ctx;
    (void)ahead;
    atomic_store(&sh->overtaken[self], 0);
    atomic_store(&sh->arrival[self], 1 + atomic_load(&sh->arrived));
}

/* One request: takes, checks that it is alone, holds, gives back. */
static void request(struct sk_gpus *g, int self, uint64_t *state)
{
    struct sk_gpu_request r = {.any = 1 + (int)draw(state, MOST), .timeout = -1, .lock_dir = folder,
                               .waiting = has_to_wait, .ctx = &self};
    struct sk_grant grant;
    long number = 1 + atomic_fetch_add(&sh->arrived, 1);
    atomic_store(&sh->overtaken[self], 0);
    if (sk_gpus_acquire(g, &r, &grant) || grant.n != r.any) {
        atomic_fetch_add(&sh->failed, 1);
        return;
    }
    atomic_store(&sh->arrival[self], 0);
    for (int i = 0; i < LIVES; i++) {      /* whom did we overtake? */
        long other = atomic_load(&sh->arrival[i]);
        if (other && other <= number && !atomic_load(&sh->doomed[i])) atomic_fetch_add(&sh->overtaken[i], 1);
    }
    long mine = atomic_load(&sh->overtaken[self]), worst = atomic_load(&sh->worst);
    while (mine > worst && !atomic_compare_exchange_weak(&sh->worst, &worst, mine))
        ;
    for (int i = 0; i < grant.n; i++) {
        int before = atomic_exchange(&sh->owner[grant.gpu[i]], self);
        if (before && !atomic_load(&sh->doomed[before])) atomic_fetch_add(&sh->both, 1);
    }
    pause_us(draw(state, 1500));
    for (int i = 0; i < grant.n; i++) {
        int expected = self;
        if (!atomic_compare_exchange_strong(&sh->owner[grant.gpu[i]], &expected, 0)) atomic_fetch_add(&sh->both, 1);
    }
    sk_grant_release(&grant);
    atomic_fetch_add(&sh->served, 1);
}

static pid_t start(struct sk_gpus *g, int self, int requests, uint64_t seed)
{
    pid_t pid = fork();
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < requests; i++) request(g, self, &seed);
    _exit(0);
}

static void stress(struct sk_gpus *g)
{
    int each = getenv("SK_LONG") ? 1000 : 30, kills = getenv("SK_LONG") ? 500 : 40, running = PROCESSES;
    pid_t pid[PROCESSES];
    int life[PROCESSES], lives = 0;
    uint64_t state = 11;
    for (int i = 0; i < PROCESSES; i++) pid[i] = start(g, life[i] = ++lives, each, (uint64_t)i * 977 + 5);
    while (running > 0) {
        pause_us(1000 + draw(&state, 4000));
        if (kills > 0) {
            int i = (int)draw(&state, PROCESSES);
            if (pid[i]) {
                atomic_store(&sh->doomed[life[i]], 1);
                kill(pid[i], SIGKILL);
                waitpid(pid[i], NULL, 0);
                pid[i] = start(g, life[i] = ++lives, each / 2, state);
                kills--;
            }
        }
        for (int i = 0; i < PROCESSES; i++)
            if (pid[i] && waitpid(pid[i], NULL, WNOHANG) == pid[i]) {
                pid[i] = 0;
                running--;
            }
    }
    is_int(atomic_load(&sh->both), 0, "no GPU ever had two holders");
    is_int(atomic_load(&sh->failed), 0, "no request failed");
    ok(atomic_load(&sh->served) > PROCESSES * each / 4, "%d requests were served", atomic_load(&sh->served));
    ok(atomic_load(&sh->worst) <= 32, "nobody was overtaken more than 32 times: %ld", atomic_load(&sh->worst));
}

/* From a GPU's release to the first in line having it. */
static void reaction(struct sk_gpus *g)
{
    enum { ROUNDS = 15 };
    int quick = 0, slow = 0;
    struct sk_gpu_request all = {.any = GPUS, .timeout = -1, .lock_dir = folder}, one = all;
    one.any = 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct sk_grant grant;
        if (sk_gpus_acquire(g, &all, &grant)) break;
        sh->taken = 0;
        pid_t pid = fork();
        if (!pid) {
            for (int k = 0; k < grant.n; k++) close(grant.fd[k]);
            struct sk_grant own;
            if (sk_gpus_acquire(g, &one, &own) == 0) sh->taken = now();
            _exit(0);
        }
        pause_us(60000 + 10000 * i);
        sh->freed = now();
        sk_grant_release(&grant);
        waitpid(pid, NULL, 0);
        quick += sh->taken > sh->freed && sh->taken - sh->freed < 0.02;
        slow += !(sh->taken > 0) || sh->taken - sh->freed > 0.5;
    }
    ok(quick > (getenv("SK_LONG") ? ROUNDS / 2 : 0), "a free GPU is taken within 20 ms: %d of %d times", quick, ROUNDS);
    is_int(slow, 0, "never much later");
}

/* A request for all is served though small ones never stop coming. */
static void large(struct sk_gpus *g)
{
    pid_t pid[6];
    for (int i = 0; i < 6; i++) pid[i] = start(g, i + 1, 1000000, (uint64_t)i + 77);
    struct sk_gpu_request all = {.any = GPUS, .timeout = 20, .lock_dir = folder};
    for (int i = 0; i < 5; i++) {
        struct sk_grant grant;
        pause_us(20000);
        int r = sk_gpus_acquire(g, &all, &grant);
        ok(r == 0 && grant.n == GPUS, "all at once among small requests%s%s", r ? ": " : "", r ? sk_fail_message() : "");
        if (!r) sk_grant_release(&grant);
    }
    for (int i = 0; i < 6; i++) kill(pid[i], SIGKILL);
    for (int i = 0; i < 6; i++) waitpid(pid[i], NULL, 0);
}

int main(void)
{
    struct sk_gpus g;
    snprintf(folder, sizeof folder, "%s", temp_folder());
    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED) return 1;
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("SK_LOCKED");
    unsetenv("SLURM_JOB_GPUS");
    unsetenv("SLURM_STEP_GPUS");
    setenv("SK_GPUS", "g0,g1,g2,g3,g4,g5,g6,g7", 1);
    if (sk_gpus_find(&g)) return sk_die();
    is_int(g.n, GPUS, "pretended GPUs");
    stress(&g);
    memset(sh, 0, sizeof *sh);
    large(&g);
    reaction(&g);
    sk_gpus_free(&g);
    return done_testing();
}
