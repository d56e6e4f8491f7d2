#include "train/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/tensors.h"
#include "modeldir/paths.h"
#include "train/options.h"
#include "train/prepare.h"
#include "train/scratch.h"
#include "train/signals.h"
#include "train/trainer.h"

struct replay {
    const struct sk_verify_options *o;
    int checkpoint, from;
    int64_t updates;                 /* of the checkpoint */
};

/* --- what is to be done again --------------------------------------------------------- */

static int has(const char *dir, const char *kind, int number)
{
    char *path = sk_md_checkpoint(dir, kind, number);
    int there = sk_file_exists(path);
    free(path);
    return there;
}

/* The last checkpoint below `before` that training could go on from; 0: the beginning. */
static int resumable(const char *dir, int before)
{
    int *numbers, n = sk_md_list(dir, "state", &numbers), found = n < 0 ? -1 : 0;
    for (int i = 0; i < n; i++)
        if (numbers[i] < before && has(dir, "params", numbers[i]) > 0) found = numbers[i];
    free(numbers);
    return found;
}

static long long line_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (!strncmp(at, name, n) && at[n] == '\t') return atoll(at + n + 1);
    return -1;
}

/* The update that a checkpoint was made at: the last one may lie between two
 * regular ones, which `finished` says. */
static int64_t updates_of(const char *dir, int checkpoint, int frequency)
{
    char *path = sk_path_join(dir, SK_MD_FINISHED);
    size_t n;
    char *text = sk_file_exists(path) > 0 ? sk_file_load(path, 4096, &n) : NULL;
    int64_t updates = (int64_t)checkpoint * frequency;
    if (text && line_of(text, "checkpoint") == checkpoint && line_of(text, "updates") > 0)
        updates = line_of(text, "updates");
    free(text);
    free(path);
    return updates;
}

/* --- the scratch directory -------------------------------------------------------------- */

static int copy(const char *from, const char *to)
{
    char buffer[1 << 16];
    struct sk_file f;
    int in = sk_file_open(from);
    ssize_t n = 0;
    if (in < 0 || sk_file_create(&f, to)) {
        if (in >= 0) close(in);
        return -1;
    }
    int failed = 0;
    while (!failed && (n = read(in, buffer, sizeof buffer)) > 0) failed = sk_file_write(&f, buffer, (size_t)n);
    if (n < 0) failed = sk_fail_errno("cannot read %s", from);
    close(in);
    if (!failed) return sk_file_commit(&f, SK_REPLACE) < 0 ? -1 : 0;
    sk_file_abandon(&f);
    return -1;
}

/* A file of the directory, if it is there: a second name, or a copy. Nobody writes
 * into it: files are replaced. */
static int bring(const char *from, const char *to, const char *name)
{
    char *source = sk_path_join(from, name), *target = sk_path_join(to, name);
    int there = sk_file_exists(source), result = there < 0 ? -1 : 0;
    if (there > 0 && linkat(AT_FDCWD, source, AT_FDCWD, target, AT_SYMLINK_FOLLOW) < 0) result = copy(source, target);
    free(source);
    free(target);
    return result;
}

static int bring_checkpoints(const struct replay *r, const char *to)
{
    static const char *const kinds[] = {"params", "state"};
    int failed = 0;
    for (int k = 0; k < 2 && !failed; k++) {
        int *numbers, n = sk_md_list(r->o->dir, kinds[k], &numbers);
        failed = n < 0;
        for (int i = 0; i < n && !failed && numbers[i] <= r->from; i++) {
            char *name = sk_md_checkpoint_name(kinds[k], numbers[i]);
            failed = bring(r->o->dir, to, name);
            free(name);
        }
        free(numbers);
    }
    return failed ? -1 : 0;
}

/* Scores that were decided on. */
static int bring_scores(const struct replay *r, const char *to)
{
    char *eval = sk_path_join(to, SK_MD_EVAL);
    int failed = sk_mkdir(eval);
    free(eval);
    for (int n = 1; n < r->checkpoint && !failed; n++) {
        char *name = sk_xprintf(SK_MD_EVAL "/%05d.json", n);
        failed = bring(r->o->dir, to, name);
        free(name);
    }
    return failed;
}

