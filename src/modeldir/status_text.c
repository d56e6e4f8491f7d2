#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/msg.h"
#include "modeldir/status.h"

enum { CURVE = 48 };

/* 1,234,567 */
static const char *grouped(long long n, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", n), at = 0;
    for (int i = 0; i < length; i++) {
        text[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0) text[at++] = ',';
    }
    text[at] = 0;
    return text;
}

/* Seconds as 2d 03:04:05, 3:04:05 or 4:05. */
static const char *duration(double seconds, char text[32])
{
    long long n = seconds > 0 && seconds < 1e12 ? (long long)(seconds + 0.5) : 0;
    if (n >= 86400)
        snprintf(text, 32, "%lldd %02lld:%02lld:%02lld", n / 86400, n / 3600 % 24, n / 60 % 60, n % 60);
    else if (n >= 3600) snprintf(text, 32, "%lld:%02lld:%02lld", n / 3600, n / 60 % 60, n % 60);
    else snprintf(text, 32, "%lld:%02lld", n / 60, n % 60);
    return text;
}

static const char *moment(long long t, char text[32])
{
    time_t when = (time_t)t;
    struct tm local;
    if (t <= 0 || !localtime_r(&when, &local) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S", &local)) strcpy(text, "?");
    return text;
}

/* --- one screen -------------------------------------------------------------------- */

static void headline(const struct sk_status *s, struct sk_str *out)
{
    char when[32];
    sk_str_printf(out, "%s: %s", s->dir, sk_status_word(s));
    switch (s->state) {
    case SK_STATE_EMPTY: sk_str_printf(out, ", no run has begun here"); break;
    case SK_STATE_RUNNING:
        sk_str_printf(out, ", %s", s->trainer);
        break;
    case SK_STATE_WAITING:
        sk_str_printf(out, " since %s for the score of checkpoint %d, %s", moment(s->waiting_since, when), s->waiting,
                      s->trainer);
        break;
    case SK_STATE_INTERRUPTED:
        sk_str_printf(out, " since %s by %s; the same command goes on", moment(s->time, when),
                      s->signal ? s->signal : "a signal");
        break;
    case SK_STATE_FINISHED:
        sk_str_printf(out, " since %s (%s)", moment(s->time, when), s->reason ? s->reason : "no reason given");
        break;
    case SK_STATE_DEAD:
        sk_str_printf(out, " since after %s: nobody works here; the same command goes on", moment(s->time, when));
        break;
    }
    if ((s->state == SK_STATE_RUNNING || s->state == SK_STATE_WAITING) && s->device)
        sk_str_printf(out, ", %s", s->device);
    sk_str_printf(out, "\n");
}

static void work(const struct sk_status *s, struct sk_str *out)
{
    char n[3][32];
    if (!s->frequency) return;
    sk_str_printf(out, "  updates      %s", grouped(s->updates, n[0]));
    if (s->max_updates) sk_str_printf(out, " of %s", grouped(s->max_updates, n[1]));
    sk_str_printf(out, ", epoch %lld, %s in all", s->epoch, duration(s->seconds, n[2]));
    if (s->tokens_per_second > 0)
        sk_str_printf(out, ", %s target tokens/s, %.2f updates/s", grouped((long long)s->tokens_per_second, n[1]),
                      s->updates_per_second);
    sk_str_printf(out, "\n");
    if (s->to_checkpoint >= 0) {
        sk_str_printf(out, "  time left    %s to checkpoint %d", duration(s->to_checkpoint, n[0]), s->checkpoint + 1);
        if (s->to_end >= 0) sk_str_printf(out, ", %s to the end", duration(s->to_end, n[1]));
        sk_str_printf(out, "\n");
    }
    if (s->checkpoint) {
        sk_str_printf(out, "  checkpoints  %d, best %d", s->checkpoint, s->best);
        if (s->waited) sk_str_printf(out, ", no improvement for %d", s->waited);
        if (s->waited && s->patience > 0) sk_str_printf(out, " of %d", s->patience);
        sk_str_printf(out, "\n");
    }
}

/* The values of a metric, one for each of at most `columns` stretches of
 * checkpoints (the last value in it); returns how many. */
static int curve(const struct sk_status *s, const char *name, int columns, double *value)
{
    int n = 0, lines = s->metrics.n;
    for (int c = 0; c < columns && c < lines; c++) {
        int most = lines < columns ? lines : columns, first = (int)((long long)c * lines / most),
            end = (int)((long long)(c + 1) * lines / most);
        double v, last = NAN;
        for (int i = first; i < end; i++)
            if (sk_metrics_get(&s->metrics, s->metrics.line[i].checkpoint, name, &v) && isfinite(v)) last = v;
        if (isfinite(last)) value[n++] = last;
    }
    return n;
}

static void draw_curve(const double *value, int n, int utf8, struct sk_str *out)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const plain[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < n; i++) {
        low = fmin(low, value[i]);
        high = fmax(high, value[i]);
    }
    /* Perplexities fall by orders of magnitude: a ratio over 8 is drawn as logarithms. */
    int logarithms = low > 0 && high / low > 4;
    for (int i = 0; i < n; i++) {
        /* Halves and differences of logarithms do not overflow. */
        double at = !(high > low) ? 0 : logarithms ? (log(value[i]) - log(low)) / (log(high) - log(low))
                                                   : (value[i] / 2 - low / 2) / (high / 2 - low / 2);
        sk_str_printf(out, "%s", (utf8 ? blocks : plain)[(int)(at * 7.999)]);
    }
}

