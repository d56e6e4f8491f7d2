/* process.c - pre, post and final strings of layer norm, dropout and residual, forward
 * and backward: see blocks.h. */
#include "model/blocks.h"
#include <stdio.h>
#include <string.h>
#include "base/msg.h"

void sk_process_init(struct sk_net *n, struct sk_process *p, const char *steps, const char *prefix,
                     int D, int owns)
{
    char name[SK_PARAM_NAME];
    snprintf(p->steps, sizeof p->steps, "%s", steps);
    p->D = D;
    p->owns = owns;
    int norms = 0;
    for (int i = 0; steps[i]; i++) {
        if (steps[i] == 'd') p->site[i] = n->sites++;
        if (steps[i] != 'n') continue;
        snprintf(name, sizeof name, "%s_norm_gamma", prefix);
        const struct sk_param *gamma = sk_net_param(n, name);
        snprintf(name, sizeof name, "%s_norm_beta", prefix);
        const struct sk_param *beta = sk_net_param(n, name);
        p->gamma = n->data + gamma->offset;
        p->beta = n->data + beta->offset;
        if (!n->grad) continue;
        p->dgamma[i] = n->grad + gamma->offset;
        p->dbeta[i] = n->grad + beta->offset;
        if (norms++) {      /* the name is shared: gradients of later uses are added at the end */
            p->dgamma[i] = sk_net_extra(n, n->grad + gamma->offset, (size_t)D);
            p->dbeta[i] = sk_net_extra(n, n->grad + beta->offset, (size_t)D);
        }
    }
}

static int ends_in_sum(const struct sk_process *p)
{
    size_t n = strlen(p->steps);
    return n >= 2 && p->steps[n - 2] == 'd' && p->steps[n - 1] == 'r';
}

void sk_process_join(struct sk_process *p, struct sk_process *q)
{
    if (q->steps[0] != 'n' || !ends_in_sum(p)) return;
    p->next = q;
    q->before = p;
}

void sk_process_layout(struct sk_process *p, struct sk_slab *s, int T)
{
    int own = p->owns;
    for (int i = 0; p->steps[i]; i++) {
        if (p->steps[i] == 'n' || !own) p->out[i] = sk_slab_rows(s, (size_t)T * (size_t)p->D);
        if (p->steps[i] == 'n') p->stat[i] = sk_slab_take(s, (size_t)T * 2);
        own = 1;
    }
}

/* The sum that ends at step i, and the norm that takes it: q's at step k. */
static void sum_and_norm(const struct sk_net *n, float *dst, const float *cur, const float *prev, struct sk_process *q,
                         int k, struct sk_rows rows, struct sk_dropout drop)
{
    n->ops->dropout_add_norm(n->dev, dst, q->out[k], q->stat[k], cur, prev, q->gamma, q->beta, q->D, rows, drop);
    q->in[k] = dst;
}

float *sk_process_forward(const struct sk_net *n, struct sk_process *p, float *x, const float *prev,
                          int T, const struct sk_pass *pass, int side)
{
    const struct sk_ops *ops = n->ops;
    struct sk_rows rows = pass->rows[side];
    float drop_p = pass->train ? n->config->dropout_prepost : 0;
    float *cur = x;
    int i = p->begun;
    if (p->begun) cur = p->out[0];
    p->begun = 0;
    for (; p->steps[i]; i++) {
        float *dst = p->out[i] ? p->out[i] : cur;
        if (p->steps[i] == 'n') {
            ops->norm_forward(n->dev, dst, p->stat[i], cur, p->gamma, p->beta, T, p->D);
            p->in[i] = cur;
            cur = dst;
            continue;
        }
        /* The residual is added in the same pass over memory as dropout is made. */
        struct sk_dropout drop = sk_pass_dropout(pass, p->steps[i] == 'd' ? drop_p : 0, p->site[i]);
        int add = p->steps[i] == 'r' || p->steps[i + 1] == 'r';
        if (p->steps[i] == 'd' && add) i++;
        if (!add && drop_p <= 0) continue;
        if (add && p->steps[i + 1] == 'n') {
            sum_and_norm(n, dst, cur, prev, p, i + 1, rows, drop);
            cur = p->out[++i];
        } else if (add && !p->steps[i + 1] && p->next) {
            sum_and_norm(n, dst, cur, prev, p->next, 0, rows, drop);
            p->next->begun = 1;
            cur = dst;
        } else {
            ops->dropout_add(n->dev, dst, cur, add ? prev : NULL, p->D, rows, drop);
            cur = dst;
        }
    }
    return cur;
}

/* --- backward ---------------------------------------------------------------- */

