/* decoder.c - translating: encoder results and keys and values of hypotheses
 * are kept; each step adds one row to each hypothesis.
 *
 * Nothing is copied when a beam is reordered: a hypothesis is a list of
 * cells, each a key and a value, and continues its parent's list. A sentence
 * takes its cells in pages of POSITIONS positions of `beam` cells, and gives
 * them back when its slot is taken by another; pages come in blocks.
 *
 * Memory grows to the longest source, and to the translations that are there
 * at a time, since the longest possible ones are rare.
 */
#include "model/network.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "model/allowed.h"
#include "model/rnn.h"

enum { POSITIONS = 8, PAGES = 32 };    /* of a page; of a block */

struct sk_decoder {
    struct sk_model *m;
    struct sk_rnn_decoder *rnn;      /* of SK_RNN: in place of all cells and keys */
    int slots, source_rows, beam, rows, max_steps;       /* rows: slots * beam */
    int width;                       /* rows of a slot's place among the source keys */
    int most_pages;                  /* of a slot */
    int blocks, block_pages;         /* blocks there are; pages of each */
    int32_t *page;                   /* (slots, most_pages) */
    int32_t *pages;                  /* (slots) pages each has */
    int32_t *spare;                  /* pages that nobody has */
    int spares;
    int64_t *zeros;                  /* ordinals: no dropout here */
    int32_t *iota;
    float ***cells;                  /* per layer with self-attention: its blocks */
    float **key, **value;            /* per layer: of the sources */
    float *k, *v;                    /* (source_rows, D) keys and values before they get their places */
    float *slab[2];
    float *logp, *host_logp;         /* (rows, V), where whole distributions are needed */
    const float *top;                /* (R, D) result of a step */
    int R;
    struct sk_decoder_rows step;     /* the caller's */
    struct sk_allowed *allowed;      /* (slots), or NULL: never all words are not */
    float *weight_rows;              /* (most_allowed, D) */
    int most_allowed;
    struct sk_allowed_top asked;
    int32_t *length;                 /* (slots) source rows */
    int32_t *past[2];                /* (rows, max_steps) cells of each hypothesis, at odd and even positions */
    const int32_t **index;           /* (rows) lists given to attention */
    int32_t *keys, *at;              /* (rows) their lengths; positions */
    int32_t *group_keys;             /* (slots) */
};

