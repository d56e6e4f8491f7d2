/* beside.h - what runs beside training: evaluators, whose results are taken
 * over as they come; a watcher of our own; a user's command for each
 * checkpoint. Private to this folder; loop.h has the calls.
 *
 * The watcher (sk-bleu-eval --watch, from the folder of this program) and the
 * command end with this process, also when it is killed. What they have not
 * done is done by those of the next start.
 */
#ifndef SK_TRAIN_BESIDE_H
#define SK_TRAIN_BESIDE_H
#include <sys/types.h>
#include "base/hash.h"
#include "base/mem.h"
#include "modeldir/scan.h"

/* A process of ours. */
struct sk_child {
    pid_t pid;                       /* 0: none */
    int status, signal;              /* once it has ended: exit code, or 128 + signal; the signal, or 0 */
};
/* Starts a program that ends with us; out >= 0 is its standard output (-1:
 * nowhere), its input is empty: 0 or -1 (sk_fail). (child.c) */
int sk_child_start(struct sk_child *c, const char *path, char *const argv[], char *const env[], int out);
/* Has it ended? 1: yes, c->status says how; 0. */
int sk_child_ended(struct sk_child *c);
/* Ends it and what it started, and waits for that. */
void sk_child_stop(struct sk_child *c);
/* "exit status 3", "ended by Killed" */
void sk_child_how(const struct sk_child *c, char text[64]);

struct sk_command {
    struct sk_child child;
    int checkpoint;                  /* that it runs for */
    int out;                         /* the end of its output that we read */
    struct sk_str text;              /* that it has printed so far */
    char params[SK_HASH_HEX];        /* checksum of the checkpoint's */
    int passed, killed;              /* not again in this life: checkpoints up to this one; how often it was killed */
};
struct sk_beside {
    int open, notify;
    double looked, complained;       /* clock of the last listing, and of the last trouble with it that was said */
    struct sk_scan now;              /* what it found; all results of it have been taken over */
    struct sk_child watcher;
    double started, restart, pause;  /* clock: when, not before; seconds, which double */
    int gave_up;                     /* it left checkpoints undone when training had ended, or cannot be started */
    int failed;                      /* --stop-training-on-decoder-failure, and it did */
    struct sk_command command;
};
struct sk_trainer;
/* Reads what the command has printed; when it has ended records what it said;
 * starts it for the next checkpoint whose time has come. 1: there are new
 * values; 0. (command.c) */
int sk_command_look(struct sk_trainer *t);
/* Does it run, or is there a checkpoint that it is still to be run for? */
int sk_command_pending(const struct sk_trainer *t);
void sk_command_stop(struct sk_trainer *t);
#endif
