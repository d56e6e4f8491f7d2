/* recurrent_isa.c - kernels of recurrent layers: cells, and attention of one
 * row. Each value is one chain of operations; sums along a row go to 16
 * partial sums (value e to e % 16), then a fixed tree. */
#include <math.h>
#include <string.h>
#include "math/cpu/attention_inline.h"
#include "math/cpu/recurrent.h"

#define EACH16(n, ...)                                                     \
    for (int e = 0; e < (n); e += 16) {                                    \
        const int part = (n) - e < 16 ? (n) - e : 16;                      \
        __VA_ARGS__                                                        \
    }

void SK_ISA_NAME(sk_flat)(enum sk_flat_kind kind, float *out, const float *a, const float *b, size_t n)
{
    const sk_v16 one = sk_set16(1);
    EACH16((int)n, {
        sk_v16 x = get(a + e, part);
        if (kind == SK_FLAT_TANH) {
            x = sk_tanh16(x);
        } else {
            sk_v16 y = get(b + e, part);
            x = sk_mul16(x, kind == SK_FLAT_MULTIPLY ? y : sk_sub16(one, sk_mul16(y, y)));
        }
        put(out + e, part, x);
    })
}

/* --- cells -------------------------------------------------------------------- */

SK_INLINE void lstm(const struct sk_cell_row *r, int H)
{
    EACH16(H, {
        sk_v16 i = sk_sigmoid16(sk_add16(get(r->x + e, part), get(r->hx + e, part)));
        sk_v16 f = sk_sigmoid16(sk_add16(get(r->x + H + e, part), get(r->hx + H + e, part)));
        sk_v16 g = sk_tanh16(sk_add16(get(r->x + 2 * H + e, part), get(r->hx + 2 * H + e, part)));
        sk_v16 o = sk_sigmoid16(sk_add16(get(r->x + 3 * H + e, part), get(r->hx + 3 * H + e, part)));
        sk_v16 c = sk_fma16(f, get(r->before + e, part), sk_mul16(i, g));
        put(r->gates + e, part, i);
        put(r->gates + H + e, part, f);
        put(r->gates + 2 * H + e, part, g);
        put(r->gates + 3 * H + e, part, o);
        put(r->c + e, part, c);
        put(r->h + e, part, sk_mul16(o, sk_tanh16(c)));
    })
}

SK_INLINE void gru(const struct sk_cell_row *r, int H)
{
    EACH16(H, {
        sk_v16 hn = get(r->hx + 2 * H + e, part);
        sk_v16 g = sk_sigmoid16(sk_add16(get(r->x + e, part), get(r->hx + e, part)));
        sk_v16 z = sk_sigmoid16(sk_add16(get(r->x + H + e, part), get(r->hx + H + e, part)));
        sk_v16 n = sk_tanh16(sk_fma16(g, hn, get(r->x + 2 * H + e, part)));
        put(r->gates + e, part, g);
        put(r->gates + H + e, part, z);
        put(r->gates + 2 * H + e, part, n);
        put(r->gates + 3 * H + e, part, hn);
        put(r->h + e, part, sk_fma16(z, get(r->before + e, part), sk_mul16(sk_sub16(sk_set16(1), z), n)));
    })
}

void SK_ISA_NAME(sk_cell_row)(enum sk_cell cell, const struct sk_cell_row *r, int H)
{
    if (cell == SK_LSTM) lstm(r, H);
    else gru(r, H);
}

/* y (1 - y) */
SK_INLINE sk_v16 sigmoid_slope(sk_v16 y) { return sk_mul16(y, sk_sub16(sk_set16(1), y)); }
SK_INLINE sk_v16 tanh_slope(sk_v16 y) { return sk_sub16(sk_set16(1), sk_mul16(y, y)); }

