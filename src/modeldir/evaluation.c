/* evaluation.c - records of evaluated checkpoints. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/tensors.h"
#include "modeldir/claim.h"
#include "modeldir/evaluation.h"
#include "modeldir/events.h"
#include "modeldir/values.h"
#include "modeldir/paths.h"

enum { RECORD_LIMIT = 1 << 20 };

void sk_evaluation_free(struct sk_evaluation *e)
{
    sk_metrics_free(&e->metrics);
    *e = (struct sk_evaluation){0};
}

int sk_evaluation_same_search(const struct sk_evaluation *a, const struct sk_evaluation *b)
{
    return a->beam_size == b->beam_size && a->num_stds == b->num_stds && a->alpha == b->alpha && a->beta == b->beta &&
        a->dtype == b->dtype && a->sentences == b->sentences && a->seed == b->seed;
}

int sk_evaluation_params_hash(const char *dir, int checkpoint, char hex[SK_HASH_HEX])
{
    char *path = sk_md_checkpoint(dir, "params", checkpoint);
    int there = sk_file_exists(path);
    struct sk_tensors *f = there > 0 ? sk_tensors_open(path) : NULL;
    if (there > 0 && (!f || sk_tensors_checksum(f, hex)))
        there = -1;
    sk_tensors_close(f);
    free(path);
    return there;
}

int sk_evaluation_remove(const char *dir, int checkpoint)
{
    static const char *const kinds[] = {"values", "json", "out"};
    int failed = 0;
    for (int i = 0; i < 3 && !failed; i++) {
        char *path = sk_md_eval(dir, checkpoint, kinds[i]);
        failed = sk_file_remove(path) < 0;
        free(path);
    }
    return failed ? -1 : 0;
}

/* --- reading ------------------------------------------------------------------- */

static int read_integer(const json_t *o, const char *path, const char *key, double low, double high, long long *value)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || (double)json_integer_value(v) < low || (double)json_integer_value(v) > high)
        return sk_fail(SK_EXIT_DATA, "%s: \"%s\" is no whole number in its range", path, key);
    *value = json_integer_value(v);
    return 0;
}

static int read_number(const json_t *o, const char *path, const char *key, double *value)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v) || !isfinite(json_number_value(v)))
        return sk_fail(SK_EXIT_DATA, "%s: \"%s\" is no number", path, key);
    *value = json_number_value(v);
    return 0;
}

static int read_dtype(const json_t *o, const char *path, enum sk_dtype *dtype)
{
    const json_t *v = json_object_get(o, "dtype");
    const char *name = v ? json_string_value(v) : sk_dtype_name(SK_FLOAT32);
    for (*dtype = SK_FLOAT32; *dtype <= SK_INT8; ++*dtype)
        if (name && !strcmp(name, sk_dtype_name(*dtype)))
            return 0;
    return sk_fail(SK_EXIT_DATA, "%s: \"dtype\" is none of " SK_DTYPES, path);
}

static int read_hash(const json_t *o, const char *path, const char *key, char hex[SK_HASH_HEX])
{
    const char *text = json_string_value(json_object_get(o, key));
    if (!text || strlen(text) != SK_HASH_HEX - 1 || strspn(text, "0123456789abcdef") != SK_HASH_HEX - 1)
        return sk_fail(SK_EXIT_DATA, "%s: \"%s\" is no checksum", path, key);
    memcpy(hex, text, SK_HASH_HEX);
    return 0;
}

static int read_record(struct sk_evaluation *e, const json_t *o, const char *path, int checkpoint)
{
    long long format, number, beam, stds;
    if (read_integer(o, path, "format", 1, 1e9, &format))
        return -1;
    if (format > SK_EVALUATION_FORMAT)
        return sk_fail(SK_EXIT_DATA, "%s has format %lld; this program knows %d: use a newer one", path, format,
                       SK_EVALUATION_FORMAT);
    if (read_integer(o, path, "checkpoint", checkpoint, checkpoint, &number) ||
        read_integer(o, path, "beam-size", 1, 1e9, &beam) ||
        read_integer(o, path, "max-output-length-num-stds", -1e9, 1e9, &stds) ||
        read_integer(o, path, "sentences", 0, 1e18, &e->sentences) ||
        read_number(o, path, "length-penalty-alpha", &e->alpha) ||
        read_number(o, path, "length-penalty-beta", &e->beta) ||
        read_dtype(o, path, &e->dtype) ||
        read_hash(o, path, "params", e->params) || read_hash(o, path, "out", e->out))
        return -1;
    e->checkpoint = checkpoint;
    e->beam_size = (int)beam;
    e->num_stds = (int)stds;
    e->seed = -1;
    if (json_object_get(o, "sample-seed") && read_integer(o, path, "sample-seed", 0, 9e18, &e->seed))
        return -1;
    json_t *metrics = json_object_get(o, "metrics"), *value;
    const char *name;
    if (!json_is_object(metrics))
        return sk_fail(SK_EXIT_DATA, "%s: \"metrics\" is no object", path);
    json_object_foreach(metrics, name, value) {
        double number_value;
        if (name[0] == 0 || strpbrk(name, "\t\n\r="))
            return sk_fail(SK_EXIT_DATA, "%s: no metric can be named \"%s\"", path, name);
        if (read_number(metrics, path, name, &number_value))
            return -1;
        sk_metrics_set_number(&e->metrics, checkpoint, name, number_value);
    }
    return 0;
}