/* All files of the folder data/: corpora, and what they were made from. */
static int bring_data(const struct replay *r, const char *to)
{
    char *data = sk_path_join(to, SK_MD_DATA), *from = sk_path_join(r->o->dir, SK_MD_DATA);
    int failed = sk_mkdir(data);
    DIR *d = opendir(from);
    if (!d)
        failed = sk_fail_errno("cannot open folder %s", from);
    for (struct dirent *e; !failed && (e = readdir(d));)
        if (e->d_name[0] != '.')
            failed = bring(from, data, e->d_name);
    if (d)
        closedir(d);
    free(from);
    free(data);
    return failed;
}

static int fill(const struct replay *r, const char *to)
{
    static const char *const names[] = {
        SK_MD_CONFIG, SK_MD_ARGS, SK_MD_VOCAB_SOURCE, SK_MD_VOCAB_TARGET, SK_MD_VALIDATION_SOURCE,
        SK_MD_VALIDATION_TARGET};
    int failed = bring_data(r, to);
    for (int k = 0; k < SK_FACTORS_MAX && !failed; k++)
        failed = bring(r->o->dir, to, sk_md_vocab_factors[k]);
    for (size_t i = 0; i < sizeof names / sizeof *names && !failed; i++) failed = bring(r->o->dir, to, names[i]);
    return failed || bring_checkpoints(r, to) || bring_scores(r, to) ? -1 : 0;
}

/* --- the comparison ---------------------------------------------------------------------------- */

static int open_both(const char *dirs[2], int checkpoint, struct sk_tensors *f[2])
{
    for (int i = 0; i < 2; i++) {
        char *path = sk_md_checkpoint(dirs[i], "params", checkpoint);
        f[i] = sk_tensors_open(path);
        free(path);
        if (!f[i] || sk_tensors_verify(f[i])) return -1;
    }
    return 0;
}

/* Says the first value that differs: 1; 0 there is none; -1. */
static int compare_values(struct sk_tensors *f[2], const char *path)
{
    enum { CHUNK = 4096 };
    float value[2][CHUNK];
    for (int i = 0; i < sk_tensors_count(f[0]); i++) {
        const struct sk_tensor *x = sk_tensors_at(f[0], i), *y = sk_tensors_find(f[1], x->name);
        if (!y || y->size != x->size) {
            sk_info("%s: %s is missing or has another shape", path, x->name);
            return 1;
        }
        for (size_t at = 0; at < x->size; at += CHUNK) {
            size_t m = x->size - at < CHUNK ? x->size - at : CHUNK;
            if (sk_tensors_read(f[0], x, at, m, value[0]) || sk_tensors_read(f[1], y, at, m, value[1])) return -1;
            for (size_t k = 0; k < m; k++)
                if (memcmp(&value[0][k], &value[1][k], sizeof(float))) {
                    sk_info("%s: %s[%zu] is %.9g, but should be %.9g", path, x->name, at + k, (double)value[1][k],
                            (double)value[0][k]);
                    return 1;
                }
        }
    }
    return 0;
}

static int compare(const struct replay *r, const char *folder)
{
    const char *dirs[2] = {folder, r->o->dir};
    struct sk_tensors *f[2] = {NULL, NULL};
    char *path = sk_md_checkpoint(r->o->dir, "params", r->checkpoint);
    int differ = open_both(dirs, r->checkpoint, f);
    if (differ == 0) differ = compare_values(f, path);
    sk_tensors_close(f[0]);
    sk_tensors_close(f[1]);
    if (differ == 0) printf("%s\tright\n", path);
    if (differ > 0) printf("%s\twrong\n", path);
    free(path);
    if (differ < 0) return -1;
    return fflush(stdout) ? sk_fail_errno("standard output") : differ ? SK_EXIT_NO : SK_EXIT_OK;
}

/* --- the replay ---------------------------------------------------------------------------------- */

