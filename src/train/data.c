#include "train/data.h"

#include <string.h>

#include "base/msg.h"

void sk_data_counts_new(struct sk_data_counts *c, const struct sk_data_options *o, const struct sk_inputs *in)
{
    const char *const *given = &in->path[SK_IN_SOURCE_VOCAB];
    *c = (struct sk_data_counts){{NULL, NULL}};
    if (o->shared_vocab) {
        if (!given[0] && !given[1])
            c->side[0] = c->side[1] = sk_vocab_counts_new();
        return;
    }
    for (int side = 0; side < 2; side++)
        if (!given[side])
            c->side[side] = sk_vocab_counts_new();
}

void sk_data_counts_free(struct sk_data_counts *c)
{
    if (c->side[1] != c->side[0])
        sk_vocab_counts_free(c->side[1]);
    sk_vocab_counts_free(c->side[0]);
    *c = (struct sk_data_counts){{NULL, NULL}};
}

int sk_data_given_vocabs(struct sk_vocab *v[2], const struct sk_inputs *in)
{
    const char *const *given = &in->path[SK_IN_SOURCE_VOCAB];
    for (int side = 0; side < 2; side++)
        if (given[side] && !(v[side] = sk_vocab_load(given[side])))
            return -1;
    return 0;
}

/* Says which side's text it is about; 2: both. */
static int fail_text(const struct sk_inputs *in, int side)
{
    static const char *const sides[] = {"source", "target", "both sides"};
    if (in->training)
        return sk_fail_prefix("--data, %s: ", sides[side]);
    if (side == 2)
        return sk_fail_prefix("%s and %s: ", in->path[SK_IN_SOURCE], in->path[SK_IN_TARGET]);
    return sk_fail_prefix("%s: ", in->path[SK_IN_SOURCE + side]);
}

int sk_data_build_vocabs(struct sk_vocab *v[2], const struct sk_data_options *o, const struct sk_inputs *in,
                         struct sk_data_counts *c)
{
    for (int side = 0; side < 2; side++) {
        if (v[side])
            continue;
        /* A shared vocabulary that is given once, or was just built, stands for both sides. */
        if (o->shared_vocab && v[1 - side])
            v[side] = v[1 - side];
        else if (!(v[side] = sk_vocab_build(c->side[side], o->num_words[side], o->word_min_count[side], o->pad_vocab,
                                            o->corpus.pool)))
            return fail_text(in, o->shared_vocab ? 2 : side);
    }
    sk_data_counts_free(c);
    return 0;
}

void sk_data_vocabs_free(struct sk_vocab *v[2])
{
    if (v[1] != v[0])
        sk_vocab_free(v[1]);
    sk_vocab_free(v[0]);
    v[0] = v[1] = NULL;
}

struct sk_pool *sk_data_pool(int wanted)
{
    enum { MOST = 16 };   /* more would wait for those that read */
    int n = wanted ? wanted : sk_cpu_count();
    return sk_pool_new(wanted || n < MOST ? n : MOST);
}
