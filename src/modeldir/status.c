#include "modeldir/status.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "modeldir/shards.h"

enum { SMALL_FILE = 1 << 20 };

/* What is shown first; and what is of no use to a person who wants to know how good
 * the model is. */
static const char *const first[] = {"perplexity-val", "accuracy-val", "bleu-val", "chrf-val", "ter-val", NULL};
static const char *const silent[] = {
    "perplexity-train", "accuracy-train", "epoch", "gradient-norm", "learning-rate", "time-elapsed", "converged", "diverged",
    "used-cpu-memory",
    "used-gpu-memory", "avg-sec-per-sent-val", "decode-walltime-val", "rouge1-val", "rouge2-val", "rougel-val", NULL};

/* How the training text was mixed: figures that were asked for. */
static const char data[] = "data-";

static int is_in(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcmp(*names, name)) return 1;
    return 0;
}

static void show(struct sk_status *s, const char *name)
{
    for (int i = 0; i < s->n_shown; i++)
        if (!strcmp(s->shown[i], name)) return;
    s->shown = sk_xrealloc(s->shown, (size_t)s->n_shown + 1, sizeof *s->shown);
    s->shown[s->n_shown++] = sk_xstrdup(name);
}

static void find_shown(struct sk_status *s)
{
    for (int k = 0; first[k]; k++)
        for (int i = 0; i < s->metrics.n; i++) {
            double value;
            if (!sk_metrics_get(&s->metrics, s->metrics.line[i].checkpoint, first[k], &value)) continue;
            show(s, first[k]);
            break;
        }
    for (int i = 0; i < s->metrics.n; i++) {
        const struct sk_metrics_line *l = &s->metrics.line[i];
        for (int k = 0; k < l->n; k++) {
            double value;
            if (!is_in(first, l->m[k].name) && !is_in(silent, l->m[k].name) && strncmp(l->m[k].name, data, strlen(data)) &&
                sk_metrics_get(&s->metrics, l->checkpoint, l->m[k].name, &value) && isfinite(value))
                show(s, l->m[k].name);
        }
    }
}

const char *sk_status_metric(const struct sk_status *s, int index)
{
    return index < s->n_shown ? s->shown[index] : NULL;
}

const char *sk_status_word(const struct sk_status *s)
{
    static const char *const words[] = {"empty", "running", "waiting", "interrupted", "finished", "dead"};
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
    s->device = value_of(text, "device");
    s->waiting = (int)number_of(text, "waiting-for-checkpoint");
    s->waiting_since = (long long)number_of(text, "waiting-since");
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
    if (held > 0) s->state = s->waiting > 0 ? SK_STATE_WAITING : SK_STATE_RUNNING;
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

/* 1: there are scores of the parameters that are there; 0: none, or only those of a
 * checkpoint that was made anew; what cannot be read is no score. */
static int is_scored(struct sk_status *s, int checkpoint)
{
    struct sk_evaluation e;
    char hash[SK_HASH_HEX];
    int there = sk_evaluation_load(&e, s->dir, checkpoint);
    if (there <= 0) {
        if (there < 0) note_damage(s);
        return 0;
    }
    int known = sk_evaluation_params_hash(s->dir, checkpoint, hash), same = known <= 0 || !strcmp(hash, e.params);
    if (known < 0) note_damage(s);
    sk_evaluation_free(&e);
    return same;
}

static void look_at_evaluation(struct sk_status *s, int checkpoint)
{
    char *claim = sk_md_eval(s->dir, checkpoint, "claim"), *who;
    if (!is_scored(s, checkpoint)) {
        s->pending = sk_xrealloc(s->pending, (size_t)s->n_pending + 1, sizeof *s->pending);
        s->pending[s->n_pending++] = checkpoint;
    }
    if (sk_lock_held(claim, &who) > 0) {
        s->evaluator = sk_xrealloc(s->evaluator, (size_t)s->n_evaluators + 1, sizeof *s->evaluator);
        s->evaluator[s->n_evaluators++] = (struct sk_evaluator){checkpoint, who};
    }
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

static const struct sk_member *member_of(const struct sk_members *m, int shard)
{
    for (int i = 0; i < m->n; i++)
        if (m->member[i].shard == shard) return &m->member[i];
    return NULL;
}

/* Who takes part, by the highest generation and the locks of those who live. */
static void read_shards(struct sk_status *s)
{
    struct sk_members *m = sk_xcalloc(1, sizeof *m);
    int *shard = NULL, n = sk_shards_list(s->dir, &shard), generation = n > 0 ? sk_shards_generation(s->dir) : 0;
    if (n < 0 || generation < 0 || (generation > 0 && sk_members_read(s->dir, generation, m) < 0)) note_damage(s);
    for (int i = 0; i < n; i++) {
        const struct sk_member *member = member_of(m, shard[i]);
        char uuid[SK_UUID_TEXT];
        int64_t count;
        int waits, alive = sk_shard_alive(s->dir, shard[i]) > 0 && sk_beat_read(s->dir, shard[i], uuid, &count, &waits);
        int in = member && alive && !strcmp(uuid, member->uuid);
        if (!alive && (!member || s->state == SK_STATE_FINISHED || s->state == SK_STATE_INTERRUPTED)) continue;
        s->shard = sk_xrealloc(s->shard, (size_t)s->n_shards + 1, sizeof *s->shard);
        struct sk_shard_status *x = &s->shard[s->n_shards++];
        *x = (struct sk_shard_status){.shard = shard[i], .word = in ? "member" : alive ? "spare" : "lost"};
        if (member) memcpy(x->host, member->host, sizeof x->host);
    }
    s->generation = generation > 0 ? generation : 0;
    s->leader = m->n > 0 ? m->leader : -1;
    free(shard);
    free(m);
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
    read_shards(s);
    if (sk_metrics_load(&s->metrics, dir)) {
        note_damage(s);
        s->metrics = (struct sk_metrics){0};
    }
    find_shown(s);
    find_best(s);
    estimate(s);
    read_evaluations(s);
    return 0;
}

void sk_status_free(struct sk_status *s)
{
    for (int i = 0; i < s->n_evaluators; i++) free(s->evaluator[i].who);
    free(s->evaluator);
    free(s->shard);
    free(s->pending);
    free(s->dir);
    free(s->trainer);
    free(s->reason);
    free(s->signal);
    free(s->device);
    for (int i = 0; i < s->n_shown; i++) free(s->shown[i]);
    free(s->shown);
    free(s->optimized);
    free(s->damage);
    sk_metrics_free(&s->metrics);
    *s = (struct sk_status){0};
}