struct sk_decoder *sk_decoder_new(struct sk_model *m, int slots, int source_rows, int beam, int max_steps)
{
    const struct sk_model_config *c = &m->c;
    const struct sk_ops *ops = m->net.ops;
    struct sk_decoder *d = sk_xcalloc(1, sizeof *d);
    SK_ENSURE(!m->train && !m->decoders && max_steps <= c->max_len[1]);
    m->decoders = 1;
    int rows = slots * beam, longest = source_rows < c->max_len[0] ? source_rows : c->max_len[0];
    *d = (struct sk_decoder){.m = m, .slots = slots, .source_rows = source_rows, .beam = beam, .rows = rows,
                             .max_steps = max_steps};
    sk_factors_take(m, source_rows);
    if (m->rnn) {
        d->rnn = sk_rnn_decoder_new(m, slots, source_rows, beam, max_steps);
        return d;
    }
    size_t R = (size_t)rows, S = (size_t)slots, D = (size_t)c->size[1], Ts = (size_t)source_rows;
    d->zeros = sk_xcalloc(S > R ? S : R, sizeof *d->zeros);
    d->iota = sk_xcalloc(R + 1, sizeof *d->iota);
    for (int i = 0; i <= rows; i++) d->iota[i] = i;
    d->slab[0] = sk_model_layout(m, 0, source_rows, 0, sk_model_pairs(ops, source_rows, longest, 0), 0);
    d->slab[1] = sk_model_layout(m, 1, rows, 0, 0, 1);
    m->embed[0].x = ops->alloc(m->net.dev, Ts * (size_t)c->size[0] * sizeof(float));
    m->embed[1].x = ops->alloc(m->net.dev, R * D * sizeof(float));
    d->k = ops->alloc(m->net.dev, Ts * D * sizeof(float));
    d->v = ops->alloc(m->net.dev, Ts * D * sizeof(float));
    d->most_pages = (max_steps + POSITIONS - 1) / POSITIONS;
    int all = slots * d->most_pages;
    d->block_pages = all < PAGES ? all : PAGES;
    int most_blocks = (all + d->block_pages - 1) / d->block_pages;
    d->page = sk_xcalloc((size_t)all, sizeof *d->page);
    d->pages = sk_xcalloc(S, sizeof *d->pages);
    d->spare = sk_xcalloc((size_t)(most_blocks * d->block_pages), sizeof *d->spare);
    d->cells = sk_xcalloc((size_t)m->blocks[1], sizeof *d->cells);
    for (int i = 0; i < m->blocks[1]; i++)
        if (m->block[1][i].kind == SK_SELF) d->cells[i] = sk_xcalloc((size_t)most_blocks, sizeof **d->cells);
    d->key = sk_xcalloc((size_t)m->blocks[1], sizeof *d->key);
    d->value = sk_xcalloc((size_t)m->blocks[1], sizeof *d->value);
    d->length = sk_xcalloc(S, sizeof *d->length);
    for (int i = 0; i < 2; i++) d->past[i] = sk_xcalloc(R * (size_t)max_steps, sizeof **d->past);
    d->index = sk_xcalloc(R, sizeof *d->index);
    d->keys = sk_xcalloc(R, sizeof *d->keys);
    d->at = sk_xcalloc(R, sizeof *d->at);
    d->group_keys = sk_xcalloc(S, sizeof *d->group_keys);
    return d;
}

static void free_allowed(struct sk_decoder *d)
{
    for (int i = 0; d->allowed && i < d->slots; i++) sk_allowed_free(&d->m->net, &d->allowed[i]);
    free(d->allowed);
    free(d->asked.list);
    if (d->weight_rows) d->m->net.ops->free(d->m->net.dev, d->weight_rows);
}

void sk_decoder_free(struct sk_decoder *d)
{
    if (!d) return;
    struct sk_model *m = d->m;
    const struct sk_ops *ops = m->net.ops;
    sk_factors_give_back(m);
    if (d->rnn) {
        sk_rnn_decoder_free(d->rnn);
        if (d->logp) ops->free(m->net.dev, d->logp);
        free(d->host_logp);
        free_allowed(d);
        m->decoders = 0;
        free(d);
        return;
    }
    for (int i = 0; i < m->blocks[1]; i++) {
        if (d->key[i]) ops->free(m->net.dev, d->key[i]);
        if (d->value[i]) ops->free(m->net.dev, d->value[i]);
        for (int k = 0; d->cells[i] && k < d->blocks; k++) ops->free(m->net.dev, d->cells[i][k]);
        free(d->cells[i]);
    }
    for (int i = 0; i < 2; i++) {
        ops->free(m->net.dev, d->slab[i]);
        ops->free(m->net.dev, m->embed[i].x);
        m->embed[i].x = NULL;
        free(d->past[i]);
    }
    ops->free(m->net.dev, d->k);
    ops->free(m->net.dev, d->v);
    if (d->logp) ops->free(m->net.dev, d->logp);
    free(d->host_logp);
    free_allowed(d);
    free(d->zeros);
    free(d->iota);
    free(d->cells);
    free(d->page);
    free(d->pages);
    free(d->spare);
    free(d->key);
    free(d->value);
    free(d->length);
    free(d->index);
    free(d->keys);
    free(d->at);
    free(d->group_keys);
    m->decoders = 0;
    free(d);
}

/* --- memory as it is needed ------------------------------------------------- */

