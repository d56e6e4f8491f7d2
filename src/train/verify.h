/* verify.h - is a checkpoint what its data, options and seed make it? Since they alone
 * decide its bits, doing the updates before it again tells: broken memory, a wrong
 * build, a file that somebody changed.
 */
#ifndef SK_TRAIN_VERIFY_H
#define SK_TRAIN_VERIFY_H
struct sk_verify_options {
    const char *dir;                 /* nothing is written there */
    int checkpoint;                  /* 0: the last */
    int from;                        /* a checkpoint before it whose state is there, 0: the beginning; -1: the last of these */
    int threads, quiet;
};
/* Exit code: 0 the bits are right, 1 they are not (where is said), others as of
 * training; -1: sk_fail. */
int sk_verify(const struct sk_verify_options *o);
#endif