SK_INLINE void lstm_gradient(const struct sk_cell_row *r, int H)
{
    EACH16(H, {
        sk_v16 i = get(r->gates + e, part);
        sk_v16 f = get(r->gates + H + e, part);
        sk_v16 g = get(r->gates + 2 * H + e, part);
        sk_v16 o = get(r->gates + 3 * H + e, part);
        sk_v16 t = sk_tanh16(get(r->c + e, part));
        sk_v16 dh = get(r->dh + e, part);
        sk_v16 dc = sk_fma16(sk_mul16(dh, o), tanh_slope(t), get(r->dbefore + e, part));
        sk_v16 d[4] = {sk_mul16(sk_mul16(dc, g), sigmoid_slope(i)),
                       sk_mul16(sk_mul16(dc, get(r->before + e, part)), sigmoid_slope(f)),
                       sk_mul16(sk_mul16(dc, i), tanh_slope(g)), sk_mul16(sk_mul16(dh, t), sigmoid_slope(o))};
        for (int k = 0; k < 4; k++) {
            put(r->dx + k * H + e, part, d[k]);
            if (r->dhx) put(r->dhx + k * H + e, part, d[k]);
        }
        put(r->dbefore + e, part, sk_mul16(dc, f));
    })
}

SK_INLINE void gru_gradient(const struct sk_cell_row *r, int H)
{
    EACH16(H, {
        sk_v16 g = get(r->gates + e, part);
        sk_v16 z = get(r->gates + H + e, part);
        sk_v16 n = get(r->gates + 2 * H + e, part);
        sk_v16 hn = get(r->gates + 3 * H + e, part);
        sk_v16 dh = get(r->dh + e, part);
        sk_v16 dn = sk_mul16(sk_mul16(dh, sk_sub16(sk_set16(1), z)), tanh_slope(n));
        sk_v16 dg = sk_mul16(sk_mul16(dn, hn), sigmoid_slope(g));
        sk_v16 dz = sk_mul16(sk_mul16(dh, sk_sub16(get(r->before + e, part), n)), sigmoid_slope(z));
        put(r->dx + e, part, dg);
        put(r->dx + H + e, part, dz);
        put(r->dx + 2 * H + e, part, dn);
        put(r->dhx + e, part, dg);
        put(r->dhx + H + e, part, dz);
        put(r->dhx + 2 * H + e, part, sk_mul16(dn, g));
        put(r->dbefore + e, part, sk_mul16(dh, z));
    })
}

void SK_ISA_NAME(sk_cell_row_gradient)(enum sk_cell cell, const struct sk_cell_row *r, int H)
{
    if (cell == SK_LSTM) lstm_gradient(r, H);
    else gru_gradient(r, H);
}

/* --- attention ------------------------------------------------------------------- */

SK_INLINE float dot(const float *a, const float *b, int n)
{
    sk_v16 s = sk_zero16();
    EACH16(n, { s = sk_fma16(get(a + e, part), get(b + e, part), s); })
    return sk_sum16(s);
}

/* xhat (A) = (q + k - mean) / sqrt(var + 1e-6), or q + k without a norm. Returns 1 / sqrt(...). */
SK_INLINE float inner(float *xhat, const struct sk_attend *a, const float *q, const float *k)
{
    sk_v16 s = sk_zero16();
    EACH16(a->A, {
        sk_v16 x = sk_add16(get(q + e, part), get(k + e, part));
        put(xhat + e, part, x);
        s = sk_add16(s, x);
    })
    if (!a->gamma) return 1;
    const sk_v16 mean = sk_set16(sk_sum16(s) / (float)a->A);
    s = sk_zero16();
    EACH16(a->A, {
        sk_v16 x = sk_sub16(get(xhat + e, part), part == 16 ? mean : sk_select16(sk_mask16((1u << part) - 1), mean,
                                                                                 sk_zero16()));
        put(xhat + e, part, x);
        s = sk_fma16(x, x, s);
    })
    const sk_v16 var = sk_set16(sk_sum16(s) / (float)a->A + 1e-6f);
    const float scale = 1 / sk_first16(sk_sqrt16(var));
    EACH16(a->A, { put(xhat + e, part, sk_mul16(get(xhat + e, part), sk_set16(scale))); })
    return scale;
}

/* tanh of what stands inside, at value e. */
SK_INLINE sk_v16 hidden(const struct sk_attend *a, const float *xhat, int e, int part)
{
    sk_v16 x = get(xhat + e, part);
    return sk_tanh16(a->gamma ? sk_fma16(get(a->gamma + e, part), x, get(a->beta + e, part)) : x);
}