static void curves(const struct sk_status *s, int width, int utf8, struct sk_str *out)
{
    double value[CURVE];
    int columns = width - 44 < CURVE ? width - 44 : CURVE;
    const char *name;
    for (int k = 0; (name = sk_status_metric(s, k)); k++) {
        int n = curve(s, name, columns < 8 ? 8 : columns, value);
        if (n == 0) continue;            /* none that is finite */
        sk_str_printf(out, "  %-15s %10.4g ", name, value[0]);
        draw_curve(value, n, utf8, out);
        sk_str_printf(out, " %.4g\n", value[n - 1]);
    }
}

static void shards(const struct sk_status *s, struct sk_str *out)
{
    if (!s->n_shards) return;
    sk_str_printf(out, "  shards       generation %d:", s->generation);
    for (int i = 0; i < s->n_shards; i++) {
        const struct sk_shard_status *x = &s->shard[i];
        sk_str_printf(out, "%s %d", i ? "," : "", x->shard);
        if (*x->host) sk_str_printf(out, " on %s", x->host);
        if (strcmp(x->word, "member")) sk_str_printf(out, " (%s)", x->word);
        else if (x->shard == s->leader) sk_str_printf(out, " (writes)");
    }
    sk_str_printf(out, "\n");
}

static void evaluations(const struct sk_status *s, struct sk_str *out)
{
    enum { MOST = 12 };
    if (s->n_pending) {
        sk_str_printf(out, "  to evaluate ");
        for (int i = 0; i < s->n_pending && i < MOST; i++) sk_str_printf(out, " %d", s->pending[i]);
        if (s->n_pending > MOST) sk_str_printf(out, " and %d more", s->n_pending - MOST);
        sk_str_printf(out, "\n");
    }
    for (int i = 0; i < s->n_evaluators; i++)
        sk_str_printf(out, "  evaluating   %d: %s\n", s->evaluator[i].checkpoint, s->evaluator[i].who);
}

void sk_status_screen(const struct sk_status *s, int width, int utf8, struct sk_str *out)
{
    headline(s, out);
    work(s, out);
    shards(s, out);
    curves(s, width, utf8, out);
    evaluations(s, out);
    if (s->damage) sk_str_printf(out, "  damaged      %s\n", s->damage);
}

/* --- a table ------------------------------------------------------------------------ */

void sk_status_table(const struct sk_status *s, int n, struct sk_str *out)
{
    int longest = 9;
    for (int i = 0; i < n; i++)
        if ((int)strlen(s[i].dir) > longest) longest = (int)strlen(s[i].dir);
    sk_str_printf(out, "%-*s  %-11s  %10s  %9s  %11s  %5s  %10s  %7s\n", longest, "DIRECTORY", "STATE", "UPDATES", "TOKENS/S",
                  "TIME LEFT", "BEST", "PERPLEXITY", "BLEU");
    for (int i = 0; i < n; i++) {
        char left[32] = "-", updates[32], speed[32], perplexity[32] = "-", bleu[32] = "-";
        double v;
        if (s[i].to_end >= 0) duration(s[i].to_end, left);
        if (sk_metrics_get(&s[i].metrics, s[i].best, "perplexity-val", &v)) snprintf(perplexity, 32, "%.4g", v);
        if (sk_metrics_get(&s[i].metrics, s[i].best, "bleu-val", &v)) snprintf(bleu, 32, "%.2f", 100 * v);
        sk_str_printf(out, "%-*s  %-11s  %10s  %9s  %11s  %5d  %10s  %7s\n", longest, s[i].dir, sk_status_word(&s[i]),
                      grouped(s[i].updates, updates), grouped((long long)s[i].tokens_per_second, speed), left, s[i].best,
                      perplexity, bleu);
    }
}