/* A buffer of w that is none of these. */
static float *third(const struct sk_backward *w, const float *a, const float *b, const float *c)
{
    for (int i = 0; i < 4; i++)
        if (w->g[i] != a && w->g[i] != b && w->g[i] != c) return w->g[i];
    SK_BUG("no free gradient buffer");
}

float *sk_backward_other(const struct sk_backward *w, const float *a, const float *b)
{
    return third(w, a, b, NULL);
}

/* The norm at step i of p: dst gets, or (add) is added, the gradient of what it takes;
 * dropped, if any, what that is before the dropout at step k of q. */
static void norm_gradient(const struct sk_net *n, const struct sk_process *p, int i, float *dst, const float *g, int add,
                            float *dropped, const struct sk_process *q, int k, const struct sk_pass *pass, int side)
{
    const struct sk_ops *ops = n->ops;
    struct sk_leaves leaves = pass->leaves[side];
    if (dropped)
        ops->norm_dropout_backward(n->dev, dst, dropped, p->dgamma[i], p->dbeta[i], g, p->in[i], p->stat[i], p->gamma,
                                   p->D, pass->rows[side], leaves,
                                   sk_pass_dropout(pass, n->config->dropout_prepost, q->site[k]), add);
    else
        ops->norm_backward(n->dev, dst, p->dgamma[i], p->dbeta[i], g, p->in[i], p->stat[i], p->gamma, p->D, leaves, add);
}

/* Where the dropout of a string that ends in d, r stands. */
static int last_dropout(const struct sk_process *q) { return (int)strlen(q->steps) - 2; }

/* The steps down to `first`; see sk_process_backward. */
static float *steps_backward(const struct sk_net *n, struct sk_process *p, struct sk_backward *w, float *g,
                             float **residual, int first, int T, const struct sk_pass *pass, int side)
{
    const struct sk_ops *ops = n->ops;
    struct sk_rows rows = pass->rows[side];
    float drop_p = pass->train ? n->config->dropout_prepost : 0, *dropped = w->dropped;
    w->dropped = NULL;
    for (int i = (int)strlen(p->steps) - 1; i >= first; i--) {
        float *dst = NULL;
        switch (p->steps[i]) {
        case 'n': {
            /* What comes before it: d and r of this string, or the end of another. */
            int own = i >= 2 && p->steps[i - 1] == 'r' && p->steps[i - 2] == 'd' && !*residual;
            const struct sk_process *q = own ? p : i == 0 ? p->before : NULL;
            dst = sk_backward_other(w, g, *residual);
            if (q && drop_p > 0)
                dropped = third(w, g, *residual, dst);
            norm_gradient(n, p, i, dst, g, 0, dropped, q, own ? i - 2 : q ? last_dropout(q) : 0, pass, side);
            g = dst;
            break;
        }
        case 'd':
            if (drop_p <= 0) break;
            if (dropped) {               /* the norm after it has made that */
                g = dropped;
                dropped = NULL;
                break;
            }
            dst = g == *residual ? sk_backward_other(w, g, NULL) : g;
            ops->dropout_add(n->dev, dst, g, NULL, p->D, rows, sk_pass_dropout(pass, drop_p, p->site[i]));
            g = dst;
            break;
        case 'r':
            if (!*residual) {
                *residual = g;
                break;
            }
            if (g == *residual) {
                dst = sk_backward_other(w, g, NULL);
                ops->copy(n->dev, dst, g, (size_t)T * (size_t)p->D * n->item);
                g = dst;
            }
            ops->dropout_add(n->dev, *residual, g, *residual, p->D, rows, sk_pass_dropout(pass, 0, 0));
            break;
        }
    }
    w->dropped = dropped;
    return g;
}

float *sk_process_backward(const struct sk_net *n, struct sk_process *p, struct sk_backward *w, float *g,
                           float **residual, int T, const struct sk_pass *pass, int side)
{
    return steps_backward(n, p, w, g, residual, 0, T, pass, side);
}

float *sk_pre_backward(const struct sk_net *n, struct sk_process *p, struct sk_backward *w, float *gy,
                           float *residual, int T, const struct sk_pass *pass, int side)
{
    if (p->steps[0] == 'n' && residual) {
        float *g = steps_backward(n, p, w, gy, &residual, 1, T, pass, side);
        const struct sk_process *q = p->before;
        float *dropped = q && n->config->dropout_prepost > 0 ? sk_backward_other(w, residual, g) : NULL;
        norm_gradient(n, p, 0, residual, g, 1, dropped, q, q ? last_dropout(q) : 0, pass, side);
        w->dropped = dropped;
        return residual;
    }
    float *g = sk_process_backward(n, p, w, gy, &residual, T, pass, side);
    if (residual && g != residual) {
        n->ops->dropout_add(n->dev, residual, g, residual, p->D, pass->rows[side], sk_pass_dropout(pass, 0, 0));
        return residual;
    }
    return g;
}
