#include "lockd/acquire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/path.h"
#include "lockd/files.h"

#define QUEUE_FILE "sk-gpu.queue"
static const char locked_by_parent[] = "SK_LOCKED";

struct wanted { int gpu, fd, named, ours; };
struct attempt {
    struct sk_gpus *g;
    const struct sk_gpu_request *r;
    char *dir;
    int queue, inotify;
    int64_t ticket;                  /* 0: none yet */
    int n, any_left, named_left;
    struct wanted *w;                /* (n) */
    double deadline;                 /* < 0: none */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char *file_name(const struct sk_gpu *gpu)
{
    return sk_xprintf("sk-gpu.%s", gpu->name);
}

static int open_gpu(const char *dir, const struct sk_gpu *gpu, int create)
{
    char *name = file_name(gpu);
    int fd = sk_lock_file(dir, name, create);
    free(name);
    return fd;
}

/* --- GPUs that need no lock ----------------------------------------------------- */

static int in_list(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = list; s; s = strchr(s, ',')) {
        s += *s == ',';
        if (!strncmp(s, name, n) && (s[n] == ',' || !s[n])) return 1;
    }
    return 0;
}

/* Said by the environment, and believed only while the lock is held. */
static int held_by_parent(const struct sk_gpu *gpu, const char *dir)
{
    const char *list = getenv(locked_by_parent);
    int fd, held;
    if (!list || !in_list(list, gpu->name) || (fd = open_gpu(dir, gpu, 0)) < 0) return 0;
    held = sk_byte_held(fd, SK_BYTE_GPU, SK_BYTE_GPU);
    close(fd);
    return held;
}

/* --- waiting ---------------------------------------------------------------------- */

/* Sleeps until something closes one of the files, or for `seconds`. */
static void sleep_for(struct attempt *a, double seconds)
{
    char events[4096];
    double left = a->deadline - now();
    struct pollfd p = {.fd = a->inotify, .events = POLLIN};
    if (a->deadline >= 0 && left < seconds) seconds = left > 0 ? left : 0;
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    if (ppoll(&p, a->inotify >= 0, &t, NULL) > 0)
        while (read(a->inotify, events, sizeof events) > 0)
            ;
}

/* How long to sleep after a look that changed nothing: soon again at first,
 * since a file's close is told a moment before its locks go. */
static double next_pause(const struct attempt *a, double pause)
{
    double most = a->inotify >= 0 ? 0.25 : 0.05;
    return pause * 2 < most ? pause * 2 : most;
}

static int out_of_time(const struct attempt *a)
{
    return a->deadline >= 0 && now() >= a->deadline;
}

/* --- one attempt ------------------------------------------------------------------ */

/* Our place in all queues: after everybody who waits now. */
static int draw_ticket(struct attempt *a)
{
    double pause = 0.0005;
    int got;
    while ((got = sk_byte_lock(a->queue, SK_BYTE_DRAW)) == 0) {
        if (out_of_time(a)) return sk_fail(SK_EXIT_TEMP, "timeout: the queue in %s stays locked", a->dir);
        sleep_for(a, pause);
        pause = next_pause(a, pause);
    }
    if (got < 0) return -1;
    int64_t ticket = sk_byte_highest(a->queue, 1) + 1;
    /* Also after what somebody else's program may have put into a GPU's queue. */
    for (int i = 0; i < a->n; i++) {
        int64_t highest = sk_byte_highest(a->w[i].fd, 1);
        if (highest >= ticket) ticket = highest + 1;
    }
    got = ticket == INT64_MAX ? sk_fail(SK_EXIT_TEMP, "the queue in %s is locked to its end", a->dir)
                              : sk_byte_lock(a->queue, ticket);
    for (int i = 0; i < a->n && got == 1; i++) got = sk_byte_lock(a->w[i].fd, ticket);
    sk_byte_unlock(a->queue, SK_BYTE_DRAW);
    if (got == 0) return sk_fail(SK_EXIT_TEMP, "the queue in %s is locked by a stranger", a->dir);
    a->ticket = ticket;
    return got < 0 ? -1 : 0;
}

/* Nobody waits any longer for what we no longer want. */
static void give_up_rest(struct attempt *a)
{
    for (int i = 0; i < a->n; i++)
        if (!a->w[i].named && !a->w[i].ours && a->w[i].fd >= 0) {
            close(a->w[i].fd);
            a->w[i].fd = -1;
        }
}

