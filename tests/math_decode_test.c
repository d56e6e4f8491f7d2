/* Operations of translating: attention of single rows has the bits of
 * attention over whole sentences; the best words are those of the sorted
 * distribution; means of distributions. On all devices the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include "math/ops.h"
#include "tap.h"

enum { DEVICES = TEST_CUDA ? 2 : 4 };
static const struct sk_ops *const ops = &TEST_OPS;
/* 1, 2 and 8 threads, and 2 threads held to AVX2. */
static struct sk_device *device[DEVICES];

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}
static float *filled(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = uniform();
    return p;
}
static float *zeros(size_t n) { return calloc(n + 1, sizeof(float)); }

/* --- attention ------------------------------------------------------------------ */

enum { SENTENCES = 4, LONGEST = 35 };
static const int32_t lengths[SENTENCES] = {1, 16, 7, LONGEST};

/* All of a sentence's queries at once, as training has them, and in groups. */
static void test_cross(int H, int d)
{
    enum { GROUPS = 6, W = 48, SLOTS = 5, Q = 27 };
    /* rows of each group: more than are done side by side, too */
    static const int32_t rows[GROUPS] = {1, 5, 13, 2, 4, 2}, of[GROUPS] = {3, 1, 3, 0, 2, 1}, place[SENTENCES] = {4, 0, 2, 1};
    int D = H * d, T = 0;
    int32_t offset[SENTENCES + 1], first[GROUPS + 1] = {0}, slot[GROUPS], keys[GROUPS];
    int64_t ordinal[SENTENCES] = {0};
    for (int s = 0; s < SENTENCES; s++, T = offset[s])
        offset[s + 1] = (offset[s] = T) + lengths[s];
    for (int g = 0; g < GROUPS; g++) {
        first[g + 1] = first[g] + rows[g];
        slot[g] = place[of[g]];
        keys[g] = lengths[of[g]];
    }
    float *k = filled((size_t)(T * D)), *v = filled((size_t)(T * D)), *q = filled((size_t)(Q * D));
    float *want = zeros((size_t)(Q * D)), *got = zeros((size_t)(Q * D)), *prob = zeros((size_t)(H * Q * LONGEST));
    float *keep_k = filled((size_t)(SLOTS * W * D)), *keep_v = filled((size_t)(SLOTS * W * D));
    struct sk_rows source = {T, SENTENCES, offset, ordinal};
    for (int g = 0; g < GROUPS; g++) {
        int32_t one[2] = {0, rows[g]}, its[2] = {0, lengths[of[g]]};
        struct sk_rows a = {rows[g], 1, one, ordinal}, b = {lengths[of[g]], 1, its, ordinal};
        ops->attention_forward(device[0], want + first[g] * D, prob, q + first[g] * D, D, k + offset[of[g]] * D,
                               v + offset[of[g]] * D, D, H, D, a, b, 0, (struct sk_dropout){0});
    }
    int equal = 0;
    for (int i = 0; i < DEVICES; i++) {
        ops->attention_keep(device[i], keep_k, keep_v, W, k, v, D, source, place);
        ops->attention_cross(device[i], got, q, keep_k, keep_v, W, H, D, GROUPS, first, slot, keys);
        equal += memcmp(got, want, (size_t)(Q * D) * sizeof *got) == 0;
        memset(got, 0, (size_t)(Q * D) * sizeof *got);
    }
    is_int(equal, DEVICES, "attention to kept keys, %d heads of %d: the bits of attention_forward", H, d);
    free(k), free(v), free(q), free(want), free(got), free(prob), free(keep_k), free(keep_v);
}