/* A buffer of `slots` places of `to` floats instead of `from` (0: there is none). */
static void regrow(const struct sk_decoder *d, float **p, size_t from, size_t to)
{
    const struct sk_net *n = &d->m->net;
    float *more = n->ops->alloc(n->dev, (size_t)d->slots * to * sizeof *more);
    for (int i = 0; *p && i < d->slots; i++)
        n->ops->copy(n->dev, more + (size_t)i * to, *p + (size_t)i * from, from * sizeof *more);
    if (*p) n->ops->free(n->dev, *p);
    *p = more;
}

/* Room for sources of `longest` rows. */
static void widen(struct sk_decoder *d, int longest)
{
    const struct sk_model *m = d->m;
    int width = (longest + 15) / 16 * 16;
    if (width <= d->width) return;
    size_t D = (size_t)m->c.size[1], from = (size_t)d->width * D, to = (size_t)width * D;
    for (int i = 0; i < m->blocks[1]; i++)
        if (m->block[1][i].kind == SK_CROSS) {
            /* Keys of a sentence stand at the front of its place, whatever its width. */
            regrow(d, &d->key[i], from, to);
            regrow(d, &d->value[i], from, to);
        }
    d->width = width;
}

/* One block of pages more. */
static void more_pages(struct sk_decoder *d)
{
    const struct sk_model *m = d->m;
    size_t floats = (size_t)d->block_pages * POSITIONS * (size_t)d->beam * 2 * (size_t)m->c.size[1];
    for (int i = 0; i < m->blocks[1]; i++)
        if (d->cells[i]) d->cells[i][d->blocks] = m->net.ops->alloc(m->net.dev, floats * sizeof(float));
    for (int i = d->block_pages - 1; i >= 0; i--) d->spare[d->spares++] = d->blocks * d->block_pages + i;
    d->blocks++;
}

static void give_back(struct sk_decoder *d, int slot)
{
    while (d->pages[slot] > 0)
        d->spare[d->spares++] = d->page[(size_t)slot * (size_t)d->most_pages + (size_t)--d->pages[slot]];
}

/* The first cell of a sentence at a position; the position before has been there. */
static int32_t cell_at(struct sk_decoder *d, int slot, int position)
{
    int32_t *page = d->page + (size_t)slot * (size_t)d->most_pages;
    int at = position / POSITIONS;
    if (at == d->pages[slot]) {
        if (d->spares == 0) more_pages(d);
        page[d->pages[slot]++] = d->spare[--d->spares];
    }
    SK_ENSURE(at < d->pages[slot]);
    return (page[at] * POSITIONS + position % POSITIONS) * d->beam;
}

/* --- encoding ------------------------------------------------------------------ */

void sk_decoder_encode(struct sk_decoder *d, const int32_t *ids, const int32_t *offset, int n, const int32_t *slot)
{
    struct sk_model *m = d->m;
    const struct sk_ops *ops = m->net.ops;
    SK_ENSURE(n <= d->slots && offset[n] <= d->source_rows);
    if (d->rnn) {
        sk_rnn_decoder_encode(d->rnn, ids, offset, n, slot);
        return;
    }
    int longest = 0;
    for (int i = 0; i < n; i++) {
        SK_ENSURE(slot[i] >= 0 && slot[i] < d->slots);
        give_back(d, slot[i]);
        d->length[slot[i]] = offset[i + 1] - offset[i];
        if (d->length[slot[i]] > longest) longest = d->length[slot[i]];
    }
    widen(d, longest);
    struct sk_pass pass = {.rows = {{offset[n], n, offset, d->zeros}}};
    const float *memory = sk_model_stack(m, 0, sk_model_embed(m, 0, ids, NULL, &pass), NULL, &pass);
    for (int i = 0; i < m->blocks[1]; i++)
        if (m->block[1][i].kind == SK_CROSS) {
            sk_cross_keys(&m->net, &m->block[1][i], d->k, d->v, memory, offset[n]);
            ops->attention_keep(m->net.dev, d->key[i], d->value[i], d->width, d->k, d->v, m->c.size[1], pass.rows[0],
                                slot);
        }
}

