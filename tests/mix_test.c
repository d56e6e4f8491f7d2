/* mix_test.c - several corpora read as one: each gives its share, in its own
 * order, whoever asks from where. */
#include "tap.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/corpus.h"

static const char *folder;
static struct sk_vocab *vocab;

/* A corpus of n pairs: the source says which part it is, the target has the
 * digits of the pair's number. */
static struct sk_corpus *part(int which, int n)
{
    struct sk_str text[2] = {{0}, {0}};
    char *path[3] = {sk_path_join(folder, "source"), sk_path_join(folder, "target"),
                     sk_xprintf("%s/corpus.%d", folder, which)};
    struct sk_corpus_stats stats;
    for (int i = 0; i < n; i++) {
        sk_str_printf(&text[0], "%d%s\n", which % 10, which / 10 ? " 1" : "");
        sk_str_printf(&text[1], "%d %d %d %d\n", i / 1000, i / 100 % 10, i / 10 % 10, i % 10);
    }
    for (int k = 0; k < 2; k++) {
        if (sk_file_save(path[k], text[k].text, text[k].len, SK_REPLACE) < 0) exit(sk_die());
        sk_str_free(&text[k]);
    }
    if (!vocab) {
        struct sk_vocab_counts *c = sk_vocab_counts_new();
        if (sk_vocab_count_file(c, path[1], 0, NULL)) exit(sk_die());
        vocab = sk_vocab_build(c, 0, 1, 0, NULL);
        sk_vocab_counts_free(c);
    }
    if (sk_corpus_prepare(path[2], path[0], path[1], vocab, vocab,
                          &(struct sk_corpus_options){.max_source = 9, .max_target = 9}, &stats))
        exit(sk_die());
    struct sk_corpus *c = sk_corpus_open(path[2], sk_vocab_size(vocab), sk_vocab_size(vocab));
    for (int k = 0; k < 3; k++) free(path[k]);
    return c;
}

static int digit(int32_t id) { return atoi(sk_vocab_word(vocab, id)); }
static int part_of(const struct sk_pair *p) { return digit(p->source[0]) + (p->ns > 1 ? 10 : 0); }

static int number_of(const struct sk_pair *p)
{
    int n = 0;
    for (int i = 0; i < p->nt; i++) n = 10 * n + digit(p->target[i]);
    return n;
}

static struct sk_pair take(struct sk_reader *r, int64_t *epoch)
{
    struct sk_pair p = {0};
    int got = sk_reader_next(r, &p);
    if (got == 0 && sk_reader_seek(r, ++*epoch, 0) == 0) got = sk_reader_next(r, &p);
    if (got != 1) exit(sk_die());
    return p;
}

/* Several epochs of a mixture of n corpora of so many pairs. */
static void mixture(int n, const int *pairs, const double *weight, int64_t seed, int epochs, const char *what)
{
    struct sk_corpus *corpus[40], *alone[40];
    int64_t epoch = 0, given[40] = {0}, told[40], own_epoch[40] = {0}, total = 0;
    struct sk_reader *own[40];
    int right = 1, shares = 1, tells = 1, ordinals = 1;
    double sum = 0;
    diag("%s", what);
    for (int i = 0; i < n; i++) {
        alone[i] = part(i, pairs[i]);
        corpus[i] = part(i, pairs[i]);
        own[i] = sk_reader_new(alone[i], seed);
        total += pairs[i];
        sum += weight[i];
    }
    struct sk_corpus *all = sk_corpus_join(corpus, weight, n);
    struct sk_reader *r = sk_reader_new(all, seed);
    is_int(sk_corpus_stats(all)->pairs, total, "an epoch has as many pairs as all");
    int64_t *seen = sk_xcalloc((size_t)(total * epochs), sizeof *seen);
    for (int64_t g = 0; g < total * epochs; g++) {
        struct sk_pair p = take(r, &epoch);
        int from = part_of(&p);
        seen[g] = from * 10000 + number_of(&p);
        ordinals &= p.ordinal == g % total;
        struct sk_pair mine = take(own[from], &own_epoch[from]);
        right &= number_of(&mine) == number_of(&p);
        given[from]++;
        for (int i = 0; i < n && (g + 1) % 1024 == 0; i++) {
            double error = (double)given[i] - weight[i] / sum * (double)(g + 1);
            shares &= error > -n && error < n;
        }
        if (g % 97 == 0) {
            int64_t e, k;
            sk_reader_tell(r, &e, &k);
            sk_corpus_taken(all, seed, e, k, told);
            for (int i = 0; i < n; i++) tells &= told[i] == given[i];
        }
    }
    ok(right, "each corpus comes in its own order, over and over");
    ok(shares, "after each 1024 pairs it has given its share");
    ok(tells, "which can be told of any position");
    ok(ordinals, "pairs are counted through the epoch");
    int same = 1;
    for (int64_t i = 0; i < 200; i++) {
        int64_t g = (i * 7919 + i * i) % (total * epochs);
        struct sk_pair p = {0};
        if (sk_reader_seek(r, g / total, g % total) || sk_reader_peek(r, &p) != 1) exit(sk_die());
        same &= part_of(&p) * 10000 + number_of(&p) == seen[g];
    }
    ok(same, "from anywhere the same pairs follow");
    ok(sk_reader_seek(r, INT64_MAX / 4, 0) == -1 && sk_reader_seek(r, 0, total + 1) == -1, "but not from nowhere");
    ok(sk_reader_seek(r, 1000000007, 5) == 0 && sk_reader_peek(r, &(struct sk_pair){0}) == 1, "after very many epochs");
    for (int i = 0; i < n; i++) {
        sk_reader_free(own[i]);
        sk_corpus_close(alone[i]);
    }
    sk_reader_free(r);
    sk_corpus_close(all);
    free(seen);
}