/* Rows one by one, their cells strewn over two blocks, against a causal pass. */
static void test_self(int H, int d)
{
    enum { BLOCK = 20, CELLS = 2 * BLOCK };
    int D = H * d;
    size_t n = (size_t)(LONGEST * 3 * D);
    float *qkv = filled(n), *want = zeros(n), *got = zeros(n), *prob = zeros((size_t)(H * LONGEST * LONGEST));
    int32_t offset[2] = {0, LONGEST}, index[LONGEST], keys[2];
    int64_t ordinal = 0;
    struct sk_rows all = {LONGEST, 1, offset, &ordinal};
    ops->attention_forward(device[0], want, prob, qkv, 3 * D, qkv + D, qkv + 2 * D, 3 * D, H, D, all, all, 1,
                           (struct sk_dropout){0});
    for (int t = 0; t < LONGEST; t++)
        index[t] = (t * 13 + 5) % CELLS;
    int equal = 0;
    for (int i = 0; i < DEVICES; i++) {
        float *cells[2] = {filled((size_t)(BLOCK * 2 * D)), filled((size_t)(BLOCK * 2 * D))};
        /* two rows at a time: the second is of a stranger with a single cell */
        static const int32_t other[1] = {0};
        const int32_t *lists[2] = {index, other};
        float *two = zeros((size_t)(2 * 3 * D)), *context = zeros((size_t)(2 * D));
        int same = 1;
        for (int t = 0; t < LONGEST; t++) {
            memcpy(two, qkv + t * 3 * D, (size_t)(3 * D) * sizeof *two);
            memcpy(two + 3 * D, qkv, (size_t)(3 * D) * sizeof *two);
            keys[0] = t + 1;
            keys[1] = 1;
            int R = index[t] == 0 || t == 0 ? 1 : 2;
            /* the stranger's cell must not be one of the list's */
            for (int j = 0; j <= t; j++)
                if (index[j] == 0)
                    R = 1;
            ops->attention_self(device[i], context, two, cells, BLOCK, H, D, R, lists, keys);
            same &= memcmp(context, want + t * D, (size_t)D * sizeof *context) == 0;
            same &= R == 1 || memcmp(context + D, qkv + 2 * D, (size_t)D * sizeof *context) == 0;
        }
        equal += same;
        free(cells[0]), free(cells[1]), free(two), free(context);
    }
    is_int(equal, DEVICES, "attention to cells, %d heads of %d: the bits of attention_forward", H, d);
    free(qkv), free(want), free(got), free(prob);
}

/* --- the best words ------------------------------------------------------------- */

enum { V = 1003, D = 24, R = TEST_CUDA ? 6 : 40 };
struct word { float logp; int32_t id; };

static int better(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->logp != y->logp)
        return x->logp > y->logp ? -1 : 1;
    return x->id - y->id;
}

/* The k best of a row by sorting all. */
static void sorted(const float *logp, int k, const int32_t *never, int nevers, int32_t *id, float *value)
{
    static struct word w[V];
    int n = 0;
    for (int32_t v = 0; v < V; v++) {
        int out = !(logp[v] > -INFINITY);
        for (int i = 0; i < nevers; i++)
            out |= never[i] == v;
        if (!out)
            w[n++] = (struct word){logp[v], v};
    }
    qsort(w, (size_t)n, sizeof *w, better);
    for (int i = 0; i < k; i++) {
        id[i] = i < n ? w[i].id : -1;
        value[i] = i < n ? w[i].logp : -INFINITY;
    }
}

static struct sk_top new_top(int k, const int32_t *label)
{
    static const int32_t never[] = {0, 2, 700};
    return (struct sk_top){.k = k, .id = calloc((size_t)(R * k) + 1, sizeof(int32_t)), .logp = zeros((size_t)(R * k)),
                           .never = never, .nevers = 3, .label = label, .label_logp = zeros(R)};
}

static void free_top(struct sk_top *t) { free(t->id), free(t->logp), free(t->label_logp); }

/* Other logits may have the same log probability: then their order is free. */
static int same_words(const int32_t *a, const int32_t *b, int k, const float *logp, int exact)
{
    int good = 1;
    for (int i = 0; i < k; i++)
        good &= a[i] == b[i] || (!exact && a[i] >= 0 && b[i] >= 0 && logp[a[i]] == logp[b[i]]);
    return good;
}