int sk_evaluation_load(struct sk_evaluation *e, const char *dir, int checkpoint)
{
    *e = (struct sk_evaluation){0};
    char *path = sk_md_eval(dir, checkpoint, "json"), *text = NULL;
    size_t n;
    int there = sk_file_exists(path), result = there;
    if (there > 0 && !(text = sk_file_load(path, RECORD_LIMIT, &n)))
        result = -1;
    if (text) {
        json_error_t error;
        json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(o))
            result = sk_fail(SK_EXIT_DATA, "%s is no record of an evaluation: %s", path, o ? "no object" : error.text);
        else if (read_record(e, o, path, checkpoint))
            result = -1;
        json_decref(o);
    }
    if (result < 0)
        sk_evaluation_free(e);
    free(text);
    free(path);
    return result;
}

/* --- writing ------------------------------------------------------------------- */

static char *record_text(const struct sk_evaluation *e)
{
    json_t *metrics = json_object(), *o;
    const struct sk_metrics_line *line = sk_metrics_at(&e->metrics, e->checkpoint);
    for (int i = 0; line && i < line->n; i++)
        json_object_set_new(metrics, line->m[i].name, json_real(strtod(line->m[i].value, NULL)));
    o = json_pack("{si ss si sI si sf sf so ss ss sI}", "format", SK_EVALUATION_FORMAT,
                  "dtype", sk_dtype_name(e->dtype), "checkpoint", e->checkpoint,
                  "sentences", (json_int_t)e->sentences, "beam-size", e->beam_size,
                  "length-penalty-alpha", e->alpha, "length-penalty-beta", e->beta, "metrics", metrics,
                  "out", e->out, "params", e->params, "max-output-length-num-stds", (json_int_t)e->num_stds);
    if (o && e->seed >= 0)
        json_object_set_new(o, "sample-seed", json_integer(e->seed));
    char *text = o ? json_dumps(o, JSON_INDENT(4) | JSON_SORT_KEYS) : NULL;
    SK_ENSURE(text != NULL);
    json_decref(o);
    char *whole = sk_xprintf("%s\n", text);
    free(text);
    return whole;
}

/* Is the name taken by a file with other content? */
static int taken(int saved)
{
    return saved < 0 && sk_fail_code() == SK_EXIT_TEMP;
}

int sk_evaluation_publish(struct sk_evaluation *e, const char *dir, const char *text, size_t n)
{
    char *out = sk_md_eval(dir, e->checkpoint, "out"), *record = sk_md_eval(dir, e->checkpoint, "json");
    sk_hash_bytes(text, n, e->out);
    char *content = record_text(e);
    int first = 1, result = sk_file_save(out, text, n, SK_PUBLISH);
    if (taken(result)) {
        /* Without a record it was left by a dead evaluator. */
        int there = sk_file_exists(record);
        first = there == 0;
        result = first ? sk_file_remove(out) : there;
        if (first && result == 0)
            result = sk_file_save(out, text, n, SK_PUBLISH);
    }
    if (first && result >= 0) {
        result = sk_file_save(record, content, strlen(content), SK_PUBLISH);
        if (taken(result))
            first = result = 0;
    }
    free(out);
    free(record);
    free(content);
    return result < 0 ? -1 : !first;
}

/* --- what dead evaluators left ---------------------------------------------------- */

/* Number in .NNNNN.out.UUID.tmp; 0: another name. */
static int number_of_temp(const char *name)
{
    char *end;
    long n = sk_temp_is(name) ? strtol(name + 1, &end, 10) : 0;
    return n > 0 && n <= 999999999 && *end == '.' ? (int)n : 0;
}

