#include "modeldir/status.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/paths.h"

enum { SMALL_FILE = 1 << 20 };

static const char *const shown[] = {"perplexity-val", "accuracy-val", "bleu-val", "chrf-val", "ter-val", NULL};

const char *sk_status_metric(const struct sk_status *s, int index)
{
    for (int i = 0; shown[i]; i++) {
        double value;
        int there = 0;
        for (int k = 0; k < s->metrics.n && !there; k++)
            there = sk_metrics_get(&s->metrics, s->metrics.line[k].checkpoint, shown[i], &value);
        if (there && index-- == 0) return shown[i];
    }
    return NULL;
}

const char *sk_status_word(const struct sk_status *s)
{
    static const char *const words[] = {"empty", "running", "interrupted", "finished", "dead"};
    return words[s->state];
}

/* Remembers the kept message. */
static void note_damage(struct sk_status *s)
{
    char *both = s->damage ? sk_xprintf("%s; %s", s->damage, sk_fail_message()) : sk_xstrdup(sk_fail_message());
    free(s->damage);
    s->damage = both;
}

/* --- small files of lines `name<TAB>value` ------------------------------------- */

static char *load(struct sk_status *s, const char *name)
{
    char *path = sk_path_join(s->dir, name), *text = NULL;
    int there = sk_file_exists(path);
    if (there < 0 || (there && !(text = sk_file_load(path, SMALL_FILE, NULL)))) note_damage(s);
    free(path);
    return text;
}

/* The value of a name, malloced; NULL: not there. */
static char *value_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, n) && line[n] == '\t') return sk_xstrndup(line + n + 1, strcspn(line + n + 1, "\n"));
    }
    return NULL;
}

static double number_of(const char *text, const char *name)
{
    char *value = value_of(text, name), *end = value;
    double number = value ? strtod(value, &end) : 0;
    if (!value || end == value || *end || !isfinite(number) || fabs(number) > 1e15) number = 0;
    free(value);
    return number;
}

static void read_progress(struct sk_status *s)
{
    char *text = load(s, SK_MD_PROGRESS);
    if (!text) return;
    s->time = (long long)number_of(text, "time");
    s->updates = (long long)number_of(text, "updates");
    s->max_updates = (long long)number_of(text, "max-updates");
    s->frequency = (long long)number_of(text, "checkpoint-frequency");
    s->epoch = (long long)number_of(text, "epoch");
    s->samples = (long long)number_of(text, "samples");
    s->tokens_per_second = number_of(text, "target-tokens/sec");
    s->updates_per_second = number_of(text, "updates/sec");
    s->learning_rate = number_of(text, "learning-rate");
    s->seconds = number_of(text, "time-elapsed");
    s->checkpoint = (int)number_of(text, "checkpoint");
    s->signal = value_of(text, "stopped");
    free(text);
}

static void read_args(struct sk_status *s)
{
    char *text = load(s, SK_MD_ARGS);
    s->optimized = text ? value_of(text, "optimized-metric") : NULL;
    s->patience = text ? (int)number_of(text, "max-num-checkpoint-not-improved") : 0;
    free(text);
}

static void read_state(struct sk_status *s)
{
    char *lock = sk_path_join(s->dir, SK_MD_LOCK), *args = sk_path_join(s->dir, SK_MD_ARGS),
         *interrupted = sk_path_join(s->dir, SK_MD_INTERRUPTED), *finished;
    int held = sk_lock_held(lock, &s->trainer);
    if (held < 0) note_damage(s);
    finished = load(s, SK_MD_FINISHED);
    /* An evaluator takes it for a moment to merge its scores. */
    if (held > 0 && strncmp(s->trainer, "sk-train", 8)) held = 0;
    if (held > 0) s->state = SK_STATE_RUNNING;
    else if (sk_file_exists(args) <= 0) s->state = SK_STATE_EMPTY;
    else if (finished) s->state = SK_STATE_FINISHED;
    else s->state = s->signal || sk_file_exists(interrupted) > 0 ? SK_STATE_INTERRUPTED : SK_STATE_DEAD;
    if (finished && s->state == SK_STATE_FINISHED) {
        s->reason = value_of(finished, "reason");
        s->time = (long long)number_of(finished, "time");
    }
    free(finished);
    free(lock);
    free(args);
    free(interrupted);
}