/* Lists of words for each row, of different lengths, some empty: bans, and given words. */
static void test_lists(int k)
{
    float *x = filled(R * D), *w = filled(V * D), *bias = filled(V), *logp = zeros(R * V);
    int32_t first[R + 1] = {0}, *word = calloc((size_t)(R * 8), sizeof *word), never[3 + 8], id[V];
    float value[V];
    int equal = 0, labels = 0, kept = 0;
    for (int r = 0; r < R; r++) {
        first[r + 1] = first[r] + r % 8;
        for (int i = first[r]; i < first[r + 1]; i++)
            word[i] = (r * 131 + i * 37) % V;
    }
    for (int i = 0; i < DEVICES; i++) {
        struct sk_top top = new_top(k, NULL), plain = new_top(k, NULL);
        struct sk_weight *weight = ops->weight_new(device[i], V, D, 0);
        ops->weight_load(device[i], weight, w);
        ops->output_logprob(device[i], logp, x, weight, bias, V, R);
        ops->output_top(device[i], &plain, x, weight, bias, V, R);
        free(top.label_logp);
        top.ban = top.label = word;
        top.ban_first = top.label_first = first;
        top.label_logp = zeros((size_t)(R * 8));
        ops->output_top(device[i], &top, x, weight, bias, V, R);
        for (int r = 0; r < R; r++) {
            int n = first[r + 1] - first[r], good = 1;
            memcpy(never, top.never, 3 * sizeof *never);
            memcpy(never + 3, word + first[r], (size_t)n * sizeof *never);
            sorted(logp + r * V, k, never, 3 + n, id, value);
            equal += memcmp(value, top.logp + r * k, (size_t)k * sizeof *value) == 0 &&
                     same_words(id, top.id + r * k, k, logp + r * V, 0);
            for (int e = first[r]; e < first[r + 1]; e++)
                good &= top.label_logp[e] == logp[r * V + word[e]];
            labels += good;
            kept += n == 0 && memcmp(plain.logp + r * k, top.logp + r * k, (size_t)k * sizeof *value) == 0;
        }
        free_top(&top), free_top(&plain);
        ops->weight_free(device[i], weight);
    }
    is_int(equal, DEVICES * R, "the %d best without the words that a row may not have", k);
    is_int(labels, DEVICES * R, "given words of each row, as many as it has");
    is_int(kept, DEVICES * ((R + 7) / 8), "rows without lists are as ever");
    free(x), free(w), free(bias), free(logp), free(word);
}

/* coarse: logits of few different values, so that many are equal. */
static void test_top(int k, int coarse)
{
    float *x = filled(R * D), *w = filled(V * D), *bias = filled(V), *logp = zeros(R * V), *copy = zeros(R * V);
    int32_t label[R], id[V];
    float value[V];
    int equal = 0, given = 0, labels = 0;
    for (int r = 0; r < R; r++)
        label[r] = r % 5 ? (r * 37) % V : 2;             /* also one that is never chosen */
    for (int i = 0; coarse && i < V * D; i++)
        w[i] = 0;
    for (int v = 0; coarse && v < V; v++)
        bias[v] = (float)(v * 7 % 5);
    for (int i = 0; i < DEVICES; i++) {
        struct sk_top top = new_top(k, label), again = new_top(k, label);
        struct sk_weight *weight = ops->weight_new(device[i], V, D, 0);
        ops->weight_load(device[i], weight, w);
        ops->output_logprob(device[i], logp, x, weight, bias, V, R);
        ops->output_top(device[i], &top, x, weight, bias, V, R);
        for (int r = 0; r < R; r++) {
            sorted(logp + r * V, k, top.never, top.nevers, id, value);
            equal += memcmp(value, top.logp + r * k, (size_t)k * sizeof *value) == 0 &&
                     same_words(id, top.id + r * k, k, logp + r * V, coarse);
            labels += top.label_logp[r] == logp[r * V + label[r]];
        }
        memcpy(copy, logp, R * V * sizeof *copy);
        ops->logprob_top(device[i], &again, copy, V, R);
        int words = 1;
        for (int r = 0; r < R; r++)
            words &= same_words(again.id + r * k, top.id + r * k, k, logp + r * V, coarse);
        given += words && memcmp(top.logp, again.logp, (size_t)(R * k) * sizeof *value) == 0 &&
                 memcmp(top.label_logp, again.label_logp, R * sizeof *value) == 0;
        free_top(&top), free_top(&again);
        ops->weight_free(device[i], weight);
    }
    is_int(equal, DEVICES * R, "the %d best of %d words%s: those of the sorted distribution", k, V,
           coarse ? ", many of them equal" : "");
    is_int(labels, DEVICES * R, "and the given words' log probabilities");
    is_int(given, DEVICES, "the same out of log probabilities");
    free(x), free(w), free(bias), free(logp), free(copy);
}