/* Of a file of eval/ that the trainer writes: .NNNNN.values.UUID.tmp, .sample... */
static int of_trainer(const char *name)
{
    return sk_temp_is(name) && (strncmp(name, ".sample.", 8) == 0 || strstr(name, ".values.") != NULL);
}

int sk_evaluation_sweep(const char *dir, int checkpoint)
{
    char *folder = sk_path_join(dir, SK_MD_EVAL);
    DIR *d = opendir(folder);
    int failed = d || errno == ENOENT ? 0 : sk_fail_errno("cannot open folder %s", folder);
    struct dirent *entry;
    while (d && !failed && (errno = 0, entry = readdir(d)) != NULL) {
        int number = number_of_temp(entry->d_name), claim = -1, trainers = of_trainer(entry->d_name);
        /* A claim is no right to what a live trainer writes. */
        if (checkpoint ? trainers || number != checkpoint : !trainers && !number)
            continue;
        if (!checkpoint && !trainers) {
            char *path = sk_md_eval(dir, number, "claim");
            claim = sk_lock_take(path);
            free(path);
            if (claim < 0)           /* it lives, or nobody can tell */
                continue;
        }
        if (unlinkat(dirfd(d), entry->d_name, 0) < 0 && errno != ENOENT)
            failed = sk_fail_errno("cannot remove %s/%s", folder, entry->d_name);
        sk_lock_release(claim);
    }
    if (d)
        closedir(d);
    free(folder);
    return failed;
}

/* --- merging --------------------------------------------------------------------- */

/* 1 if the scores belong to the parameters that are there now; also when
 * those have been removed since. */
static int same_params(const char *dir, const struct sk_evaluation *e)
{
    char hex[SK_HASH_HEX];
    int there = sk_evaluation_params_hash(dir, e->checkpoint, hex);
    return there > 0 ? strcmp(hex, e->params) == 0 : there < 0 ? -1 : 1;
}

int sk_evaluation_merge_line(const char *dir, struct sk_metrics *t, int checkpoint)
{
    struct sk_evaluation e;
    int there = sk_evaluation_load(&e, dir, checkpoint), changed = 0;
    if (there <= 0)
        return there;
    int same = same_params(dir, &e);
    const struct sk_metrics_line *from = sk_metrics_at(&e.metrics, checkpoint);
    if (same == 0)
        sk_warn("eval/%05d.json belongs to other parameters than params.%05d: not taken over; "
                "sk-bleu-eval makes it anew", checkpoint, checkpoint);
    for (int i = 0; same > 0 && from && i < from->n; i++) {
        double before, now = strtod(from->m[i].value, NULL);
        if (!sk_metrics_get(t, checkpoint, from->m[i].name, &before) || before != now) {
            sk_metrics_set(t, checkpoint, from->m[i].name, from->m[i].value);
            changed = 1;
        }
    }
    sk_evaluation_free(&e);
    return same < 0 ? -1 : changed;
}

int sk_evaluation_score(const char *dir, int checkpoint, const char *name, double *value)
{
    struct sk_evaluation e;
    int there = sk_evaluation_load(&e, dir, checkpoint);
    if (there <= 0)
        return there;
    int same = same_params(dir, &e);
    if (same > 0 && !sk_metrics_get(&e.metrics, checkpoint, name, value))
        *value = NAN;
    sk_evaluation_free(&e);
    return same;
}

int sk_evaluation_merge(const char *dir, struct sk_metrics *t)
{
    int changed = 0;
    for (int i = 0; i < t->n; i++) {
        int checkpoint = t->line[i].checkpoint, one = sk_evaluation_merge_line(dir, t, checkpoint);
        if (one >= 0) {
            int values = sk_values_merge(dir, t, checkpoint);
            one = values < 0 ? -1 : one || values;
        }
        if (one < 0)
            return -1;
        changed += one;
    }
    return changed;
}

int sk_evaluation_merge_now(const char *dir, int checkpoint)
{
    int lock = sk_claim_trainer(dir, 0.05);
    if (lock < 0)
        return errno == EAGAIN ? 0 : -1;
    struct sk_metrics t = {0};
    /* Nobody comes again to a checkpoint that has its record. */
    int result = sk_evaluation_sweep(dir, 0) < 0 ? -1 : sk_metrics_load(&t, dir), changed = 0;
    if (result == 0)
        result = changed = sk_evaluation_merge(dir, &t);
    if (changed > 0)
        result = sk_metrics_save(&t, dir);
    if (result >= 0)
        sk_events_merge(dir, &t);
    if (result >= 0)
        result = sk_metrics_at(&t, checkpoint) ? 1 : 2;
    sk_metrics_free(&t);
    sk_lock_release(lock);
    return result;
}