/* --- one step -------------------------------------------------------------------- */

/* The cells of each row, its own at the end; positions; lengths. */
static void make_lists(struct sk_decoder *d, const struct sk_decoder_rows *in)
{
    for (int g = 0; g < in->groups; g++) {
        int s = in->slot[g], p = in->position[g], rows = in->first[g + 1] - in->first[g];
        SK_ENSURE(s >= 0 && s < d->slots && p >= 0 && p < d->max_steps && rows > 0 && rows <= d->beam);
        int32_t cell = cell_at(d, s, p);
        d->group_keys[g] = d->length[s];
        int32_t *now = d->past[p % 2], *before = d->past[1 - p % 2];
        for (int k = 0; k < rows; k++) {
            int r = in->first[g] + k;
            SK_ENSURE(p == 0 || (in->parent[r] >= 0 && in->parent[r] < d->beam));
            int32_t *list = now + (size_t)(s * d->beam + k) * (size_t)d->max_steps;
            if (p)
                memcpy(list, before + (size_t)(s * d->beam + in->parent[r]) * (size_t)d->max_steps,
                       (size_t)p * sizeof *list);
            list[p] = cell + k;
            d->index[r] = list;
            d->keys[r] = p + 1;
            d->at[r] = p;
        }
    }
}

void sk_decoder_step(struct sk_decoder *d, const struct sk_decoder_rows *in)
{
    struct sk_model *m = d->m;
    const struct sk_net *n = &m->net;
    const struct sk_ops *ops = n->ops;
    int R = in->first[in->groups];
    SK_ENSURE(in->groups <= d->slots);
    d->R = R;
    d->step = *in;
    if (d->rnn) {
        d->top = sk_rnn_decoder_step(d->rnn, in);
        return;
    }
    make_lists(d, in);
    struct sk_rows rows = {R, R, d->iota, d->zeros};
    struct sk_pass pass = {.rows = {rows, rows}};
    float *x = sk_model_embed(m, 1, in->id, d->at, &pass);
    for (int i = 0; i < m->blocks[1]; i++) {
        struct sk_block *b = &m->block[1][i];
        const float *y = sk_process_forward(n, &b->pre, x, NULL, R, &pass, 1);
        if (b->kind == SK_FEED) {
            sk_feed_forward(n, b, y, &pass);
        } else {
            sk_linear_forward(n, b->wide, y, &b->in, R);
            if (b->kind == SK_SELF)
                ops->attention_self(n->dev, b->mid, b->wide, d->cells[i], d->block_pages * POSITIONS * d->beam, b->H,
                                    b->D, R, d->index, d->keys);
            else
                ops->attention_cross(n->dev, b->mid, b->wide, d->key[i], d->value[i], d->width, b->H, b->D,
                                     in->groups, in->first, in->slot, d->group_keys);
            sk_linear_forward(n, b->f, b->mid, &b->out, R);
        }
        x = sk_process_forward(n, &b->post, b->f, x, R, &pass, 1);
    }
    d->top = sk_process_forward(n, &m->final[1], x, NULL, R, &pass, 1);
}

/* --- the next words ------------------------------------------------------------------ */

void sk_decoder_allow(struct sk_decoder *d, int slot, const int32_t *word, int n)
{
    const struct sk_net *net = &d->m->net;
    if (!d->allowed) d->allowed = sk_xcalloc((size_t)d->slots, sizeof *d->allowed);
    if (n > d->most_allowed) {
        if (d->weight_rows) net->ops->free(net->dev, d->weight_rows);
        d->most_allowed = n + n / 2;
        d->weight_rows = net->ops->alloc(net->dev, (size_t)d->most_allowed * (size_t)d->m->output.K * sizeof *d->weight_rows);
    }
    sk_allowed_set(net, &d->m->output, &d->allowed[slot], word, n, d->weight_rows);
}