/* --- JSON ---------------------------------------------------------------------------- */

/* null where nothing is known. */
static void put(json_t *o, const char *key, json_t *value)
{
    SK_ENSURE(json_object_set_new(o, key, value ? value : json_null()) == 0);
}

/* A name in whatever bytes: what is not UTF-8 is shown as "?". */
static json_t *text_of(const char *text)
{
    json_t *j = text ? json_string(text) : NULL;
    if (j || !text) return j;
    char *copy = sk_xstrdup(text);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 128) *c = '?';
    j = json_string(copy);
    free(copy);
    return j;
}

static json_t *metrics_json(const struct sk_status *s)
{
    json_t *lines = json_array();
    for (int i = 0; i < s->metrics.n; i++) {
        const struct sk_metrics_line *l = &s->metrics.line[i];
        json_t *o = json_object();
        put(o, "checkpoint", json_integer(l->checkpoint));
        for (int k = 0; k < l->n; k++) {
            double v;
            int truth = !strcmp(l->m[k].value, "True") || !strcmp(l->m[k].value, "False");
            int number = !truth && sk_metrics_get(&s->metrics, l->checkpoint, l->m[k].name, &v) && isfinite(v);
            json_t *name = text_of(l->m[k].name);
            put(o, json_string_value(name),
                truth ? json_boolean(l->m[k].value[0] == 'T') : number ? json_real(v) : text_of(l->m[k].value));
            json_decref(name);
        }
        json_array_append_new(lines, o);
    }
    return lines;
}

static json_t *seconds(double v) { return v < 0 ? NULL : json_real(v); }

static json_t *shards_json(const struct sk_status *s)
{
    json_t *all = json_array();
    for (int i = 0; i < s->n_shards; i++) {
        json_t *x = json_object();
        put(x, "host", *s->shard[i].host ? json_string(s->shard[i].host) : NULL);
        put(x, "shard", json_integer(s->shard[i].shard));
        put(x, "state", json_string(s->shard[i].word));
        json_array_append_new(all, x);
    }
    return all;
}

void sk_status_json(const struct sk_status *s, struct sk_str *out)
{
    json_t *o = json_object(), *pending = json_array(), *working = json_array();
    for (int i = 0; i < s->n_pending; i++) json_array_append_new(pending, json_integer(s->pending[i]));
    for (int i = 0; i < s->n_evaluators; i++) {
        json_t *e = json_object();
        put(e, "checkpoint", json_integer(s->evaluator[i].checkpoint));
        put(e, "who", text_of(s->evaluator[i].who));
        json_array_append_new(working, e);
    }
    put(o, "best", json_integer(s->best));
    put(o, "checkpoint", json_integer(s->checkpoint));
    put(o, "checkpoint-frequency", json_integer(s->frequency));
    put(o, "damage", text_of(s->damage));
    put(o, "device", text_of(s->device));
    put(o, "directory", text_of(s->dir));
    put(o, "epoch", json_integer(s->epoch));
    put(o, "evaluating", working);
    put(o, "learning-rate", json_real(s->learning_rate));
    put(o, "max-updates", json_integer(s->max_updates));
    put(o, "metrics", metrics_json(s));
    put(o, "not-improved", json_integer(s->waited));
    put(o, "pending", pending);
    put(o, "reason", text_of(s->reason));
    put(o, "generation", s->n_shards ? json_integer(s->generation) : NULL);
    put(o, "shards", s->n_shards ? shards_json(s) : NULL);
    put(o, "samples", json_integer(s->samples));
    put(o, "seconds-to-checkpoint", seconds(s->to_checkpoint));
    put(o, "seconds-to-end", seconds(s->to_end));
    put(o, "state", json_string(sk_status_word(s)));
    put(o, "target-tokens/sec", json_real(s->tokens_per_second));
    put(o, "time", json_integer(s->time));
    put(o, "time-elapsed", json_real(s->seconds));
    put(o, "trainer", s->state == SK_STATE_RUNNING || s->state == SK_STATE_WAITING ? text_of(s->trainer) : NULL);
    put(o, "updates", json_integer(s->updates));
    put(o, "waiting-for-checkpoint", s->state == SK_STATE_WAITING ? json_integer(s->waiting) : NULL);
    put(o, "waiting-since", s->state == SK_STATE_WAITING ? json_integer(s->waiting_since) : NULL);
    put(o, "updates/sec", json_real(s->updates_per_second));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
    SK_ENSURE(text);
    sk_str_printf(out, "%s\n", text);
    free(text);
    json_decref(o);
}
