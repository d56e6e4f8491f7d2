/* allowed.h - an output layer of some words only. Its numbers are those of the
 * whole layer: the same rows of the same weight. */
#ifndef SK_MODEL_ALLOWED_H
#define SK_MODEL_ALLOWED_H
#include "model/blocks.h"

struct sk_allowed {
    const int32_t *word;             /* (n) ascending; NULL: all words, and no layer of its own */
    int n;
    struct sk_weight *w;
    float *bias;
};
/* rows: device memory for n rows of the weight, which is free again afterwards. */
void sk_allowed_set(const struct sk_net *net, const struct sk_linear *output, struct sk_allowed *a, const int32_t *word,
                    int n, float *rows);
void sk_allowed_free(const struct sk_net *net, struct sk_allowed *a);

/* What is asked of rows row.. of a step, in words of a: numbers in its list instead of ids. */
struct sk_allowed_top {
    struct sk_top top;
    int32_t *list;                   /* (cap) labels, bans, their bounds, and what is never */
    size_t cap;
};
/* t stays what the answer goes to. */
void sk_allowed_ask(struct sk_allowed_top *q, const struct sk_allowed *a, const struct sk_top *t, int row, int rows);
/* The answer's numbers become words. */
void sk_allowed_answer(const struct sk_allowed_top *q, const struct sk_allowed *a, int rows);
#endif
