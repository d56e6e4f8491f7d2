#include "train/beside.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "base/notify.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "modeldir/values.h"
#include "train/loop.h"
#include "train/signals.h"

/* Seconds: between two listings, for what other hosts do; between two looks
 * while waiting; until it is said again what is waited for, and at the end for the
 * first time; pauses before a watcher that died is started again. */
static const double poll_seconds = 1, wait_seconds = 0.02, say_seconds = 600, rest_seconds = 0.5, least_pause = 0.1, most_pause = 60;

static int wanted(const char *name)
{
    size_t n = strlen(name);
    return (n > 5 && strcmp(name + n - 5, ".json") == 0) || strcmp(name, SK_MD_EVAL) == 0;
}

/* --- results -------------------------------------------------------------------- */

static void say_score(const struct sk_trainer *t, const struct sk_metrics *table, int checkpoint)
{
    const char *const names[] = {"bleu-val", t->p->late};
    double value;
    for (int i = 0; i < 2; i++)
        if (names[i] && (i == 0 || strcmp(names[0], names[1]) != 0) &&
            sk_metrics_get(table, checkpoint, names[i], &value))
            sk_info("Checkpoint [%d]\tValidation-%.*s=%.6f", checkpoint, (int)strlen(names[i]) - 4, names[i], value);
}

/* What is new in the listing into the table: how many lines changed. A result
 * that cannot be read is said once and left. */
static int merge_new(const struct sk_trainer *t, const struct sk_scan *now, struct sk_metrics *table, int say)
{
    const struct sk_scan *before = &t->beside.now;
    const char *dir = t->o->output;
    int changed = 0;
    for (int i = 0; i < table->n; i++) {
        int n = table->line[i].checkpoint, one = 0, values = 0;
        if (sk_numbers_have(&now->scored, n) && !sk_numbers_have(&before->scored, n)) {
            one = sk_evaluation_merge_line(dir, table, n);
            if (one >= 0 && say)
                say_score(t, table, n);
        }
        if (sk_numbers_have(&now->values, n) && !sk_numbers_have(&before->values, n))
            values = sk_values_merge(dir, table, n);
        if (one < 0 || values < 0)
            sk_warn("%s; it is not taken over", sk_fail_message());
        changed += one > 0 || values > 0;
    }
    return changed;
}

static int is_new(const struct sk_numbers *now, const struct sk_numbers *before)
{
    for (int i = now->n - 1; i >= 0; i--)
        if (!sk_numbers_have(before, now->v[i]))
            return 1;
    return 0;
}

/* It is tried every second, but need not be said so often. */
static void complain(struct sk_beside *b)
{
    if (b->complained > 0 && sk_clock() - b->complained < say_seconds)
        return;
    sk_warn("%s; scores are taken over later", sk_fail_message());
    b->complained = sk_clock();
}

/* Lists the folder and takes over what came. Nothing of it is needed to train: what
 * fails is said and tried again. */
static void take_over(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    struct sk_scan now;
    struct sk_metrics table = {0};
    char *eval = sk_path_join(t->o->output, SK_MD_EVAL);
    sk_notify_add(b->notify, eval);
    free(eval);
    int first = b->looked <= 0;
    b->looked = sk_clock();
    if (sk_scan_read(&now, t->o->output) < 0) {
        complain(b);
        return;
    }
    if (!t->checkpoints.follows && (is_new(&now.scored, &b->now.scored) || is_new(&now.values, &b->now.values))) {
        int failed = sk_metrics_load(&table, t->o->output) < 0;
        failed = failed || (merge_new(t, &now, &table, !first) > 0 && sk_metrics_save(&table, t->o->output) < 0) ||
            sk_checkpoints_link_best(&t->checkpoints, &t->state) < 0;
        if (!failed) {
            sk_events_begin(t->checkpoints.events, t->state.updates, &table);
            sk_events_metrics(t->checkpoints.events, &table);
        }
        sk_metrics_free(&table);
        if (failed) {
            complain(b);
            sk_scan_free(&now);
            return;
        }
    }
    sk_scan_free(&b->now);
    b->now = now;
}