/* --- what follows from them ------------------------------------------------------- */

static void find_best(struct sk_status *s)
{
    char *name = sk_xprintf("%s-val", s->optimized ? s->optimized : "perplexity");
    double best = 0, value;
    int maximize = sk_metric_maximize(name), have = 0;
    for (int i = 0; i < s->metrics.n; i++) {
        int checkpoint = s->metrics.line[i].checkpoint;
        if (checkpoint > s->checkpoint) s->checkpoint = checkpoint;
        if (!sk_metrics_get(&s->metrics, checkpoint, name, &value) || isnan(value)) continue;
        s->waited++;
        if (!have || (maximize ? value > best : value < best)) {
            best = value;
            have = 1;
            s->best = checkpoint;
            s->waited = 0;
        }
    }
    free(name);
    int linked = sk_md_best(s->dir);
    if (linked < 0) note_damage(s);
    if (linked > 0) s->best = linked;
}

static void estimate(struct sk_status *s)
{
    double rate = s->updates_per_second, passed = s->time ? difftime(time(NULL), (time_t)s->time) : 0;
    s->to_checkpoint = s->to_end = -1;
    if (s->state != SK_STATE_RUNNING || !(rate > 0) || s->frequency <= 0) return;
    /* Progress is written now and then: it is that much further by now. */
    s->to_checkpoint = (double)(s->frequency - s->updates % s->frequency) / rate - passed;
    if (s->to_checkpoint < 0) s->to_checkpoint = 0;
    if (s->max_updates > 0) {
        s->to_end = (double)(s->max_updates - s->updates) / rate - passed;
        if (s->to_end < 0) s->to_end = 0;
        if (s->to_end < s->to_checkpoint) s->to_checkpoint = s->to_end;
    }
}

static void look_at_evaluation(struct sk_status *s, int checkpoint)
{
    char *record = sk_md_eval(s->dir, checkpoint, "json"), *claim = sk_md_eval(s->dir, checkpoint, "claim"), *who;
    if (sk_file_exists(record) == 0) {
        s->pending = sk_xrealloc(s->pending, (size_t)s->n_pending + 1, sizeof *s->pending);
        s->pending[s->n_pending++] = checkpoint;
    }
    if (sk_lock_held(claim, &who) > 0) {
        s->evaluator = sk_xrealloc(s->evaluator, (size_t)s->n_evaluators + 1, sizeof *s->evaluator);
        s->evaluator[s->n_evaluators++] = (struct sk_evaluator){checkpoint, who};
    }
    free(record);
    free(claim);
}

static void read_evaluations(struct sk_status *s)
{
    char *eval = sk_path_join(s->dir, SK_MD_EVAL);
    int *numbers = NULL, n = sk_file_exists(eval) > 0 ? sk_md_list(s->dir, "params", &numbers) : 0;
    if (n < 0) note_damage(s);
    for (int i = 0; i < n; i++) look_at_evaluation(s, numbers[i]);
    free(numbers);
    free(eval);
}

int sk_status_read(struct sk_status *s, const char *dir)
{
    *s = (struct sk_status){.dir = sk_xstrdup(dir)};
    DIR *d = opendir(dir);
    if (!d) {
        sk_fail_errno("cannot open folder %s", dir);
        sk_status_free(s);
        return -1;
    }
    closedir(d);
    read_progress(s);
    read_args(s);
    read_state(s);
    if (sk_metrics_load(&s->metrics, dir)) {
        note_damage(s);
        s->metrics = (struct sk_metrics){0};
    }
    find_best(s);
    estimate(s);
    read_evaluations(s);
    return 0;
}

void sk_status_free(struct sk_status *s)
{
    for (int i = 0; i < s->n_evaluators; i++) free(s->evaluator[i].who);
    free(s->evaluator);
    free(s->pending);
    free(s->dir);
    free(s->trainer);
    free(s->reason);
    free(s->signal);
    free(s->optimized);
    free(s->damage);
    sk_metrics_free(&s->metrics);
    *s = (struct sk_status){0};
}