/* Takes what is our turn and free. 1: all that is wanted, 0, -1. */
static int take(struct attempt *a)
{
    for (int i = 0; i < a->n; i++) {
        struct wanted *w = &a->w[i];
        const struct sk_gpu *gpu = &a->g->gpu[w->gpu];
        if (w->ours || w->fd < 0) continue;
        if (gpu->processes > 0 && !a->r->ignore_busy) continue;
        if (sk_byte_held(w->fd, 1, a->ticket - 1)) continue;
        int got = sk_byte_lock(w->fd, SK_BYTE_GPU);
        if (got < 0) return -1;
        if (!got) continue;
        w->ours = 1;
        if (w->named) a->named_left--;
        else a->any_left--;
        sk_lock_sign(w->fd, a->r->command);
        if (!w->named && !a->any_left) give_up_rest(a);
    }
    return !a->any_left && !a->named_left;
}

/* Requests before ours that some GPU we want is kept for. */
static int ahead(const struct attempt *a)
{
    return sk_byte_count(a->queue, 1, 10000) - sk_byte_count(a->queue, a->ticket + 1, 10000);
}

static int timed_out(const struct attempt *a)
{
    int busy = 0, locked = 0;
    for (int i = 0; i < a->n; i++) {
        if (a->w[i].ours || a->w[i].fd < 0) continue;
        if (sk_byte_held(a->w[i].fd, SK_BYTE_GPU, SK_BYTE_GPU)) locked++;
        else if (a->g->gpu[a->w[i].gpu].processes > 0) busy++;
    }
    return sk_fail(SK_EXIT_TEMP, "%s: %d more of %d GPUs wanted: %d locked, %d busy with processes that hold no lock "
                   "(--ignore-busy takes those), %d requests before this one; sk-lock --list shows who has them",
                   a->r->timeout > 0 ? "timeout" : "not free", a->any_left + a->named_left, a->n, locked, busy,
                   ahead(a));
}

/* From now on closes are told. Only once it has to wait: the kernel takes 10 ms
 * and more to close what watches files. */
static void watch(struct attempt *a)
{
    a->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (int i = 0; i < a->n && a->inotify >= 0; i++) {
        char *name = file_name(&a->g->gpu[a->w[i].gpu]), *path = sk_path_join(a->dir, name);
        inotify_add_watch(a->inotify, path, IN_CLOSE_WRITE);
        free(name);
        free(path);
    }
}

static int wait_for_all(struct attempt *a)
{
    double pause = 0.001, refreshed = now();
    int got, told = 0;
    while ((got = take(a)) == 0) {
        if (out_of_time(a)) return timed_out(a);
        if (!told) {
            if (a->r->waiting) a->r->waiting(a->r->ctx, ahead(a));
            told = 1;
            watch(a);
            continue;                /* what became free before that was not told */
        }
        int before = a->any_left + a->named_left;
        sleep_for(a, pause);
        pause = next_pause(a, pause);
        if (now() - refreshed > 1) {
            sk_gpus_refresh(a->g);
            refreshed = now();
        }
        if (a->any_left + a->named_left != before) pause = 0.001;
    }
    return got < 0 ? -1 : 0;
}

static int open_files(struct attempt *a)
{
    a->dir = sk_lock_dir(a->r->lock_dir);
    if (!a->dir || (a->queue = sk_lock_file(a->dir, QUEUE_FILE, 1)) < 0) return -1;
    for (int i = 0; i < a->n; i++) {
        struct wanted *w = &a->w[i];
        if ((w->fd = open_gpu(a->dir, &a->g->gpu[w->gpu], 1)) < 0) return -1;
    }
    return 0;
}

/* Leaves the queues, and gives up what was not wanted in the end (all = 1: everything). */
static void leave(struct attempt *a, int all)
{
    for (int i = 0; i < a->n; i++) {
        if (a->w[i].fd < 0) continue;
        if (a->ticket) sk_byte_unlock(a->w[i].fd, a->ticket);
        if (all || !a->w[i].ours) close(a->w[i].fd);
    }
    if (a->queue >= 0) close(a->queue);
    if (a->inotify >= 0) close(a->inotify);
}

/* --- the whole ---------------------------------------------------------------------- */

static void grant_add(struct sk_grant *grant, int gpu, int fd)
{
    int at = grant->n++;
    grant->gpu = sk_xrealloc(grant->gpu, (size_t)grant->n, sizeof *grant->gpu);
    grant->fd = sk_xrealloc(grant->fd, (size_t)grant->n, sizeof *grant->fd);
    for (; at > 0 && grant->gpu[at - 1] > gpu; at--) {
        grant->gpu[at] = grant->gpu[at - 1];
        grant->fd[at] = grant->fd[at - 1];
    }
    grant->gpu[at] = gpu;
    grant->fd[at] = fd;
}