/* --- our own watcher -------------------------------------------------------------- */

/* A checkpoint that nobody has scored. */
static int unscored(const struct sk_beside *b)
{
    return is_new(&b->now.params, &b->now.scored);
}

static int start_watcher(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    char self[PATH_MAX], threads[16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return sk_fail_errno("cannot read /proc/self/exe");
    self[n] = '\0';
    char *folder = sk_path_dir(self), *path = sk_path_join(folder, "sk-bleu-eval"), *argv[16];
    int k = 0;
    snprintf(threads, sizeof threads, "%d", t->o->threads);
    /* How many sentences stands in args. */
    const char *const words[] = {path, t->o->output, "--watch", "--quiet", "--threads", threads};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        argv[k++] = (char *)words[i];
    if (t->o->use_cpu)
        argv[k++] = (char *)"--use-cpu";
    if (t->o->stop_on_failure)
        argv[k++] = (char *)"--stop-on-failure";
    argv[k] = NULL;
    int result = access(path, X_OK) < 0 ? sk_fail_errno("cannot run %s", path)
                                        : sk_child_start(&b->watcher, path, argv, environ, -1);
    b->started = sk_clock();
    free(path);
    free(folder);
    return result;
}

/* 0; -1: training is to stop for it. ended: of training. */
static int watcher_ended(struct sk_trainer *t, int ended)
{
    struct sk_beside *b = &t->beside;
    char how[64];
    double now = sk_clock();
    sk_child_how(&b->watcher, how);
    b->pause = now - b->started > most_pause || b->pause <= 0 ? least_pause : fmin(2 * b->pause, most_pause);
    b->restart = now + b->pause;
    int failed = b->watcher.status && !b->watcher.signal;
    if (failed && !ended && t->o->stop_on_failure) {
        b->failed = 1;
        return sk_fail(b->watcher.status > 128 ? SK_EXIT_TEMP : (enum sk_exit)b->watcher.status,
                       "a checkpoint could not be translated (%s): training stops, as "
                       "--stop-training-on-decoder-failure asks for; the same command goes on from here", how);
    }
    b->gave_up |= failed && ended;
    if (b->gave_up)
        sk_warn("the evaluation of checkpoints left some undone (%s)", how);
    else if (b->watcher.status)
        sk_warn("the evaluation of checkpoints has stopped (%s): it is started again in %.1f seconds", how, b->pause);
    return 0;
}

static int look_after_watcher(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    int ended = sk_trainer_stop_reason(t) != SK_STOP_NO;
    if (b->watcher.pid && sk_child_ended(&b->watcher) && !sk_signals_pending() && watcher_ended(t, ended) < 0)
        return -1;
    if (b->watcher.pid || b->gave_up || sk_signals_pending() || sk_clock() < b->restart || (ended && !unscored(b)))
        return 0;
    if (start_watcher(t) < 0) {
        sk_warn("%s: checkpoints are not evaluated by this process", sk_fail_message());
        b->gave_up = 1;
    }
    return 0;
}

/* --- what training calls -------------------------------------------------------------- */

int sk_beside_open(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    b->open = 1;
    b->notify = sk_notify_open();
    sk_notify_add(b->notify, t->o->output);
    take_over(t);
    if (t->p->late && !t->p->monitor)
        sk_info("Each checkpoint waits for the %s of the one before: sk-bleu-eval --watch %s must run somewhere",
                t->p->optimized, t->o->output);
    return 0;
}

static int look(struct sk_trainer *t, int listing)
{
    struct sk_beside *b = &t->beside;
    if (sk_notify_wait(b->notify, 0, wanted) || listing || sk_clock() - b->looked >= poll_seconds)
        take_over(t);
    /* Of several shards one does that. */
    if (t->checkpoints.follows)
        return 0;
    if (t->o->on_checkpoint && sk_command_look(t))
        take_over(t);
    return t->p->monitor ? look_after_watcher(t) : 0;
}

int sk_beside_look(struct sk_trainer *t)
{
    return look(t, 0);
}

static void say_waiting(const struct sk_trainer *t, int checkpoint, int again)
{
    char *claim = sk_md_eval(t->o->output, checkpoint, "claim"), *who = NULL, when[32];
    time_t since = (time_t)t->report.waiting_since;
    struct tm local;
    int held = sk_lock_held(claim, &who);
    localtime_r(&since, &local);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    sk_info("Checkpoint [%d]\t%s for its Validation-%s since %s; %s", checkpoint, again ? "still waiting" : "waiting",
            t->p->optimized, when, held > 0 ? who : t->p->monitor && !t->beside.gave_up ? "nobody works on it yet"
            : "nobody works on it: sk-bleu-eval --watch must run somewhere");
    free(who);
    free(claim);
}

/* Waits, and looks. -1: as sk_beside_look. */
static int wait_and_look(struct sk_trainer *t)
{
    int told = sk_notify_wait(t->beside.notify, wait_seconds, wanted);
    return look(t, told) < 0 || sk_shards_watch(t) < 0 ? -1 : 0;
}

int sk_beside_await(struct sk_trainer *t, int checkpoint, double *value)
{
    struct sk_report *r = &t->report;
    double said = 0;
    int got = 0;
    for (;;) {
        if (sk_numbers_have(&t->beside.now.scored, checkpoint))
            got = sk_evaluation_score(t->o->output, checkpoint, t->p->late, value);
        if (got || sk_signals_pending())
            break;
        if (!r->waiting || sk_clock() - said >= say_seconds) {
            int again = r->waiting != 0;
            if (!again) {
                r->waiting = checkpoint;
                r->waiting_since = (long long)time(NULL);
                sk_report_progress(r, &t->state);
            }
            say_waiting(t, checkpoint, again);
            said = sk_clock();
        }
        if (wait_and_look(t) < 0) {
            got = -1;
            break;
        }
    }
    if (r->waiting) {
        r->waiting = 0;
        sk_report_progress(r, &t->state);
    }
    if (got > 0 && isnan(*value))
        sk_warn("eval/%05d.json has no %s: it counts as no improvement", checkpoint, t->p->late);
    return got;
}

int sk_beside_settle(struct sk_trainer *t)
{
    double value;
    return t->p->late && t->state.now.checkpoint > 0 ? sk_beside_await(t, t->state.now.checkpoint, &value) : 1;
}

/* Training is done, but not all that runs beside it. */
static void say_rest(const struct sk_trainer *t)
{
    const struct sk_scan *now = &t->beside.now;
    int scores = 0, values = 0;
    for (int i = 0; i < now->params.n; i++) {
        scores += t->p->monitor && !sk_numbers_have(&now->scored, now->params.v[i]);
        values += t->o->on_checkpoint && !sk_numbers_have(&now->values, now->params.v[i]);
    }
    sk_info("Training is done; to come: scores of %d checkpoints, the command of --on-checkpoint for %d", scores, values);
}

int sk_beside_end(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    double start = sk_clock(), said = 0;
    if (t->checkpoints.follows || (!t->p->monitor && !t->o->on_checkpoint))
        return 1;
    take_over(t);
    while (b->watcher.pid || (t->p->monitor && !b->gave_up && unscored(b)) ||
           (t->o->on_checkpoint && sk_command_pending(t))) {
        if (sk_signals_pending())
            return 0;
        double now = sk_clock();
        if (now - start > rest_seconds && now - said > say_seconds) {
            say_rest(t);
            said = now;
        }
        if (wait_and_look(t) < 0)
            return -1;
    }
    /* What waited for its score may go now. */
    return sk_checkpoints_derive(&t->checkpoints, &t->state) < 0 ? -1 : 1;
}

void sk_beside_close(struct sk_trainer *t)
{
    struct sk_beside *b = &t->beside;
    if (!b->open)
        return;
    sk_child_stop(&b->watcher);
    sk_command_stop(t);
    sk_notify_close(b->notify);
    sk_scan_free(&b->now);
}
