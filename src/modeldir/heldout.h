/* heldout.h - the validation text that checkpoints are evaluated on: all lines
 * of DIR/validation.src and .trg, or a fixed sample of them.
 *
 * SAMPLE. n of m lines: positions 0..n-1 of the permutation of 0..m-1 that the
 * seed keys (sk_permute), in the order of the text. So it is the same for every
 * checkpoint, on every host, after every restart.
 */
#ifndef SK_MODELDIR_HELDOUT_H
#define SK_MODELDIR_HELDOUT_H

/* The trainer's option, as args names it, that says how many lines. */
#define SK_HELDOUT_OPTION "monitor-bleu"

struct sk_text { char **line; long long n; };
struct sk_heldout {
    struct sk_text source, reference;    /* as many lines */
    long long seed;                      /* of the sample; -1: all lines */
};
/* sample: number of lines; < 1, or as many as there are: all. 0, or -1 (sk_fail):
 * SK_EXIT_DATA if a side is empty or the sides have different numbers of lines. */
int sk_heldout_load(struct sk_heldout *h, const char *dir, long long sample, long long seed);
void sk_heldout_free(struct sk_heldout *h);
/* Size of the sample that a training asked for (its --monitor-bleu in DIR/args);
 * -1: all, also where nothing is said. */
long long sk_heldout_wanted(const char *dir);

/* Files of the lines that so many sentences drawn by seed are (-1: all there
 * are), malloced names: DIR/validation.src and .trg, or DIR/eval/sample.SEED.N.src
 * and .trg, which are written if they are not there. 0 or -1. */
int sk_heldout_files(const char *dir, long long sample, long long seed, char **source, char **reference);

/* Lines of a plain file, as sk_translate takes them: 0 or -1. */
int sk_text_load(struct sk_text *t, const char *path);
void sk_text_free(struct sk_text *t);
#endif