/* Rows row.. of a step: of several decoders, or one, over the words of each one's
 * layer w, bias; logp (rows, V) in the first one's memory. */
static float *distributions(struct sk_decoder *const *d, int n, int log_linear, int slot, int row, int rows, int V)
{
    const struct sk_ops *ops = d[0]->m->net.ops;
    struct sk_device *dev = d[0]->m->net.dev;
    float *logp[SK_ENSEMBLE_MAX];
    SK_ENSURE(n <= SK_ENSEMBLE_MAX);
    for (int i = 0; i < n; i++) {
        struct sk_decoder *e = d[i];
        const struct sk_linear *output = &e->m->output;
        const struct sk_allowed *a = slot >= 0 && e->allowed[slot].word ? &e->allowed[slot] : NULL;
        SK_ENSURE(e->R == d[0]->R && output->N == d[0]->m->output.N && e->m->net.dev == dev);
        if (!e->logp) e->logp = ops->alloc(dev, (size_t)e->rows * (size_t)output->N * sizeof *e->logp);
        ops->output_logprob(dev, e->logp, e->top + (size_t)row * (size_t)output->K, a ? a->w : output->w,
                            a ? a->bias : output->bias, V, rows);
        logp[i] = e->logp;
    }
    if (n > 1) ops->logprob_mean(dev, logp, n, log_linear, V, rows);
    return logp[0];
}

/* Of sentences that may not have all words: each has an output layer of its own. */
static void top_allowed(struct sk_decoder *const *d, int n, int log_linear, const struct sk_top *top)
{
    const struct sk_net *net = &d[0]->m->net;
    const struct sk_linear *output = &d[0]->m->output;
    struct sk_allowed_top *q = &d[0]->asked;
    for (int g = 0; g < d[0]->step.groups; g++) {
        int slot = d[0]->step.slot[g], row = d[0]->step.first[g], rows = d[0]->step.first[g + 1] - row;
        const struct sk_allowed *a = &d[0]->allowed[slot];
        int V = a->word ? a->n : output->N;
        sk_allowed_ask(q, a, top, row, rows);
        if (n == 1)
            net->ops->output_top(net->dev, &q->top, d[0]->top + (size_t)row * (size_t)output->K,
                                 a->word ? a->w : output->w, a->word ? a->bias : output->bias, V, rows);
        else
            net->ops->logprob_top(net->dev, &q->top, distributions(d, n, log_linear, slot, row, rows, V), V, rows);
        sk_allowed_answer(q, a, rows);
    }
}

void sk_decoder_top(struct sk_decoder *const *d, int n, int log_linear, const struct sk_top *top)
{
    const struct sk_model *m = d[0]->m;
    const struct sk_ops *ops = m->net.ops;
    int V = m->output.N, R = d[0]->R;
    if (d[0]->allowed)
        top_allowed(d, n, log_linear, top);
    else if (n == 1)
        ops->output_top(m->net.dev, top, d[0]->top, m->output.w, m->output.bias, V, R);
    else
        ops->logprob_top(m->net.dev, top, distributions(d, n, log_linear, -1, 0, R, V), V, R);
}

float *sk_decoder_logprob(struct sk_decoder *const *d, int n, int log_linear)
{
    const struct sk_net *net = &d[0]->m->net;
    size_t V = (size_t)d[0]->m->output.N;
    float *logp = distributions(d, n, log_linear, -1, 0, d[0]->R, (int)V);
    if (net->ops->host) return logp;
    if (!d[0]->host_logp) d[0]->host_logp = sk_xcalloc((size_t)d[0]->rows * V, sizeof *logp);
    net->ops->download(net->dev, d[0]->host_logp, logp, (size_t)d[0]->R * V * sizeof *logp);
    return d[0]->host_logp;
}