/* What is there anyway goes to the grant, the rest to the attempt. */
static void sort_out(struct attempt *a, const char *dir, struct sk_grant *grant)
{
    const struct sk_gpu_request *r = a->r;
    a->any_left = r->any;
    for (int pass = 0; pass < 2; pass++)     /* those named first */
        for (int i = 0; i < a->g->n; i++) {
            int named = r->named && r->named[i];
            if (named == pass || (!named && !a->any_left)) continue;
            int given = r->no_locks || a->g->scheduled || held_by_parent(&a->g->gpu[i], dir);
            if (given) {
                grant_add(grant, i, -1);
                a->any_left -= !named;
            } else if (named) {
                a->named_left++;
            }
        }
    for (int i = 0; i < a->g->n; i++) {
        int named = r->named && r->named[i], had = 0;
        for (int k = 0; k < grant->n; k++) had |= grant->gpu[k] == i;
        if (!had && (named || a->any_left)) a->w[a->n++] = (struct wanted){i, -1, named, 0};
    }
}

int sk_gpus_acquire(struct sk_gpus *g, const struct sk_gpu_request *r, struct sk_grant *grant)
{
    struct attempt a = {.g = g, .r = r, .queue = -1, .inotify = -1,
                        .deadline = r->timeout < 0 ? -1 : now() + r->timeout};
    int total = r->any, result = 0;
    *grant = (struct sk_grant){.no_locks = r->no_locks};
    for (int i = 0; i < g->n; i++) total += r->named && r->named[i];
    if (total > g->n)
        return sk_fail(SK_EXIT_NO, "%d GPUs are wanted, this process sees %d (CUDA_VISIBLE_DEVICES may hide some)", total,
                       g->n);
    a.w = sk_xcalloc((size_t)g->n + 1, sizeof *a.w);
    char *dir = r->no_locks ? NULL : sk_lock_dir(r->lock_dir);
    if (!dir && !r->no_locks) {
        free(a.w);
        return -1;
    }
    sort_out(&a, dir, grant);
    free(dir);
    if (a.named_left + a.any_left > 0) {
        result = open_files(&a) || draw_ticket(&a) || wait_for_all(&a) ? -1 : 0;
        leave(&a, result < 0);
        for (int i = 0; i < a.n && !result; i++)
            if (a.w[i].ours) grant_add(grant, a.w[i].gpu, a.w[i].fd);
    }
    free(a.dir);
    free(a.w);
    if (result < 0) sk_grant_release(grant);
    return result;
}

void sk_grant_export(const struct sk_gpus *g, const struct sk_grant *grant)
{
    struct sk_str names = {0};
    sk_str_add(&names, "", 0);
    for (int i = 0; i < grant->n; i++) {
        sk_str_printf(&names, "%s%s", i ? "," : "", g->gpu[grant->gpu[i]].name);
        if (grant->fd[i] >= 0) fcntl(grant->fd[i], F_SETFD, 0);
    }
    setenv("CUDA_VISIBLE_DEVICES", names.text, 1);
    if (!grant->no_locks) setenv(locked_by_parent, names.text, 1);
    if (g->pretended) setenv("SK_GPUS", names.text, 1);
    sk_str_free(&names);
}

void sk_grant_release(struct sk_grant *grant)
{
    for (int i = 0; i < grant->n; i++)
        if (grant->fd[i] >= 0) close(grant->fd[i]);
    free(grant->gpu);
    free(grant->fd);
    *grant = (struct sk_grant){0};
}

int sk_gpu_look(const struct sk_gpu *gpu, const char *lock_dir, enum sk_gpu_state *state, struct sk_lock_note *note,
                int *waiting)
{
    char *dir = sk_lock_dir(lock_dir);
    *note = (struct sk_lock_note){0};
    *waiting = 0;
    *state = gpu->processes > 0 ? SK_GPU_BUSY : SK_GPU_FREE;
    if (!dir) return -1;
    int fd = open_gpu(dir, gpu, 0), why = errno;
    free(dir);
    if (fd < 0) return why == ENOENT ? 0 : -1;
    *waiting = sk_byte_count(fd, 1, 10000);
    if (sk_byte_held(fd, SK_BYTE_GPU, SK_BYTE_GPU)) {
        *state = SK_GPU_LOCKED;
        sk_lock_note(fd, note);
    }
    close(fd);
    return 0;
}