/* The parts of the first pairs. */
static void order(int64_t seed, double b, char out[101])
{
    struct sk_corpus *c[2] = {part(0, 100), part(1, 100)}, *all = sk_corpus_join(c, (double[]){1, b}, 2);
    struct sk_reader *r = sk_reader_new(all, seed);
    struct sk_pair p;
    for (int i = 0; i < 100 && sk_reader_next(r, &p) == 1; i++) out[i] = (char)('0' + part_of(&p));
    out[100] = '\0';
    sk_reader_free(r);
    sk_corpus_close(all);
}

static void statistics(void)
{
    struct sk_corpus_stats a = {.pairs = 3, .length_ratio_mean = 1, .length_ratio_std = 0, .max_source = 5, .max_target = 2},
                           b = {.pairs = 1, .length_ratio_mean = 3, .length_ratio_std = 0, .max_source = 4, .max_target = 6};
    sk_corpus_stats_add(&a, &b);
    is_int(a.pairs, 4, "pairs add up");
    ok(a.length_ratio_mean == 1.5 && fabs(a.length_ratio_std * a.length_ratio_std - 0.75) < 1e-12, "mean and deviation as of one");
    ok(a.max_source == 5 && a.max_target == 6 && a.others == 1, "the longest; of how many");
    struct sk_corpus_stats none = {.pairs = 0};
    sk_corpus_stats_add(&none, &b);
    ok(none.length_ratio_mean == 3 && none.others == 0, "from nothing");
}

int main(void)
{
    sk_msg_program("mix_test");
    sk_quiet(1);
    folder = temp_folder();
    int pairs[32];
    double weight[32];
    mixture(2, (int[]){700, 50}, (double[]){3, 1}, 13, 5, "a small corpus seen often");
    mixture(3, (int[]){10, 2000, 400}, (double[]){0.5, 0.5, 0.25}, 1, 3, "three corpora");
    mixture(2, (int[]){1000, 1000}, (double[]){1, 1e-6}, 2, 3, "next to nothing");
    for (int i = 0; i < 32; i++) {
        pairs[i] = 1 + 7 * (i % 20);
        weight[i] = i == 5 ? 14 : i < 20 ? 12.1 : 0.01;
    }
    mixture(20, pairs, weight, 3, 4, "twenty corpora whose shares go over whole numbers at once");
    char a[101], b[101], c[101];
    order(1, 1, a);
    order(2, 1, b);
    order(1, 1, c);
    ok(strcmp(a, b) != 0, "another seed, another order");
    ok(strcmp(a, c) == 0, "the same seed, the same");
    order(1, 2, c);
    ok(strcmp(a, c) != 0, "other weights, another order");
    statistics();
    sk_vocab_free(vocab);
    return done_testing();
}
