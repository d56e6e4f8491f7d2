/* beam_required.c - required phrases: dynamic beam allocation (Post & Vilar
 * 2018). A hypothesis belongs to the bank of as many words as it has of the phrases;
 * the beam is divided among the banks, so that those that have many words
 * are not driven out by probable ones that have few. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "search/beam_private.h"

/* What a hypothesis would hold after a word. */
static int progress_after(const struct search *s, const struct candidate *c)
{
    const struct sk_phrases *p = s->sentence->required;
    const struct hypothesis *h = &s->h[c->from];
    int32_t state = h->required;
    uint64_t met = h->met;
    if (c->word >= 0) {
        state = sk_phrases_next(p, state, c->word);
        met |= sk_phrases_ended(p, state, sk_phrases_all(p) & ~met);
    }
    return sk_phrases_progress(p, state, met);
}

static void add(struct sk_beam *b, size_t *n, struct candidate c)
{
    if (*n == b->offered_cap) {
        b->offered_cap = b->offered_cap ? 2 * b->offered_cap : 256;
        b->offered = sk_xrealloc(b->offered, b->offered_cap, sizeof *b->offered);
        b->progress = sk_xrealloc(b->progress, b->offered_cap, sizeof *b->progress);
    }
    b->offered[(*n)++] = c;
}

static int compare(const void *a, const void *b)
{
    return sk_candidate_before(a, b) ? -1 : sk_candidate_before(b, a);
}

/* Besides the n best: the finished hypotheses, for those that hold most stay whatever
 * their score; of each running one the best word, and the words that lead on in a
 * phrase. Sorted, each once. */
static size_t gather(struct sk_beam *b, const struct search *s, int row, int n)
{
    size_t all = 0, kept = 0;
    for (int i = 0; i < n; i++)
        add(b, &all, b->best[i]);
    for (int32_t k = 0; k < s->n && s->step + 1 < s->limit; k++) {
        const struct hypothesis *h = &s->h[k];
        if (h->finished) {
            add(b, &all, (struct candidate){h->logprob, h->score, k, -1});
            continue;
        }
        int r = row + h->row;
        double penalty = b->penalty[s->step + 1];
        const int32_t *id = b->top.id + (size_t)r * (size_t)b->top.k;
        if (b->top.k > 0 && id[0] >= 0) {
            double logprob = h->logprob + (double)b->top.logp[(size_t)r * (size_t)b->top.k];
            add(b, &all, (struct candidate){logprob, -logprob / penalty, k, id[0]});
        }
        for (int i = b->label_first[r] + 1; i < b->label_first[r + 1]; i++) {
            int32_t word = b->label.word[i];
            double logprob = h->logprob + (double)b->label_logp[i];
            double score = word == SK_EOS ? sk_length_score(&b->o, logprob, s->step) : -logprob / penalty;
            if (isfinite(score) && (word == SK_EOS ? sk_beam_may_end(b, s, h, r) : !sk_beam_banned(b, r, word)))
                add(b, &all, (struct candidate){logprob, score, k, word});
        }
    }
    if (all > 1)
        qsort(b->offered, all, sizeof *b->offered, compare);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || compare(&b->offered[i], &b->offered[kept - 1]) != 0)
            b->offered[kept++] = b->offered[i];
    return kept;
}

/* How many of each bank stay: as many of all, the rest of the last one; places
 * that a bank cannot fill go to the banks below it, then to the upper ones. */
static void allocate(int *place, const int *there, int banks, int beam)
{
    int spare = 0;
    for (int i = banks - 1; i >= 0; i--) {
        int share = beam / banks + (i == banks - 1 ? beam % banks : 0) + spare;
        place[i] = share < there[i] ? share : there[i];
        spare = share - place[i];
    }
    for (int i = banks - 1; i >= 0 && spare > 0; i--) {
        int more = there[i] - place[i] < spare ? there[i] - place[i] : spare;
        place[i] += more;
        spare -= more;
    }
}

/* At the longest output all end: those with most first. */
static int most_first(struct sk_beam *b, const struct search *s, int n)
{
    for (int i = 1; i < n; i++) {        /* few, and nearly in order */
        struct candidate c = b->best[i];
        int at = i, has = progress_after(s, &c);
        for (; at > 0 && progress_after(s, &b->best[at - 1]) < has; at--)
            b->best[at] = b->best[at - 1];
        b->best[at] = c;
    }
    return n;
}

int sk_beam_choose_required(struct sk_beam *b, const struct search *s, int row, int n)
{
    if (s->step + 1 == s->limit)
        return most_first(b, s, n);
    int banks = sk_phrases_words(s->sentence->required) + 1, kept = 0;
    size_t all = gather(b, s, row, n);
    int *there = sk_xcalloc(2 * (size_t)banks, sizeof *there), *place = there + banks;
    for (size_t i = 0; i < all; i++) {
        b->progress[i] = progress_after(s, &b->offered[i]);
        there[b->progress[i]]++;
    }
    allocate(place, there, banks, b->o.beam_size);
    for (size_t i = 0; i < all; i++)
        if (place[b->progress[i]]-- > 0)
            b->best[kept++] = b->offered[i];
    free(there);
    return kept;
}
