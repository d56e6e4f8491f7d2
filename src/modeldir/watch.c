/* watch.c - evaluating what appears. */
#include "modeldir/watch.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/notify.h"
#include "modeldir/claim.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "modeldir/scan.h"

/* Attempts at a checkpoint when training has finished; the first pause after
 * one, in polls, which doubles, and the longest. */
enum { ATTEMPTS = 3, PAUSE = 10, LONGEST = 640 };

struct attempts { int checkpoint, failed; double pause, again; /* clock */ };
struct watch {
    const char *dir;
    const struct sk_watch_options *o;
    int notify;
    struct sk_scan now;
    struct attempts *tried;          /* checkpoints that have failed here */
    int n_tried;
    int *merged, n_merged;           /* known to be in `metrics`, ascending */
    int evaluated, code;             /* how many; exit code of the last failure */
    double active;                   /* clock when something last happened */
    int newest, last;                /* checkpoint; --once: the last one when it began */
};

/* Names that may mean work. */
static int wanted(const char *name)
{
    size_t n = strlen(name);
    return strncmp(name, "params.", 7) == 0 || (n > 5 && strcmp(name + n - 5, ".json") == 0) ||
        strcmp(name, SK_MD_METRICS) == 0 || strcmp(name, SK_MD_FINISHED) == 0 || strcmp(name, SK_MD_EVAL) == 0;
}

/* While the directory is not there yet. */
static int any(const char *name)
{
    (void)name;
    return 1;
}

/* The folder, its eval/, or what exists of the way to it. */
static void listen(struct watch *w)
{
    char *path = sk_path_join(w->dir, SK_MD_EVAL);
    sk_notify_add(w->notify, path);
    free(path);
    path = sk_xstrdup(w->dir);
    sk_notify_add(w->notify, path);
    while (!w->now.there && access(path, F_OK) < 0 && strcmp(path, ".") != 0 && strcmp(path, "/") != 0) {
        size_t n = strlen(path);
        while (n > 1 && path[n - 1] == '/')
            path[--n] = '\0';
        char *above = sk_path_dir(path);
        free(path);
        path = above;
        sk_notify_add(w->notify, path);
    }
    free(path);
}

static struct attempts *tried(const struct watch *w, int checkpoint)
{
    for (int i = 0; i < w->n_tried; i++)
        if (w->tried[i].checkpoint == checkpoint)
            return &w->tried[i];
    return NULL;
}

/* --- one checkpoint ------------------------------------------------------------- */

/* Of its record: 1 it serves; 2: and has nothing for `metrics`; 0 there is none, or
 * one of other parameters; -1. */
static int is_scored(const struct watch *w, int checkpoint)
{
    double value;
    int there = sk_evaluation_score(w->dir, checkpoint, "bleu-val", &value);
    return there > 0 && isnan(value) ? 2 : there;
}

