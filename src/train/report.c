#include "train/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

static const double live_seconds = 0.2, progress_seconds = 10;
enum { LINE_UPDATES = 50 };          /* Sockeye's */

double sk_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void sk_report_restart(struct sk_report *r)
{
    r->line = r->checkpoint = (struct sk_tally){.since = sk_clock()};
}

void sk_report_start(struct sk_report *r)
{
    sk_report_restart(r);
    r->live = r->progress = r->line.since;
}

static void count(struct sk_tally *t, const struct sk_batch *b)
{
    t->samples += b->sentences;
    t->source_tokens += b->source_rows;
    t->target_tokens += b->target_rows;
}

static double per_second(const struct sk_tally *t, int64_t n)
{
    double seconds = sk_clock() - t->since;
    return seconds > 0 ? (double)n / seconds : 0;
}

static double train_perplexity(const struct sk_train_state *s)
{
    return s->now.labels ? exp(s->now.nll / (double)s->now.labels) : NAN;
}

static double train_accuracy(const struct sk_train_state *s)
{
    return s->now.labels ? (double)s->now.correct / (double)s->now.labels : NAN;
}

static void add_points(const struct sk_report *r, const struct sk_train_state *s)
{
    long long u = s->updates;
    sk_events_scalar(r->events, SK_EVENTS_UPDATE "gradient-norm", u, s->gradient_norm);
    sk_events_scalar(r->events, SK_EVENTS_UPDATE "learning-rate", u, s->learning_rate);
    sk_events_scalar(r->events, SK_EVENTS_UPDATE "perplexity-train", u, train_perplexity(s));
    sk_events_scalar(r->events, SK_EVENTS_UPDATE "target-tokens-per-second", u,
                     per_second(&r->line, r->line.target_tokens));
    sk_events_flush(r->events);
}

static void say_line(const struct sk_report *r, const struct sk_train_state *s)
{
    const struct sk_tally *t = &r->line;
    char accuracy[48] = "";
    if (r->accuracy)
        snprintf(accuracy, sizeof accuracy, "\taccuracy=%.6f", train_accuracy(s));
    sk_info("Epoch[%lld] Batch [%lld]\tSpeed: %.2f samples/sec %.2f tokens/sec %.2f updates/sec "
            "target-tokens/sec=%.1f\tperplexity=%.6f%s", (long long)s->epoch, (long long)s->updates,
            per_second(t, t->samples), per_second(t, t->source_tokens), per_second(t, t->updates),
            per_second(t, t->target_tokens), train_perplexity(s), accuracy);
}

/* Seconds as 1:02:03 or 2:03. */
static void duration(double seconds, char text[32])
{
    long n = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (n >= 3600)
        snprintf(text, 32, "%ld:%02ld:%02ld", n / 3600, n / 60 % 60, n % 60);
    else
        snprintf(text, 32, "%ld:%02ld", n / 60, n % 60);
}

static void show_live(struct sk_report *r, const struct sk_train_state *s)
{
    double now = sk_clock();
    if (!sk_live_wanted() || now - r->live < live_seconds)
        return;
    r->live = now;
    /* The line's own tally is young after each line: the checkpoint's is steadier. */
    const struct sk_tally *t = &r->checkpoint;
    double rate = per_second(t, t->updates);
    int64_t left = r->interval - s->updates % r->interval;
    if (r->max_updates > s->updates && r->max_updates - s->updates < left)
        left = r->max_updates - s->updates;
    char when[32];
    duration(rate > 0 ? (double)left / rate : 0, when);
    /* Fits into 80 columns with a million updates. */
    sk_live("update %lld  %.0f target tokens/s  perplexity %.2f  checkpoint in %s", (long long)s->updates,
            per_second(t, t->target_tokens), train_perplexity(s), when);
}

