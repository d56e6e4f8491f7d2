/* regions.c - the gradients, cut into what the backward pass finishes first: the
 * output layer, the decoder from its last layer down, the encoder, the rest. */
#include <stdio.h>
#include <string.h>
#include "base/msg.h"
#include "model/network.h"

/* Layers of a side, from the last down, that have a region of their own. */
enum { OWN = 24 };

static void add(struct sk_model *m, float *data, size_t n, int side, int layer)
{
    SK_ENSURE(m->regions < SK_REGIONS_MAX);
    m->region[m->regions] = (struct sk_model_region){data, n};
    m->done_with[m->regions].side = side;
    m->done_with[m->regions++].layer = layer;
}

static void add_named(struct sk_model *m, const char *prefix, int side, int layer)
{
    size_t offset, n = sk_params_extent(&m->table, prefix, &offset);
    if (n) add(m, m->net.grad + offset, n, side, layer);
}

/* The table's entries that no region has yet, as few regions. */
static void add_rest(struct sk_model *m)
{
    size_t from = 0, total = m->table.total;
    int named = m->regions;
    while (from < total) {
        size_t to = total, past = 0;
        for (int r = 0; r < named; r++) {
            size_t at = (size_t)(m->region[r].data - m->net.grad);
            if (at <= from && from < at + m->region[r].n) past = at + m->region[r].n;
            if (at > from && at < to) to = at;
        }
        if (!past) add(m, m->net.grad + from, to - from, 0, SK_LAYER_LAST);
        from = past ? past : to;
    }
}

void sk_model_cut(struct sk_model *m)
{
    const struct sk_model_config *c = &m->c;
    const struct sk_net *n = &m->net;
    const char *tied = c->tying == SK_TYING_SRC_TRG_SOFTMAX ? "source_target_embed_weight"
                       : c->tying == SK_TYING_TRG_SOFTMAX   ? "target_embed_weight" : NULL;
    static const char *const side[] = {"encoder", "decoder"};
    char prefix[64];
    if (tied) add_named(m, tied, 1, SK_LAYER_OUTPUT);
    add_named(m, "target_output_", 1, SK_LAYER_OUTPUT);
    if (c->architecture == SK_RNN) add_named(m, "decoder_", 1, SK_LAYER_ALL);
    for (int s = 1; s >= 0 && c->architecture != SK_RNN; s--)
        for (int l = c->layers[s] - 1; l >= 0 && l >= c->layers[s] - OWN; l--) {
            snprintf(prefix, sizeof prefix, "%s_transformer_%d_", side[s], l);
            add_named(m, prefix, s, l);
        }
    add_rest(m);
    /* A tied table's gradient of its use as embeddings. */
    for (int i = 0; i < n->sums; i++) add(m, n->sum[i].from, n->sum[i].n, 0, SK_LAYER_LAST);
}

int sk_model_regions(const struct sk_model *m, const struct sk_model_region **region)
{
    *region = m->region;
    return m->regions;
}

void sk_model_done_with(struct sk_model *m, int side, int layer)
{
    int before = m->ready;
    while (m->ready < m->regions && (layer == SK_LAYER_LAST || (m->done_with[m->ready].side == side &&
                                                                m->done_with[m->ready].layer == layer)))
        m->ready++;
    if (m->ready > before && m->when_ready) m->when_ready(m->ready_ctx, m->ready);
}
