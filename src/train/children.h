/* children.h - processes that do one job together, and who looks after them.
 *
 * SIGTERM, SIGINT and SIGUSR1 are passed on: SIGINT as SIGTERM, since a terminal
 * sends it to the children, too, and a second one would end them at once. The
 * second SIGINT kills them. A child that fails ends the others: they get SIGTERM.
 * If this process dies, however it does, its children get SIGTERM.
 */
#ifndef SK_TRAIN_CHILDREN_H
#define SK_TRAIN_CHILDREN_H

/* Runs children 0 to n - 1 and waits for all of them; child k's exit code is what
 * run(ctx, k) returns. `what` is what messages call a child ("shard"). Of those
 * that fail unasked, it is said which and how.
 *
 * Returns the one exit code: 0 if all are 0, else the first that is neither 0 nor
 * SK_EXIT_TEMP, else SK_EXIT_TEMP. A child that is killed counts as
 * SK_EXIT_TEMP, and so does one that cannot be started; one that crashes as SK_EXIT_BUG. */
int sk_children_run(int n, const char *what, int (*run)(void *ctx, int k), void *ctx);
#endif