void SK_ISA_NAME(sk_attend_row)(float *context, const struct sk_attend *a, int r, float *scratch)
{
    const size_t A = (size_t)a->A, at = (size_t)a->first[r];
    const float *q = a->q + (size_t)r * A;
    float *p = a->prob + (size_t)r * (size_t)a->ldp;
    const int n = a->n[r];
    for (int j = 0; j < n; j++) {
        const float *k = a->keys + (at + (size_t)j) * A;
        if (!a->v) {
            p[j] = a->scale * dot(q, k, a->A);
            continue;
        }
        sk_v16 s = sk_zero16();
        inner(scratch, a, q, k);
        EACH16(a->A, { s = sk_fma16(get(a->v + e, part), hidden(a, scratch, e, part), s); })
        p[j] = sk_sum16(s);
    }
    softmax(p, n);
    mix(context, p, a->values + at * (size_t)a->D, a->D, a->D, n);
}

/* to (n) += x * from */
SK_INLINE void spread(float *to, float x, const float *from, int n)
{
    EACH16(n, { put(to + e, part, sk_fma16(sk_set16(x), get(from + e, part), get(to + e, part))); })
}

/* The gradient ds of one key's score v . tanh(...), to q, the key, and parameters. */
SK_INLINE void mlp_gradient(const struct sk_attend_gradients *g, const struct sk_attend *a, size_t row, float ds,
                            const float *q, size_t key, float *xhat, float *du)
{
    const float scale = inner(xhat, a, q, a->keys + key);
    sk_v16 sum = sk_zero16(), sum_x = sk_zero16();
    EACH16(a->A, {
        sk_v16 t = hidden(a, xhat, e, part);
        sk_v16 d = sk_mul16(sk_mul16(sk_set16(ds), get(a->v + e, part)), tanh_slope(t));
        put(g->dv + row + e, part, sk_fma16(sk_set16(ds), t, get(g->dv + row + e, part)));
        if (a->gamma) {
            sk_v16 x = get(xhat + e, part);
            put(g->dgamma + row + e, part, sk_fma16(d, x, get(g->dgamma + row + e, part)));
            put(g->dbeta + row + e, part, sk_add16(d, get(g->dbeta + row + e, part)));
            d = sk_mul16(d, get(a->gamma + e, part));
            sum = sk_add16(sum, d);
            sum_x = sk_fma16(d, x, sum_x);
        }
        put(du + e, part, d);
    })
    if (a->gamma) {
        const sk_v16 mean = sk_set16(sk_sum16(sum) / (float)a->A), mean_x = sk_set16(sk_sum16(sum_x) / (float)a->A);
        EACH16(a->A, {
            sk_v16 d = sk_sub16(sk_sub16(get(du + e, part), mean), sk_mul16(get(xhat + e, part), mean_x));
            put(du + e, part, sk_mul16(sk_set16(scale), d));
        })
    }
    spread(g->dkeys + key, 1, du, a->A);
    spread(g->dq + row, 1, du, a->A);
}

void SK_ISA_NAME(sk_attend_row_gradient)(const struct sk_attend_gradients *g, const float *dcontext,
                                         const struct sk_attend *a, int r, float *scratch)
{
    const size_t A = (size_t)a->A, D = (size_t)a->D, at = (size_t)a->first[r], row = (size_t)r * A;
    const float *q = a->q + row, *p = a->prob + (size_t)r * (size_t)a->ldp;
    const int n = a->n[r];
    float *ds = scratch, *xhat = ds + round16(n), *du = xhat + round16(a->A);
    float *const stored[] = {g->dq, g->dv, g->dgamma, g->dbeta};
    for (int i = 0; i < 4; i++)
        if (stored[i]) memset(stored[i] + row, 0, A * sizeof(float));
    for (int j = 0; j < n; j++) ds[j] = dot(dcontext, a->values + (at + (size_t)j) * D, a->D);
    const float mean = dot(p, ds, n);
    for (int j = 0; j < n; j++) {
        const size_t key = (at + (size_t)j) * A;
        const float d = p[j] * (ds[j] - mean);
        spread(g->dvalues + (at + (size_t)j) * D, p[j], dcontext, a->D);
        if (a->v) {
            mlp_gradient(g, a, row, d, q, key, xhat, du);
        } else {
            spread(g->dq + row, a->scale * d, a->keys + key, a->A);
            spread(g->dkeys + key, a->scale * d, q, a->A);
        }
    }
}
