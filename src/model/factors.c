/* factors.c - source factors: vectors of words and of what comes with them. */
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/msg.h"
#include "model/network.h"

int sk_model_source_width(const struct sk_model_config *c)
{
    return c->architecture == SK_RNN ? c->rnn.embed[0] : c->size[0];
}

int sk_model_word_width(const struct sk_model_config *c)
{
    int width = sk_model_source_width(c);
    for (int k = 0; k < c->factors.n && !c->factors.sum; k++) width -= c->factors.embed[k];
    return width;
}

int sk_factors_check(const struct sk_model_config *c)
{
    const struct sk_factors *f = &c->factors;
    if (f->n < 0 || f->n > SK_FACTORS_MAX)
        return sk_fail(SK_EXIT_USAGE, "%d source factors; up to %d are possible", f->n, SK_FACTORS_MAX);
    for (int k = 0; k < f->n; k++) {
        if (f->vocab[k] < SK_SPECIALS || f->vocab[k] > 1 << 24)
            return sk_fail(SK_EXIT_USAGE, "vocabulary of source factor %d has %d entries; 4 to 16777216 are possible",
                           k + 1, f->vocab[k]);
        if (f->embed[k] < 1 || f->embed[k] > 65536 || (f->sum && f->embed[k] != sk_model_word_width(c)))
            return sk_fail(SK_EXIT_USAGE, "vectors of source factor %d have %d values; %s", k + 1, f->embed[k],
                           f->sum ? "what is added up has one width" : "1 to 65536 are possible");
    }
    if (f->n && sk_model_word_width(c) < 1)
        return sk_fail(SK_EXIT_USAGE, "source factors leave no room for the word's own vector");
    return 0;
}

void sk_factors_params(const struct sk_factors *f, struct sk_params *t)
{
    for (int k = 0; k < f->n; k++) {
        char name[SK_PARAM_NAME];
        snprintf(name, sizeof name, SK_FACTOR_TABLE, k);
        sk_params_add(t, name, SK_INIT_WEIGHT, f->vocab[k], f->embed[k]);
    }
}

void sk_factors_init(struct sk_model *m)
{
    struct sk_net *n = &m->net;
    for (int k = 0; k < m->c.factors.n; k++) {
        char name[SK_PARAM_NAME];
        snprintf(name, sizeof name, SK_FACTOR_TABLE, k);
        const struct sk_param *p = sk_params_find(&m->table, name);
        m->factors.table[k] = n->data + p->offset;
        if (n->grad) m->factors.dtable[k] = n->grad + p->offset;
    }
}

void sk_model_combinations(struct sk_model *m, const int32_t *const *rows) { m->factors.rows = rows; }

void sk_factors_take(struct sk_model *m, int rows)
{
    const struct sk_factors *c = &m->c.factors;
    struct sk_factor_net *f = &m->factors;
    int most = m->embed[0].D;
    if (c->n == 0) return;
    for (int k = 0; k < c->n; k++)
        if (c->embed[k] > most) most = c->embed[k];
    f->cap = rows;
    f->whole = m->net.ops->alloc(m->net.dev, (size_t)rows * (size_t)m->embed[0].width * sizeof *f->whole);
    f->part = m->net.ops->alloc(m->net.dev, (size_t)rows * (size_t)most * sizeof *f->part);
    f->ids = sk_xcalloc((size_t)rows * (size_t)(1 + c->n), sizeof *f->ids);
    f->iota = sk_xcalloc((size_t)rows, sizeof *f->iota);
    for (int i = 0; i < rows; i++) f->iota[i] = i;
}

void sk_factors_give_back(struct sk_model *m)
{
    struct sk_factor_net *f = &m->factors;
    if (!f->whole) return;
    m->net.ops->free(m->net.dev, f->whole);
    m->net.ops->free(m->net.dev, f->part);
    free(f->ids);
    free(f->iota);
    f->whole = f->part = NULL;
    f->ids = f->iota = NULL;
}

/* Ids of the words (0) or of a factor (from 1). */
static int32_t *ids_of(const struct sk_factor_net *f, int k) { return f->ids + (size_t)k * (size_t)f->cap; }

void sk_factors_embed(struct sk_model *m, const int32_t *ids, struct sk_rows rows)
{
    const struct sk_factors *c = &m->c.factors;
    const struct sk_embedding *e = &m->embed[0];
    const struct sk_factor_net *f = &m->factors;
    const struct sk_net *n = &m->net;
    const struct sk_dropout none = {.p = 0};
    SK_ENSURE(f->rows && rows.rows <= f->cap);
    for (int k = 0; k <= c->n; k++)
        for (int t = 0; t < rows.rows; t++) ids_of(f, k)[t] = (*f->rows)[(size_t)ids[t] * (size_t)(1 + c->n) + (size_t)k];
    for (int k = 0, at = 0; k <= c->n; k++) {
        const float *table = k ? f->table[k - 1] : e->table;
        int D = k ? c->embed[k - 1] : e->D;
        float *to = c->sum && k == 0 ? e->x : f->part;
        n->ops->embed_forward(n->dev, to, ids_of(f, k), table, 1, NULL, D, rows, NULL, none);
        if (!c->sum) n->ops->rows_move(n->dev, e->x + at, e->width, NULL, to, D, NULL, rows.rows, D, 0);
        else if (k > 0) n->ops->add(n->dev, e->x, to, (size_t)rows.rows * (size_t)D);
        at += D;
    }
}

const float *sk_factors_backward(struct sk_model *m, const float *g, const struct sk_leaves *leaves, int T,
                                 const int32_t **ids)
{
    const struct sk_factors *c = &m->c.factors;
    const struct sk_embedding *e = &m->embed[0];
    const struct sk_factor_net *f = &m->factors;
    const struct sk_net *n = &m->net;
    const float *part = c->sum ? g : f->part;
    /* The word's part comes last: it stays in `part`. */
    for (int k = c->n, at = e->width; k >= 0; k--) {
        const int32_t *of = ids_of(f, k);
        int D = k ? c->embed[k - 1] : e->D;
        at -= D;
        if (!c->sum) n->ops->rows_move(n->dev, f->part, D, NULL, g + at, e->width, NULL, T, D, 0);
        if (k > 0) n->ops->embed_backward(n->dev, f->dtable[k - 1], c->vocab[k - 1], D, 1, &of, &part, &e->scale, leaves);
    }
    *ids = ids_of(f, 0);
    return part;
}
