/* rnn_memory.c - what the RNN's passes work in: see rnn.h. */
#include "model/rnn.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static int larger(int a, int b) { return a > b ? a : b; }

/* The widest input of a layer. */
static int widest(const struct sk_model *m)
{
    const struct sk_rnn_net *r = m->rnn;
    int K = larger(2 * m->c.size[0], m->c.rnn.embed[0]);
    for (int l = 0; l < r->L[1]; l++) K = larger(K, r->layer[1][l].K);
    return K;
}

/* own: x is no layer's result but put together. */
static void layer_layout(struct sk_model *m, struct sk_rnn_layer *l, struct sk_slab *s, int side, int own)
{
    const struct sk_rnn *c = &m->c.rnn;
    const struct sk_rnn_capacity *cap = &m->rnn->cap;
    size_t T = (size_t)cap->rows[side], S = (size_t)larger(cap->sentences, cap->step), K = (size_t)l->K;
    size_t H = (size_t)l->H, G = (size_t)l->i2h.N;
    int lstm = c->cell == SK_LSTM, masks = m->train && c->dropout_inputs[side] > 0;
    l->own_x = own ? sk_slab_take(s, T * K) : NULL;
    l->own_in = masks ? sk_slab_take(s, T * K) : NULL;
    l->mask_in = masks ? sk_slab_take(s, S * K) : NULL;
    l->mask_state = m->train && c->dropout_states[side] > 0 ? sk_slab_take(s, S * H) : NULL;
    l->gates = sk_slab_take(s, T * SK_CELL_GATES * H);
    l->c = lstm ? sk_slab_take(s, T * H) : NULL;
    l->h = sk_slab_take(s, T * H);
    l->hin = sk_slab_take(s, T * H);
    l->own_out = l->residual ? sk_slab_take(s, T * H) : NULL;
    l->out = l->residual ? l->own_out : l->h;
    l->h0 = side ? sk_slab_take(s, S * H) : NULL;
    l->c0 = side && lstm ? sk_slab_take(s, S * H) : NULL;
    if (!m->train) return;
    l->dx = sk_slab_take(s, T * G);
    l->dhx = lstm ? l->dx : sk_slab_take(s, T * G);
    l->dh = sk_slab_take(s, S * H);
    l->dc = sk_slab_take(s, S * H);
}

static void backward_layout(struct sk_model *m, struct sk_slab *s)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    size_t Ts = (size_t)cap->rows[0], Tt = (size_t)cap->rows[1], T = Ts > Tt ? Ts : Tt, H = (size_t)m->c.size[0];
    size_t S = (size_t)larger(cap->sentences, cap->step), A = (size_t)r->A, most = (size_t)widest(m);
    r->ones = sk_slab_take(s, most);
    if (m->c.rnn.dropout_hidden > 0) {
        r->mask_hidden = sk_slab_take(s, Tt * 2 * H);
        r->mask_packed = sk_slab_take(s, Tt * 2 * H);
    }
    r->ds = sk_slab_take(s, Tt * H);
    r->dpre = sk_slab_take(s, Tt * H);
    r->dpre0 = r->hidden_gamma ? sk_slab_take(s, Tt * H) : r->dpre;
    r->dcat = sk_slab_take(s, S * 2 * H);
    r->dbelow = sk_slab_take(s, S * H);
    r->din = sk_slab_take(s, S * most);
    r->dq = sk_slab_take(s, Tt * A);
    r->dvr = r->v ? sk_slab_take(s, Tt * A) : NULL;
    r->dgr = r->gamma ? sk_slab_take(s, Tt * A) : NULL;
    r->dbr = r->gamma ? sk_slab_take(s, Tt * A) : NULL;
    r->dkeys = r->key.N ? sk_slab_take(s, Ts * A) : NULL;
    r->dmemory = sk_slab_take(s, Ts * H);
    if (!r->key.N) r->dkeys = r->dmemory;
    for (int i = 0; i < 2; i++) {
        r->dlayer[i] = sk_slab_take(s, Ts * (H > (size_t)m->c.rnn.embed[0] ? H : (size_t)m->c.rnn.embed[0]));
        r->dwords[i] = sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]);
    }
    r->de = sk_slab_take(s, S * H);
    r->dz = sk_slab_take(s, S * H);
    r->gp = sk_slab_take(s, T * (A > 4 * H ? A : 4 * H));      /* attention may be wider than all layers */
    r->xp = sk_slab_take(s, T * (A > most ? A : most));
    r->scratch = sk_slab_take(s, 2 * H);
}

