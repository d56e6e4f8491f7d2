/* command.c - a user's command for each checkpoint, one at a time, in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/evaluation.h"
#include "modeldir/heldout.h"
#include "modeldir/paths.h"
#include "modeldir/values.h"
#include "train/loop.h"

enum { MOST = 1 << 18, KILLS = 3 };  /* bytes of output that are looked at; times that it may be killed */

/* The first checkpoint that it has not run for; 0: none. */
static int next(const struct sk_trainer *t)
{
    const struct sk_scan *now = &t->beside.now;
    for (int i = 0; i < now->params.n; i++)
        if (now->params.v[i] > t->beside.command.passed && !sk_numbers_have(&now->values, now->params.v[i]))
            return now->params.v[i];
    return 0;
}

/* With a watcher of ours it finds the translations. */
static int is_time(const struct sk_trainer *t, int checkpoint)
{
    return !t->p->monitor || t->beside.gave_up || sk_numbers_have(&t->beside.now.scored, checkpoint);
}

static int is_told(const char *variable)
{
    static const char *const names[] = {"SK_CHECKPOINT=", "SK_MODEL_DIR=", "SK_PARAMS=", "SK_VALIDATION_SOURCE=",
                                        "SK_VALIDATION_TARGET=", "SK_TRANSLATIONS="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return 1;
    return 0;
}

/* Our environment, with what the command is told. What is malloced: from *first on.
 * NULL: sk_fail. */
static char **environment(const struct sk_trainer *t, int checkpoint, int *first)
{
    const char *dir = t->o->output;
    struct sk_evaluation e = {.seed = -1};
    char *source, *target;
    /* Line by line what was translated. */
    int there = sk_evaluation_load(&e, dir, checkpoint);
    long long sentences = e.sentences, seed = there > 0 ? e.seed : -1;
    sk_evaluation_free(&e);
    if (there < 0 || sk_heldout_files(dir, sentences, seed, &source, &target) < 0)
        return NULL;
    char *params = sk_md_checkpoint(dir, "params", checkpoint), *out = sk_md_eval(dir, checkpoint, "out");
    int n = 0, k = 0;
    while (environ[n])
        n++;
    char **env = sk_xcalloc((size_t)n + 7, sizeof *env);
    for (int i = 0; i < n; i++)
        if (!is_told(environ[i]))
            env[k++] = environ[i];
    *first = k;
    env[k++] = sk_xprintf("SK_CHECKPOINT=%d", checkpoint);
    env[k++] = sk_xprintf("SK_MODEL_DIR=%s", dir);
    env[k++] = sk_xprintf("SK_PARAMS=%s", params);
    env[k++] = sk_xprintf("SK_VALIDATION_SOURCE=%s", source);
    env[k++] = sk_xprintf("SK_VALIDATION_TARGET=%s", target);
    env[k] = sk_xprintf("SK_TRANSLATIONS=%s", out);
    free(params);
    free(out);
    free(source);
    free(target);
    return env;
}

static void free_environment(char **env, int first)
{
    for (char **e = env + first; *e; e++)
        free(*e);
    free(env);
}

static int start(struct sk_trainer *t, int checkpoint)
{
    struct sk_command *c = &t->beside.command;
    int ends[2], first, there = sk_evaluation_params_hash(t->o->output, checkpoint, c->params);
    if (there <= 0)
        return there;
    char **env = environment(t, checkpoint, &first);
    if (!env)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        free_environment(env, first);
        return sk_fail_errno("cannot make a pipe");
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)t->o->on_checkpoint, NULL};
    int result = sk_child_start(&c->child, "/bin/sh", argv, env, ends[1]);
    free_environment(env, first);
    close(ends[1]);
    if (result < 0) {
        close(ends[0]);
        return -1;
    }
    c->out = ends[0];
    c->checkpoint = checkpoint;
    sk_str_clear(&c->text);
    return 0;
}

/* What it has printed; a process that it left behind may still have the pipe. */
static void drain(struct sk_command *c)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(c->out, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && c->text.len < MOST)
            sk_str_add(&c->text, bytes, (size_t)n);
}

static void record(struct sk_trainer *t)
{
    struct sk_command *c = &t->beside.command;
    struct sk_str lines = {0};
    char how[64];
    int failed = c->child.status != 0;
    sk_child_how(&c->child, how);
    /* Whoever kills it (memory, the end of a job) does not say that it is wrong; a
     * shell says so of what it runs by 128 and the signal. */
    if (c->child.status > 128) {
        int again = ++c->killed < KILLS;
        sk_warn("checkpoint %d: the command of --on-checkpoint was killed (%s): %s", c->checkpoint, how,
                again ? "it is run again" : "the next start runs it again");
        c->passed = again ? c->checkpoint - 1 : c->checkpoint;
        c->killed = again ? c->killed : 0;
        return;
    }
    c->killed = 0;
    if (!failed && c->text.len)
        sk_values_read(c->text.text, c->text.len, c->checkpoint, &lines);
    if (failed)
        sk_warn("checkpoint %d: the command of --on-checkpoint failed (%s); remove eval/%05d.values to have it run again",
                c->checkpoint, how, c->checkpoint);
    for (char *at = lines.text; at && *at; at = strchr(at, '\n') + 1)
        sk_info("Checkpoint [%d]\t%.*s", c->checkpoint, (int)strcspn(at, "\n"), at);
    if (sk_values_publish(t->o->output, c->checkpoint, c->params, failed ? how : NULL, &lines) < 0)
        sk_warn("%s; what --on-checkpoint said of checkpoint %d is lost", sk_fail_message(), c->checkpoint);
    c->passed = c->checkpoint;
    sk_str_free(&lines);
}

int sk_command_look(struct sk_trainer *t)
{
    struct sk_command *c = &t->beside.command;
    int recorded = 0;
    if (c->child.pid) {
        drain(c);
        if (!sk_child_ended(&c->child))
            return 0;
        drain(c);
        close(c->out);
        record(t);
        recorded = 1;
    }
    int checkpoint = next(t);
    if (checkpoint && is_time(t, checkpoint) && start(t, checkpoint) < 0) {
        sk_warn("%s: --on-checkpoint is not run for checkpoint %d", sk_fail_message(), checkpoint);
        c->passed = checkpoint;
    }
    return recorded;
}

int sk_command_pending(const struct sk_trainer *t)
{
    return t->beside.command.child.pid || next(t) > 0;
}

void sk_command_stop(struct sk_trainer *t)
{
    struct sk_command *c = &t->beside.command;
    if (c->child.pid) {
        sk_child_stop(&c->child);
        close(c->out);
    }
    sk_str_free(&c->text);
}