/* In a process that dies with this one; its exit code, 128 + signal. */
static int evaluate(struct watch *w, int checkpoint, int claim)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        sk_fail_errno("cannot start a process for checkpoint %d", checkpoint);
        return sk_die();
    }
    if (child == 0) {
        /* SIGTERM, for it takes temporaries away. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(SK_EXIT_TEMP);
        int failed = w->o->evaluate(w->o->ctx, w->dir, checkpoint, claim, w->evaluated == 0);
        _exit(failed ? sk_die() : SK_EXIT_OK);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return SK_EXIT_BUG;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* While training goes on somebody may wait for its score: it is tried for ever. */
static int given_up_on(const struct watch *w, const struct attempts *a)
{
    return a->failed > 0 &&
        (w->o->once || w->o->stop_on_failure || (w->now.finished && a->failed >= ATTEMPTS));
}

static void note_failure(struct watch *w, int checkpoint, int code)
{
    struct attempts *a = tried(w, checkpoint);
    if (!a) {
        w->tried = sk_xrealloc(w->tried, (size_t)w->n_tried + 1, sizeof *w->tried);
        a = &w->tried[w->n_tried++];
        *a = (struct attempts){.checkpoint = checkpoint, .pause = PAUSE * w->o->poll / 2};
    }
    a->pause = fmin(2 * a->pause, LONGEST * w->o->poll);
    a->again = sk_now() + a->pause;
    a->failed++;
    w->code = code;
    char how[48];
    if (code > 128)
        snprintf(how, sizeof how, "ended by %s", strsignal(code - 128));
    else
        snprintf(how, sizeof how, "exit status %d", code);
    if (given_up_on(w, a))
        sk_warn("checkpoint %d could not be evaluated (%s): left to others", checkpoint, how);
    else
        sk_warn("checkpoint %d could not be evaluated (%s): again in %.3g seconds, if nobody else does it", checkpoint,
                how, a->pause);
}

/* 1: it was evaluated, or tried; 0: others have it, or it is gone; -1. */
static int take(struct watch *w, int checkpoint)
{
    int claim = sk_claim_take(w->dir, checkpoint);
    if (claim < 0)
        return errno == EAGAIN ? 0 : -1;
    /* Since the folder was listed it may have been done or withdrawn. */
    char *params = sk_md_checkpoint(w->dir, "params", checkpoint);
    int there = sk_file_exists(params), scored = is_scored(w, checkpoint), did = 0;
    if (there > 0 && scored <= 0) {
        int code = evaluate(w, checkpoint, claim);
        int gone = code && sk_file_exists(params) == 0;
        w->evaluated++;
        w->active = sk_now();
        if (code && !gone)
            note_failure(w, checkpoint, code);
        did = 1;
    }
    sk_claim_release(claim);
    free(params);
    return did;
}

/* --- one look at all of them ------------------------------------------------------ */

/* unmerged: a checkpoint; again: clock, INFINITY: never. */
struct look { int did, open, unmerged; double again; };

static void remember_merged(struct watch *w, const struct sk_metrics *t)
{
    w->n_merged = 0;
    w->merged = sk_xrealloc(w->merged, (size_t)w->now.params.n + 1, sizeof *w->merged);
    for (int i = 0; i < w->now.params.n; i++) {
        double value;
        if (sk_metrics_get(t, w->now.params.v[i], "bleu-val", &value))
            w->merged[w->n_merged++] = w->now.params.v[i];
    }
}

static int all_known(const struct watch *w)
{
    const struct sk_numbers merged = {w->merged, w->n_merged};
    for (int i = 0; i < w->now.params.n; i++)
        if (!sk_numbers_have(&merged, w->now.params.v[i]) && sk_numbers_have(&w->now.scored, w->now.params.v[i]))
            return 0;
    return 1;
}

/* Which checkpoints have their scores in `metrics`. It is read when that may
 * have changed, or matters. */
static int look_at_metrics(struct watch *w)
{
    struct sk_metrics t;
    if (!w->now.metrics || (!w->now.finished && all_known(w)))
        return 0;
    if (sk_metrics_load(&t, w->dir) < 0)
        return -1;
    remember_merged(w, &t);
    sk_metrics_free(&t);
    return 0;
}

/* A checkpoint without a record, or without its score in `metrics`. */
static int look_at(struct watch *w, int checkpoint, struct look *l)
{
    int scored = sk_numbers_have(&w->now.scored, checkpoint) ? is_scored(w, checkpoint) : 0;
    if (scored > 0) {
        if (scored == 1)
            l->unmerged = checkpoint;
        return 0;
    }
    const struct attempts *a = tried(w, checkpoint);
    if (a && given_up_on(w, a))
        return 0;
    l->open++;
    if (a && sk_now() < a->again) {
        l->again = fmin(l->again, a->again);
        return 0;
    }
    int did = take(w, checkpoint);
    l->did |= did > 0;
    return did < 0 ? -1 : 0;
}

/* Oldest first: who decides over checkpoints in their order waits for it. After
 * an evaluation the folder is another. */
static int look(struct watch *w, struct look *l)
{
    *l = (struct look){.again = INFINITY};
    sk_scan_free(&w->now);
    if (sk_scan_read(&w->now, w->dir) < 0 || look_at_metrics(w) < 0)
        return -1;
    const struct sk_numbers merged = {w->merged, w->n_merged}, *all = &w->now.params;
    if (all->n && all->v[all->n - 1] != w->newest) {
        w->newest = all->v[all->n - 1];
        w->active = sk_now();
    }
    if (!w->last)
        w->last = w->o->once ? w->newest : INT_MAX;
    for (int i = 0; i < all->n && !l->did && all->v[i] <= w->last; i++)
        if (!(sk_numbers_have(&merged, all->v[i]) && sk_numbers_have(&w->now.scored, all->v[i])) &&
            look_at(w, all->v[i], l) < 0)
            return -1;
    /* If a trainer lives it is left to that; if it worked, `metrics` is new. */
    return l->unmerged && !l->did && sk_evaluation_merge_now(w->dir, l->unmerged) < 0 ? -1 : 0;
}

static int given_up(const struct watch *w)
{
    for (int i = 0; i < w->n_tried; i++)
        if (given_up_on(w, &w->tried[i]) && sk_numbers_have(&w->now.params, w->tried[i].checkpoint) &&
            is_scored(w, w->tried[i].checkpoint) <= 0)
            return 1;
    return 0;
}

static int watch(struct watch *w)
{
    const struct sk_watch_options *o = w->o;
    int finished = 0;                /* was already at the look before */
    int said = 0;
    for (;;) {
        struct look l;
        listen(w);
        if (look(w, &l) < 0)
            return -1;
        if (o->once && !w->now.there)
            return sk_fail(SK_EXIT_NOINPUT, "%s: there is no such folder", w->dir);
        if (!w->now.there && !said++)
            sk_info("waiting for %s, which is not there yet", w->dir);
        if (o->stop_on_failure && given_up(w))
            return w->code;
        if (l.did)
            continue;
        /* What was listed with `finished` may have been listed before it. */
        if (o->once || (finished && w->now.finished && !l.open && !l.unmerged))
            return given_up(w) ? w->code : SK_EXIT_OK;
        if (finished != w->now.finished) {
            finished = w->now.finished;
            continue;
        }
        double now = sk_now(), wait = fmin(o->poll, fmax(l.again - now, 0.001));
        if (o->idle > 0 && now - w->active >= o->idle) {
            sk_info("no new checkpoint for %g seconds: this is the end", o->idle);
            return SK_EXIT_OK;
        }
        if (o->idle > 0)
            wait = fmin(wait, w->active + o->idle - now + 0.001);
        sk_live("%s: %d checkpoints, waiting for the next", w->dir, w->now.params.n);
        sk_notify_wait(w->notify, wait, w->now.there ? wanted : any);
    }
}

int sk_watch(const char *dir, const struct sk_watch_options *o)
{
    struct watch w = {.dir = dir, .o = o, .notify = sk_notify_open(), .active = sk_now()};
    int result = watch(&w);
    sk_notify_close(w.notify);
    sk_scan_free(&w.now);
    free(w.tried);
    free(w.merged);
    return result;
}