static void layout(struct sk_model *m, struct sk_slab *s)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    size_t Ts = (size_t)cap->rows[0], Tt = (size_t)cap->rows[1], T = Ts > Tt ? Ts : Tt, H = (size_t)m->c.size[0];
    size_t S = (size_t)larger(cap->sentences, cap->step), A = (size_t)r->A;
    for (int i = 0; i < 2; i++) {
        m->embed[i].x = sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]);
        m->embed[i].words = m->train && m->c.dropout_embed[i] > 0 ?
            sk_slab_take(s, (i ? Tt : Ts) * (size_t)m->c.rnn.embed[i]) : NULL;
        layer_layout(m, &r->way[i], s, 0, 1);
        for (int l = 0; l < r->L[i]; l++) layer_layout(m, &r->layer[i][l], s, i, i && (l == 0 || m->c.rnn.upper));
    }
    r->none = sk_slab_take(s, S * H);
    r->both = sk_slab_take(s, Ts * H);
    r->memory = sk_slab_take(s, Ts * H);
    r->keys = r->key.N ? sk_slab_take(s, Ts * A) : r->memory;
    r->gx = sk_slab_take(s, T * 4 * H);
    r->gh = sk_slab_take(s, S * 4 * H);
    r->e = sk_slab_take(s, S * H);
    r->e_ranked = sk_slab_take(s, S * H);
    for (int k = 0; k < r->starts && m->c.rnn.layer_norm; k++) {
        r->z[k] = sk_slab_take(s, S * H);
        r->zstat[k] = sk_slab_take(s, S * 2);
    }
    r->q = r->query.N ? sk_slab_take(s, Tt * A) : NULL;
    r->prob = sk_slab_take(s, Tt * (size_t)cap->longest);
    r->context = sk_slab_take(s, Tt * H);
    r->cat = sk_slab_take(s, Tt * 2 * H);
    r->pre = r->hidden_gamma ? sk_slab_take(s, Tt * H) : NULL;
    r->stat = r->hidden_gamma ? sk_slab_take(s, Tt * 2) : NULL;
    r->s = sk_slab_take(s, Tt * H);
    r->top = sk_slab_take(s, Tt * H);
    if (m->train) backward_layout(m, s);
}

static int32_t *numbers(int n) { return sk_xcalloc((size_t)n + 1, sizeof(int32_t)); }

static void take_host(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    const struct sk_rnn_capacity *cap = &r->cap;
    int S = larger(cap->sentences, cap->step), T = larger(cap->rows[0], cap->rows[1]);
    for (int i = 0; i < 3; i++) {
        int side = i == 1;
        r->order[i].first = numbers(cap->max_len[side] + 1);
        r->order[i].packed = numbers(cap->rows[side]);
        r->order[i].inverse = numbers(cap->rows[side]);
        r->order[i].rank = numbers(S);
    }
    for (int i = 0; i < 2; i++) r->swap[i] = numbers(cap->rows[0]);
    r->key_first = numbers(S);
    r->key_n = numbers(S);
    r->last = numbers(S);
    r->zeros = numbers(larger(T, S));
    r->iota = numbers(larger(T, S) + 1);
    for (int i = 0; i <= larger(T, S); i++) r->iota[i] = i;
    r->leaf = numbers(1024);
    r->ordinal = sk_xcalloc((size_t)S + 1, sizeof *r->ordinal);
}

/* Forgets what take_host and sk_rnn_take gave. */
static void forget(struct sk_rnn_net *r)
{
    memset(r->order, 0, sizeof r->order);
    r->swap[0] = r->swap[1] = r->key_first = r->key_n = r->last = r->zeros = r->iota = r->leaf = NULL;
    r->ordinal = NULL;
    r->slab = NULL;
}

static void free_host(struct sk_rnn_net *r)
{
    for (int i = 0; i < 3; i++) {
        free(r->order[i].first);
        free(r->order[i].packed);
        free(r->order[i].inverse);
        free(r->order[i].rank);
    }
    for (int i = 0; i < 2; i++) free(r->swap[i]);
    free(r->key_first);
    free(r->key_n);
    free(r->last);
    free(r->zeros);
    free(r->iota);
    free(r->leaf);
    free(r->ordinal);
    forget(r);
}

static void fill_ones(struct sk_model *m)
{
    int n = widest(m);
    float *one = sk_xcalloc((size_t)n, sizeof *one);
    for (int i = 0; i < n; i++) one[i] = 1;
    m->net.ops->upload(m->net.dev, m->rnn->ones, one, (size_t)n * sizeof *one);
    free(one);
}

void sk_rnn_take(struct sk_model *m, const struct sk_rnn_capacity *c)
{
    struct sk_rnn_net *r = m->rnn;
    struct sk_slab s = {0};
    r->cap = *c;
    layout(m, &s);
    r->slab = m->net.ops->alloc(m->net.dev, s.most * sizeof(float));
    s = (struct sk_slab){.base = r->slab};
    layout(m, &s);
    take_host(m);
    if (m->train) fill_ones(m);
}

void sk_rnn_give_back(struct sk_model *m)
{
    struct sk_rnn_net *r = m->rnn;
    if (r->slab) m->net.ops->free(m->net.dev, r->slab);
    r->slab = NULL;
    m->embed[0].x = m->embed[1].x = NULL;
    free_host(r);
}

void sk_rnn_twin(struct sk_model *m)
{
    struct sk_rnn_net *r = sk_xcalloc(1, sizeof *r);
    *r = *m->rnn;
    forget(r);
    for (int i = 0; i < 2; i++) {
        size_t n = (size_t)r->L[i];
        r->layer[i] = sk_xcalloc(n + 1, sizeof *r->layer[i]);
        if (n) memcpy(r->layer[i], m->rnn->layer[i], n * sizeof *r->layer[i]);
    }
    m->rnn = r;
}

void sk_rnn_free_twin(struct sk_model *m)
{
    sk_rnn_give_back(m);
    for (int i = 0; i < 2; i++) free(m->rnn->layer[i]);
    free(m->rnn);
}