void sk_report_progress(struct sk_report *r, const struct sk_train_state *s)
{
    struct sk_str text = {0};
    const struct sk_tally *t = r->line.updates ? &r->line : &r->checkpoint;
    sk_str_printf(&text, "checkpoint\t%d\n", s->now.checkpoint);
    sk_str_printf(&text, "checkpoint-frequency\t%lld\n", (long long)r->interval);
    sk_str_printf(&text, "device\t%s\n", r->device);
    sk_str_printf(&text, "epoch\t%lld\n", (long long)s->epoch);
    sk_str_printf(&text, "learning-rate\t%.9g\n", s->learning_rate);
    sk_str_printf(&text, "max-updates\t%lld\n", (long long)r->max_updates);
    if (s->now.labels)
        sk_str_printf(&text, "perplexity-train\t%.9g\n", train_perplexity(s));
    sk_str_printf(&text, "samples\t%lld\n", (long long)s->samples);
    if (r->stopped)
        sk_str_printf(&text, "stopped\t%s\n", r->stopped);
    if (t->updates)
        sk_str_printf(&text, "target-tokens/sec\t%.1f\n", per_second(t, t->target_tokens));
    sk_str_printf(&text, "time\t%lld\n", (long long)time(NULL));
    sk_str_printf(&text, "time-elapsed\t%.3f\n", s->seconds);
    sk_str_printf(&text, "updates\t%lld\n", (long long)s->updates);
    if (t->updates)
        sk_str_printf(&text, "updates/sec\t%.3f\n", per_second(t, t->updates));
    if (r->waiting)
        sk_str_printf(&text, "waiting-for-checkpoint\t%d\nwaiting-since\t%lld\n", r->waiting, r->waiting_since);
    char *path = sk_path_join(r->dir, SK_MD_PROGRESS);
    if (!r->follows && sk_file_save(path, text.text, text.len, SK_REPLACE) < 0)
        sk_warn("%s", sk_fail_message());
    free(path);
    sk_str_free(&text);
    r->progress = sk_clock();
}

void sk_report_params(const struct sk_params *t, int64_t fixed)
{
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        if (p->ndim == 1)
            sk_info("Model parameters: %s: (%lld,)", p->name, (long long)p->shape[0]);
        else
            sk_info("Model parameters: %s: (%lld, %lld)", p->name, (long long)p->shape[0], (long long)p->shape[1]);
    }
    long long learned = (long long)t->count - (long long)fixed;
    sk_info("Fixing %lld parameters (%.2f%%)", (long long)fixed, 100.0 * (double)fixed / (double)t->count);
    sk_info("Learning %lld parameters (%.2f%%)", learned, 100.0 * (double)learned / (double)t->count);
    sk_info("Total # of parameters: %zu", t->count);
}

void sk_report_batch(struct sk_report *r, const struct sk_batch *b)
{
    count(&r->line, b);
    count(&r->checkpoint, b);
}

void sk_report_update(struct sk_report *r, const struct sk_train_state *s)
{
    r->line.updates++;
    r->checkpoint.updates++;
    show_live(r, s);
    if (s->updates % LINE_UPDATES != 0)
        return;
    say_line(r, s);
    if (!r->follows)
        add_points(r, s);
    if (sk_clock() - r->progress >= progress_seconds)
        sk_report_progress(r, s);
    r->line = (struct sk_tally){.since = sk_clock()};
}

void sk_report_training(const struct sk_report *r, const struct sk_train_state *s, int checkpoint)
{
    const struct sk_tally *t = &r->checkpoint;
    sk_info("Checkpoint [%d]\tUpdates=%lld Epoch=%lld Samples=%lld Time-cost=%.3f Updates/sec=%.3f "
            "target-tokens/sec=%.1f", checkpoint, (long long)s->updates, (long long)s->epoch, (long long)s->samples,
            sk_clock() - t->since, per_second(t, t->updates), per_second(t, t->target_tokens));
    sk_info("Checkpoint [%d]\tTrain-perplexity=%.6f", checkpoint, train_perplexity(s));
    if (r->accuracy)
        sk_info("Checkpoint [%d]\tTrain-accuracy=%.6f", checkpoint, train_accuracy(s));
}
