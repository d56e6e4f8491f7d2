#include "text/mix.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"

enum { PARTS = 32, WINDOW = 1024 };

struct sk_mix {
    int n, largest;                  /* the part with the largest share */
    struct sk_corpus **part;
    uint64_t *share;                 /* (n) in units of 2^-32 */
};
struct sk_mixer {
    const struct sk_mix *m;
    int64_t seed, g;                 /* g: the pair that is next, from the beginning of training */
    uint8_t from[WINDOW];            /* which part gives each of its pairs */
    int64_t *taken;                  /* (n) pairs before g */
    struct sk_reader **reader;       /* (n) */
};

void sk_corpus_stats_add(struct sk_corpus_stats *to, const struct sk_corpus_stats *more)
{
    double n = (double)to->pairs, k = (double)more->pairs, all = n + k;
    double mean = (n * to->length_ratio_mean + k * more->length_ratio_mean) / all;
    double squares = n * (to->length_ratio_std * to->length_ratio_std + to->length_ratio_mean * to->length_ratio_mean) +
        k * (more->length_ratio_std * more->length_ratio_std + more->length_ratio_mean * more->length_ratio_mean);
    to->length_ratio_std = sqrt(fmax(0, squares / all - mean * mean));
    to->length_ratio_mean = mean;
    to->others += to->pairs > 0;
    to->pairs += more->pairs;
    to->source_tokens += more->source_tokens;
    to->target_tokens += more->target_tokens;
    to->source_unknown += more->source_unknown;
    to->target_unknown += more->target_unknown;
    to->source_types = to->target_types = to->source_types_known = to->target_types_known = 0;
    to->blank += more->blank;
    to->too_long += more->too_long;
    if (more->max_source > to->max_source) to->max_source = more->max_source;
    if (more->max_target > to->max_target) to->max_target = more->max_target;
}

struct sk_mix *sk_mix_new(struct sk_corpus *const *part, const double *weight, int n, struct sk_corpus_stats *all)
{
    struct sk_mix *m = sk_xcalloc(1, sizeof *m);
    struct sk_hash *h = sk_hash_new();
    double sum = 0;
    /* So the largest part always has a rest: others give less than one more than their share each. */
    SK_ENSURE(n >= 1 && n <= PARTS && PARTS * (PARTS - 1) <= WINDOW);
    m->n = n;
    m->part = sk_xcalloc((size_t)n, sizeof(struct sk_corpus *));
    m->share = sk_xcalloc((size_t)n, sizeof *m->share);
    for (int i = 0; i < n; i++) {
        sum += weight[i];
        if (weight[i] > weight[m->largest]) m->largest = i;
    }
    *all = *sk_corpus_stats(part[0]);
    for (int i = 0; i < n; i++) {
        const struct sk_corpus_stats *s = sk_corpus_stats(part[i]);
        m->part[i] = part[i];
        m->share[i] = (uint64_t)llround(weight[i] / sum * 0x1p32);
        if (i > 0) sk_corpus_stats_add(all, s);
        sk_hash_add(h, s->hash, strlen(s->hash));
        sk_hash_add(h, &m->share[i], sizeof m->share[i]);
    }
    sk_hash_end(h, all->hash);
    return m;
}

void sk_mix_free(struct sk_mix *m)
{
    if (!m) return;
    for (int i = 0; i < m->n; i++) sk_corpus_close(m->part[i]);
    free(m->part);
    free(m->share);
    free(m);
}

int sk_mix_parts(const struct sk_mix *m) { return m->n; }

const struct sk_corpus_stats *sk_mix_part(const struct sk_mix *m, int i) { return sk_corpus_stats(m->part[i]); }

/* floor(pairs * share), without the product's 64 bits. */
static int64_t part_of(int64_t pairs, uint64_t share)
{
    uint64_t high = (uint64_t)pairs >> 32, low = (uint64_t)pairs & 0xffffffff;
    return (int64_t)(high * share + (low * share >> 32));
}

/* What each part has given before a window. */
static void before(const struct sk_mix *m, int64_t window, int64_t *taken)
{
    int64_t rest = WINDOW * window;
    for (int i = 0; i < m->n; i++) {
        taken[i] = i == m->largest ? 0 : part_of(WINDOW * window, m->share[i]);
        rest -= taken[i];
    }
    taken[m->largest] = rest;
}

/* Which part gives each pair of a window; taken: what they have given before it. */
static void fill(const struct sk_mix *m, int64_t seed, int64_t window, uint8_t from[WINDOW], int64_t *taken)
{
    int64_t *next = sk_xcalloc((size_t)m->n, sizeof *next);
    struct sk_rng v = sk_philox((uint64_t)seed, (uint32_t)window, (uint32_t)((uint64_t)window >> 32), 3, 0);
    uint64_t key = (uint64_t)v.v[0] << 32 | v.v[1], at = 0;
    before(m, window, taken);
    before(m, window + 1, next);
    for (int i = 0; i < m->n; i++)
        for (int64_t k = taken[i]; k < next[i]; k++) from[sk_permute(key, WINDOW, at++)] = (uint8_t)i;
    free(next);
}

void sk_mix_taken(const struct sk_mix *m, int64_t seed, int64_t g, int64_t *taken)
{
    uint8_t from[WINDOW];
    fill(m, seed, g / WINDOW, from, taken);
    for (int64_t i = 0; i < g % WINDOW; i++) taken[from[i]]++;
}

struct sk_mixer *sk_mixer_new(const struct sk_mix *m, int64_t seed)
{
    struct sk_mixer *x = sk_xcalloc(1, sizeof *x);
    x->m = m;
    x->seed = seed;
    x->taken = sk_xcalloc((size_t)m->n, sizeof *x->taken);
    x->reader = sk_xcalloc((size_t)m->n, sizeof(struct sk_reader *));
    for (int i = 0; i < m->n; i++) x->reader[i] = sk_reader_new(m->part[i], seed);
    sk_mixer_seek(x, 0);
    return x;
}

void sk_mixer_free(struct sk_mixer *x)
{
    if (!x) return;
    for (int i = 0; i < x->m->n; i++) sk_reader_free(x->reader[i]);
    free(x->reader);
    free(x->taken);
    free(x);
}

void sk_mixer_seek(struct sk_mixer *x, int64_t g)
{
    x->g = g;
    fill(x->m, x->seed, g / WINDOW, x->from, x->taken);
    for (int64_t i = 0; i < g % WINDOW; i++) x->taken[x->from[i]]++;
}

int sk_mixer_peek(struct sk_mixer *x, struct sk_pair *pair)
{
    int part = x->from[x->g % WINDOW];
    struct sk_reader *r = x->reader[part];
    int64_t pairs = sk_mix_part(x->m, part)->pairs, epoch, k;
    sk_reader_tell(r, &epoch, &k);
    if ((epoch != x->taken[part] / pairs || k != x->taken[part] % pairs) &&
        sk_reader_seek(r, x->taken[part] / pairs, x->taken[part] % pairs))
        return -1;
    return sk_reader_peek(r, pair) > 0 ? 0 : -1;
}

void sk_mixer_step(struct sk_mixer *x)
{
    struct sk_pair pair;
    int part = x->from[x->g % WINDOW];
    /* It has been looked at: the part's reader stands before it. */
    SK_ENSURE(sk_reader_next(x->reader[part], &pair) == 1);
    x->taken[part]++;
    if (++x->g % WINDOW == 0) sk_mixer_seek(x, x->g);
}