static void test_strange_rows(void)
{
    float *logp = filled(R * V);
    struct sk_top top = new_top(3, NULL);
    for (int v = 0; v < V; v++) {
        logp[v] = NAN;
        logp[V + v] = v == 500 ? -1 : -INFINITY;
        logp[2 * V + v] = v % 2 ? NAN : -(float)v;
    }
    ops->logprob_top(device[0], &top, logp, V, 3);
    ok(top.id[0] == -1 && top.id[1] == -1, "of numbers that are none, none is the best");
    ok(top.id[3] == 500 && top.id[4] == -1 && top.logp[4] == -INFINITY, "nor is -inf");
    ok(top.id[6] == 4 && top.id[7] == 6 && top.id[8] == 8, "among others they are passed over");
    free_top(&top);
    free(logp);
}

static void test_mean(int n, int log_linear)
{
    float *logp[3], *first[3];
    double worst = 0;
    int equal = 0;
    static double p[V];
    for (int i = 0; i < n; i++) {
        first[i] = filled(R * V);
        logp[i] = zeros(R * V);
        for (int r = 0; r < R; r++) {
            double sum = 0;
            for (int v = 0; v < V; v++)
                sum += exp(9 * (double)first[i][r * V + v]);
            for (int v = 0; v < V; v++)
                first[i][r * V + v] = (float)(9 * (double)first[i][r * V + v] - log(sum));
        }
    }
    float *kept = NULL;
    for (int d = 0; d < DEVICES; d++) {
        for (int i = 0; i < n; i++)
            memcpy(logp[i], first[i], R * V * sizeof(float));
        ops->logprob_mean(device[d], logp, n, log_linear, V, R);
        if (!kept) {
            kept = zeros(R * V);
            memcpy(kept, logp[0], R * V * sizeof *kept);
        }
        equal += memcmp(kept, logp[0], R * V * sizeof *kept) == 0;
    }
    for (int r = 0; r < R; r++) {
        double sum = 0;
        for (int v = 0; v < V; v++) {
            p[v] = 0;
            for (int i = 0; i < n; i++)
                p[v] += log_linear ? (double)first[i][r * V + v] / n : exp((double)first[i][r * V + v]) / n;
            sum += log_linear ? exp(p[v]) : 0;
        }
        for (int v = 0; v < V; v++)
            worst = fmax(worst, fabs((log_linear ? p[v] - log(sum) : log(p[v])) - (double)kept[r * V + v]));
    }
    ok(worst < 5e-6, "mean of %d distributions, %s (off by %.2g)", n, log_linear ? "log-linear" : "linear", worst);
    is_int(equal, DEVICES, "the same bits on all devices");
    for (int i = 0; i < n; i++)
        free(logp[i]), free(first[i]);
    free(kept);
}

int main(void)
{
    static const int threads[] = {1, 2, 8, 2};
    const char *why = "";
    for (int i = 0; i < DEVICES; i++)
        device[i] = ops->open(threads[i], &why);
    hold_to_avx2(device[DEVICES - 1]);
    test_cross(4, 64);
    test_cross(2, 4);
    test_cross(3, 20);
    test_self(4, 64);
    test_self(2, 4);
    test_self(3, 20);
    static const int k[] = {0, 1, 5, 64, 65, V};
    for (int i = 0; i < (TEST_CUDA ? 3 : 6); i++)
        test_top(k[i], 0);
    test_lists(1);
    test_lists(9);
    test_top(1, 1);
    test_top(7, 1);
    test_top(TEST_CUDA ? 9 : 100, 1);
    test_strange_rows();
    for (int n = 1; n <= 3; n++) {
        test_mean(n, 0);
        test_mean(n, 1);
    }
    for (int i = 0; i < DEVICES; i++)
        ops->close(device[i]);
    return done_testing();
}