static int run(const struct replay *r, const struct sk_train_options *given, const struct sk_train_plan *made,
               const char *folder)
{
    struct sk_train_options o = *given;
    struct sk_train_plan p = *made;
    struct sk_train_data data;
    if (sk_train_settle_numbers(&o, 0) < 0)
        return -1;
    o.output = folder;
    o.on_checkpoint = NULL;
    o.keep_last_params = -1;
    o.max_updates = p.limits.max_updates = r->updates;
    p.monitor = 0;
    p.replays = 1;
    if (fill(r, folder)) return -1;
    sk_signals_catch();
    int result = sk_train_prepare(&data, &o, &p, SK_REPLAYS);
    if (result == 0) result = sk_train(&o, &p, &data, NULL);
    sk_train_data_free(&data);
    if (result != 0) return result;
    if (has(folder, "params", r->checkpoint) <= 0)
        return sk_fail(SK_EXIT_DATA, "the replay has ended before checkpoint %d: %s/" SK_MD_ARGS " is not what it was made with",
                       r->checkpoint, r->o->dir);
    return compare(r, folder);
}

struct job { struct replay r; struct sk_train_options options; struct sk_train_plan plan; };

static int replay(void *ctx, const char *folder)
{
    const struct job *job = ctx;
    int result = run(&job->r, &job->options, &job->plan, folder);
    return result < 0 ? sk_die() : result;
}

/* The run's options, as it recorded them. */
static void read_options(struct job *job)
{
    const struct sk_verify_options *o = job->r.o;
    char *args = sk_path_join(o->dir, SK_MD_ARGS), threads[16];
    snprintf(threads, sizeof threads, "%d", o->threads);
    char *self = sk_xstrdup(sk_msg_program_name());
    char *argv[] = {self, (char *)"--config", args, (char *)"--output",
                    (char *)(uintptr_t)o->dir, (char *)"--threads", threads, (char *)"--num-shards", (char *)"1",
                    (char *)"--shard", (char *)"0", (char *)"--no-logfile",
                    o->quiet ? (char *)"--quiet" : NULL, NULL};
    sk_train_options_parse(&sk_train_program, &job->options, &job->plan, o->quiet ? 13 : 12, argv);
    free(args);
    free(self);
}

/* A file that is not whole needs no replay. */
static int check_whole(const char *dir, int checkpoint)
{
    char *path = sk_md_checkpoint(dir, "params", checkpoint);
    struct sk_tensors *f = sk_tensors_open(path);
    int result = f ? sk_tensors_verify(f) : -1;
    sk_tensors_close(f);
    free(path);
    return result;
}

int sk_verify(const struct sk_verify_options *o)
{
    static struct job job;
    struct replay *r = &job.r;
    int *numbers, n = sk_md_list(o->dir, "params", &numbers);
    *r = (struct replay){o, o->checkpoint ? o->checkpoint : n > 0 ? numbers[n - 1] : 0, o->from, 0};
    free(numbers);
    if (n < 0) return -1;
    if (r->checkpoint == 0 || has(o->dir, "params", r->checkpoint) <= 0)
        return sk_fail(SK_EXIT_NOINPUT, "%s has no parameters of checkpoint %d", o->dir, r->checkpoint);
    if (check_whole(o->dir, r->checkpoint)) return -1;
    if (o->from < 0) r->from = resumable(o->dir, r->checkpoint);
    else if (o->from >= r->checkpoint || (o->from > 0 && resumable(o->dir, o->from + 1) != o->from))
        return sk_fail(SK_EXIT_USAGE, "--from %d: no checkpoint before %d with both params and state (sk-train-shard "
                       "--keep-last-states keeps more states)", o->from, r->checkpoint);
    if (r->from < 0) return -1;
    read_options(&job);
    r->updates = updates_of(o->dir, r->checkpoint, job.options.checkpoint_frequency);
    sk_info("Doing the updates from checkpoint %d to %d, the %lldth, again", r->from, r->checkpoint, (long long)r->updates);
    return sk_in_scratch("sk-verify", "the replay", replay, &job);
}
