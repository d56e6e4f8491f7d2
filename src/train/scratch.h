/* scratch.h - work in a temporary folder that is removed whatever becomes of it. */
#ifndef SK_TRAIN_SCRATCH_H
#define SK_TRAIN_SCRATCH_H
/* Makes a folder in TMPDIR (/tmp) whose name begins with `name` and runs
 * job(ctx, folder) in a child process, which a signal to this one, or its death,
 * kills. Then the folder is removed. The job's exit code; SK_EXIT_TEMP after a
 * signal; others after sk_die. `what` is the job's name in messages. */
int sk_in_scratch(const char *name, const char *what, int (*job)(void *ctx, const char *folder), void *ctx);
#endif
