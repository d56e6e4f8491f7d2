/* beam_rows.c - what a step asks of the decoder, row by row, and its answer. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "search/beam_private.h"

/* The words whose probabilities are asked for, and those that may not follow. */
static void ask(struct sk_beam *b, const struct search *s, const struct hypothesis *h, int R)
{
    const struct sk_sentence *t = s->sentence;
    b->label_first[R] = (int32_t)b->label.n;
    b->ban_first[R] = (int32_t)b->ban.n;
    if (s->step < t->prefixes) {
        sk_word_list_add(&b->label, t->prefix[s->step]);
        return;
    }
    sk_word_list_add(&b->label, SK_EOS);
    if (t->required)
        sk_phrases_leading(t->required, h->required, sk_phrases_all(t->required) & ~h->met, &b->label);
    const struct sk_phrases *avoid[2] = {b->o.avoid, t->avoid};
    for (int i = 0; i < 2; i++) {
        sk_phrases_ending(avoid[i], h->avoided[i], &b->ban);
        if (s->step + 2 == s->limit)         /* the next word is the last one */
            sk_phrases_ending_soon(avoid[i], h->avoided[i], SK_EOS, &b->ban);
    }
}

struct sk_decoder_rows sk_beam_gather(struct sk_beam *b)
{
    int R = 0;
    b->label.n = b->ban.n = 0;
    for (int g = 0; g < b->actives; g++) {
        struct search *s = &b->search[b->active[g]];
        int32_t row = 0;
        b->first[g] = R;
        b->position[g] = s->step;
        for (int k = 0; k < s->n; k++) {
            struct hypothesis *h = &s->h[k];
            if (h->finished)
                continue;
            ask(b, s, h, R);
            b->id[R] = h->node < 0 ? SK_BOS : s->node[h->node].word;
            b->parent[R++] = h->row;
            h->row = row++;
        }
    }
    b->first[b->actives] = R;
    b->label_first[R] = (int32_t)b->label.n;
    b->ban_first[R] = (int32_t)b->ban.n;
    if (b->label_cap < b->label.cap) {
        b->label_cap = b->label.cap;
        b->label_logp = sk_xrealloc(b->label_logp, b->label_cap, sizeof *b->label_logp);
    }
    b->top.label = b->label.word;
    b->top.label_first = b->label_first;
    b->top.label_logp = b->label_logp;
    b->top.ban = b->ban.word;
    b->top.ban_first = b->ban.n ? b->ban_first : NULL;
    return (struct sk_decoder_rows){b->actives, b->active, b->position, b->first, b->id, b->parent};
}

int sk_beam_banned(const struct sk_beam *b, int row, int32_t word)
{
    for (int i = b->ban_first[row]; i < b->ban_first[row + 1]; i++)
        if (b->ban.word[i] == word)
            return 1;
    return 0;
}

/* p (V) over the `allowed` words alone: others have none of it. */
static void restrict_row(float *p, float *kept, int V, const int32_t *allowed, int n)
{
    float most = -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        kept[i] = p[allowed[i]];
        most = kept[i] > most ? kept[i] : most;
    }
    for (int i = 0; i < n; i++)
        sum += exp((double)kept[i] - (double)most);
    for (int v = 0; v < V; v++)
        p[v] = -INFINITY;
    for (int i = 0; i < n; i++)
        p[allowed[i]] = (float)((double)kept[i] - (double)most - log(sum));
}

void sk_beam_distributions(struct sk_beam *b, const struct sk_decoder_rows *rows)
{
    if (!sk_beam_draws_from_all(b)) {
        sk_decoder_top(b->decoder, b->models, b->o.log_linear, &b->top);
        return;
    }
    b->logp = sk_decoder_logprob(b->decoder, b->models, b->o.log_linear);
    for (int g = 0; g < rows->groups; g++) {
        const struct sk_sentence *t = b->search[b->active[g]].sentence;
        for (int r = b->first[g]; r < b->first[g + 1]; r++) {
            float *p = b->logp + (size_t)r * (size_t)b->V;
            if (t->allowed)
                restrict_row(p, b->kept, b->V, t->allowed, t->alloweds);
            for (int i = b->label_first[r]; i < b->label_first[r + 1]; i++)
                b->label_logp[i] = p[b->label.word[i]];
        }
    }
}
