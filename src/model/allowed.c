#include "model/allowed.h"
#include <stdlib.h>
#include "base/mem.h"
#include "base/msg.h"

void sk_allowed_set(const struct sk_net *net, const struct sk_linear *output, struct sk_allowed *a, const int32_t *word,
                    int n, float *rows)
{
    const struct sk_ops *ops = net->ops;
    sk_allowed_free(net, a);
    *a = (struct sk_allowed){.word = word, .n = n};
    if (!word) return;
    ops->rows_move(net->dev, rows, output->K, NULL, output->data, output->K, word, n, output->K, 0);
    a->w = ops->weight_new(net->dev, n, output->K, 0);
    ops->weight_load(net->dev, a->w, rows);
    a->bias = ops->alloc(net->dev, (size_t)n * sizeof *a->bias);
    ops->rows_move(net->dev, a->bias, 1, NULL, output->bias, 1, word, n, 1, 0);
}

void sk_allowed_free(const struct sk_net *net, struct sk_allowed *a)
{
    if (a->w) net->ops->weight_free(net->dev, a->w);
    if (a->bias) net->ops->free(net->dev, a->bias);
    *a = (struct sk_allowed){0};
}

/* The number of a word, or -1. */
static int32_t number(const struct sk_allowed *a, int32_t word)
{
    int low = 0, high = a->n;
    if (!a->word) return word;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (a->word[middle] < word)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->n && a->word[low] == word ? low : -1;
}

/* The numbers of words from..end - 1 that are in the list; returns the end of them. */
static int32_t *translate(int32_t *to, const struct sk_allowed *a, const int32_t *word, int from, int end)
{
    for (int i = from; i < end; i++) {
        int32_t n = number(a, word[i]);
        if (n >= 0) *to++ = n;
    }
    return to;
}

void sk_allowed_ask(struct sk_allowed_top *q, const struct sk_allowed *a, const struct sk_top *t, int row, int rows)
{
    size_t labels = (size_t)(t->label_first[row + rows] - t->label_first[row]);
    size_t bans = t->ban_first ? (size_t)(t->ban_first[row + rows] - t->ban_first[row]) : 0;
    size_t need = labels + bans + 2 * ((size_t)rows + 1) + (size_t)t->nevers;
    if (need > q->cap) q->list = sk_xrealloc(q->list, q->cap = 2 * need, sizeof *q->list);
    int32_t *label_first = q->list, *ban_first = label_first + rows + 1, *at = ban_first + rows + 1;
    q->top = *t;
    q->top.id = t->id + (size_t)row * (size_t)t->k;
    q->top.logp = t->logp + (size_t)row * (size_t)t->k;
    q->top.label_logp = t->label_logp + t->label_first[row];
    q->top.label = at;
    q->top.label_first = label_first;
    for (int r = 0; r < rows; r++) {
        label_first[r] = (int32_t)(at - q->top.label);
        at = translate(at, a, t->label, t->label_first[row + r], t->label_first[row + r + 1]);
    }
    label_first[rows] = (int32_t)(at - q->top.label);
    SK_ENSURE((size_t)label_first[rows] == labels);      /* words that are asked for are allowed */
    q->top.ban = at;
    q->top.ban_first = bans ? ban_first : NULL;
    for (int r = 0; r < rows && bans; r++) {
        ban_first[r] = (int32_t)(at - q->top.ban);
        at = translate(at, a, t->ban, t->ban_first[row + r], t->ban_first[row + r + 1]);
    }
    ban_first[rows] = (int32_t)(at - q->top.ban);
    q->top.never = at;
    q->top.nevers = (int)(translate(at, a, t->never, 0, t->nevers) - at);
}

void sk_allowed_answer(const struct sk_allowed_top *q, const struct sk_allowed *a, int rows)
{
    int32_t *id = q->top.id;
    for (size_t i = 0; a->word && i < (size_t)rows * (size_t)q->top.k; i++)
        if (id[i] >= 0) id[i] = a->word[id[i]];
}
