#include "modeldir/events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "modeldir/tfrecord.h"

static const size_t most_bytes = (size_t)1 << 30;    /* of one file */

struct sk_events {
    char *dir;                       /* DIR/tensorboard */
    struct sk_metrics there;         /* points at checkpoints */
    long long from;                  /* update that this process goes on from */
    int begun, warned, fd;           /* fd -1: no file of our own yet */
    struct sk_str waiting;           /* records not yet written */
};

struct sk_events *sk_events_new(const char *dir)
{
    struct sk_events *e = sk_xcalloc(1, sizeof *e);
    e->dir = sk_path_join(dir, SK_MD_TENSORBOARD);
    e->fd = -1;
    return e;
}

void sk_events_forget(struct sk_events *e)
{
    if (e->fd >= 0) close(e->fd);
    e->fd = -1;
    e->begun = 0;
    sk_str_clear(&e->waiting);
    sk_metrics_free(&e->there);
    e->there = (struct sk_metrics){0};
}

void sk_events_free(struct sk_events *e)
{
    if (!e) return;
    sk_events_forget(e);
    sk_str_free(&e->waiting);
    free(e->dir);
    free(e);
}

static void warn(struct sk_events *e)
{
    if (!e->warned) sk_warn("%s; TensorBoard misses points", sk_fail_message());
    e->warned = 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A metric as a number: 1 and *value, 0: it is none. */
static int number_of(const struct sk_metrics *table, int checkpoint, const struct sk_metric *m, float *value)
{
    double number;
    if (!strcmp(m->value, "True") || !strcmp(m->value, "False")) {
        *value = m->value[0] == 'T';
        return 1;
    }
    if (!sk_metrics_get(table, checkpoint, m->name, &number) || !isfinite(number)) return 0;
    *value = (float)number;
    return isfinite(*value);
}

/* --- what is there ----------------------------------------------------------------- */

/* Does a point stay in a run that stands at this update with this table? */
static int stays(const struct sk_events *e, long long updates, const struct sk_metrics *table, const char *tag,
                 long long step, float value)
{
    double known;
    if (!strncmp(tag, SK_EVENTS_UPDATE, strlen(SK_EVENTS_UPDATE))) return step <= updates;
    const struct sk_metrics_line *line = step > 0 && step <= INT_MAX ? sk_metrics_at(table, (int)step) : NULL;
    if (!line || sk_metrics_get(&e->there, (int)step, tag, &known)) return 0;
    for (int i = 0; i < line->n; i++) {
        float expected;
        if (!strcmp(line->m[i].name, tag))
            return number_of(table, (int)step, &line->m[i], &expected) && expected == value;
    }
    return 1;
}

/* One file: what contradicts is taken out of it. 0 or -1. */
static int read_file(struct sk_events *e, const char *path, long long updates, const struct sk_metrics *table)
{
    struct sk_str kept = {0};
    const char *data;
    char tag[SK_TAG];
    long long step;
    float value;
    size_t len, at = 0, n;
    int got, points = 0;
    char *text = sk_file_load(path, most_bytes, &len);
    if (!text) return -1;
    for (size_t from = 0; (got = sk_tfrecord_next(text, len, &at, &data, &n)) > 0; from = at) {
        int scalar = sk_tfrecord_read_scalar(data, n, &step, tag, &value);
        if (scalar && !stays(e, updates, table, tag, step, value)) continue;
        if (scalar && strncmp(tag, SK_EVENTS_UPDATE, strlen(SK_EVENTS_UPDATE)))
            sk_metrics_set_number(&e->there, (int)step, tag, (double)value);
        points += scalar;
        sk_str_add(&kept, text + from, at - from);
    }
    int result = 0;
    if (kept.len < len) result = points ? sk_file_save(path, kept.text, kept.len, SK_REPLACE) : sk_file_remove(path);
    free(text);
    sk_str_free(&kept);
    return result;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Event files, sorted as TensorBoard reads them: how many, or -1. */
static int list(const struct sk_events *e, char ***names)
{
    DIR *d = opendir(e->dir);
    struct dirent *entry;
    int n = 0;
    *names = NULL;
    if (!d && errno != ENOENT) {
        sk_fail_errno("cannot open folder %s", e->dir);
        return -1;
    }
    while (d && (entry = readdir(d))) {
        if (!strstr(entry->d_name, "tfevents") || sk_temp_is(entry->d_name)) continue;
        *names = sk_xrealloc(*names, (size_t)n + 1, sizeof **names);
        (*names)[n++] = sk_xstrdup(entry->d_name);
    }
    if (d) closedir(d);
    if (n) qsort(*names, (size_t)n, sizeof **names, by_name);
    return n;
}

void sk_events_begin(struct sk_events *e, long long updates, const struct sk_metrics *table)
{
    if (e->begun) return;
    char **names;
    int n = list(e, &names);
    e->begun = 1;
    e->from = updates;
    if (n < 0 || (n > 0 && sk_file_sweep(e->dir))) warn(e);
    for (int i = 0; i < n; i++) {
        char *path = sk_path_join(e->dir, names[i]);
        if (read_file(e, path, updates, table)) warn(e);
        free(path);
        free(names[i]);
    }
    free(names);
}

/* --- what is added -------------------------------------------------------------------- */

/* The second in a new file's name: after those of the files that are there, two
 * of which a process and its successor may begin in one, or a clock was set back. */
static long long next_second(const struct sk_events *e)
{
    long long second = (long long)time(NULL), had;
    char **names;
    int n = list(e, &names);
    for (int i = 0; i < n; i++) {
        if (sscanf(strstr(names[i], "tfevents"), "tfevents.%lld", &had) == 1 && had >= second && had < LLONG_MAX)
            second = had + 1;
        free(names[i]);
    }
    free(names);
    return second;
}

/* A file of our own, sorted after those that are there. 0 or -1. */
static int create(struct sk_events *e)
{
    char host[128] = "";
    struct sk_str head = {0};
    gethostname(host, sizeof host - 1);
    if (sk_mkdir(e->dir)) return -1;
    long long second = next_second(e);
    for (int i = 0; i < 1000 && e->fd < 0; i++) {
        char *name = sk_xprintf("events.out.tfevents.%010lld.%s.%ld.%d", second, host, (long)getpid(), i);
        char *path = sk_path_join(e->dir, name);
        e->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (e->fd < 0 && errno != EEXIST) i = 1000;
        if (e->fd < 0) sk_fail_errno("cannot create %s", path);
        free(path);
        free(name);
    }
    if (e->fd < 0) return -1;
    sk_tfrecord_version(&head, now());
    /* Who watches has seen points that are void. */
    if (e->from < LLONG_MAX) sk_tfrecord_start(&head, now(), e->from + 1);
    sk_str_add(&head, e->waiting.text, e->waiting.len);
    sk_str_free(&e->waiting);
    e->waiting = head;
    return 0;
}

/* 0 or -1. */
static int write_waiting(struct sk_events *e)
{
    if (e->fd < 0 && create(e)) return -1;
    return sk_write_all(e->fd, e->waiting.text, e->waiting.len) ? sk_fail_errno("cannot write to the files in %s", e->dir) : 0;
}

void sk_events_flush(struct sk_events *e)
{
    if (!e->waiting.len) return;
    if (write_waiting(e)) {
        warn(e);
        /* It may end within a record. */
        sk_events_forget(e);
        e->begun = 1;
    }
    sk_str_clear(&e->waiting);
}

void sk_events_scalar(struct sk_events *e, const char *tag, long long step, double value)
{
    if (e->begun && isfinite((float)value)) sk_tfrecord_scalar(&e->waiting, now(), step, tag, (float)value);
}

/* Is a point there with another value? */
static int changed(const struct sk_events *e, const struct sk_metrics *table)
{
    for (int i = 0; i < table->n; i++)
        for (int k = 0; k < table->line[i].n; k++) {
            const struct sk_metric *m = &table->line[i].m[k];
            int checkpoint = table->line[i].checkpoint;
            float value;
            double there;
            if (number_of(table, checkpoint, m, &value) && sk_metrics_get(&e->there, checkpoint, m->name, &there) &&
                (float)there != value)
                return 1;
        }
    return 0;
}

void sk_events_metrics(struct sk_events *e, const struct sk_metrics *table)
{
    SK_ENSURE(e->begun);
    sk_events_flush(e);
    if (changed(e, table)) {
        long long from = e->from;
        sk_events_forget(e);
        sk_events_begin(e, LLONG_MAX, table);
        e->from = from;
    }
    for (int i = 0; i < table->n; i++)
        for (int k = 0; k < table->line[i].n; k++) {
            const struct sk_metric *m = &table->line[i].m[k];
            int checkpoint = table->line[i].checkpoint;
            float value;
            double there;
            if (!number_of(table, checkpoint, m, &value) || sk_metrics_get(&e->there, checkpoint, m->name, &there))
                continue;
            sk_events_scalar(e, m->name, checkpoint, (double)value);
            sk_metrics_set_number(&e->there, checkpoint, m->name, (double)value);
        }
    sk_events_flush(e);
}

void sk_events_merge(const char *dir, const struct sk_metrics *table)
{
    struct sk_events *e = sk_events_new(dir);
    sk_events_begin(e, LLONG_MAX, table);
    sk_events_metrics(e, table);
    sk_events_free(e);
}
