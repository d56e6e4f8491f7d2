#include "train/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/msg.h"
#include "train/exchange/exchange.h"

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

int sk_train_limits(struct sk_batch_limits *l, const struct sk_train_options *o, const struct sk_train_plan *p,
                    const struct sk_corpus_stats *train, const struct sk_corpus_stats *val)
{
    int64_t size = o->batch_size;
    *l = (struct sk_batch_limits){.leaves = o->virtual_shards};
    l->longest_source = larger(train->max_source, val->max_source) + 1;
    l->longest_target = larger(train->max_target, val->max_target) + 1;
    if (!p->sentence_batches) {
        /* The target side decides; the source budget only bounds memory. */
        l->max_target = (int)size;
        l->max_source = larger(2 * (int)size, o->max_seq_len[0] + 1);
        l->max_sentences = (int)size / 2 + 1;
        return 0;
    }
    int64_t longest = larger(l->longest_source, l->longest_target);
    if (size * longest > INT32_MAX)
        return sk_fail(SK_EXIT_USAGE, "--batch-size %lld sentences of up to %lld tokens are too many for one update",
                       (long long)size, (long long)longest);
    l->max_sentences = (int)size;
    l->max_source = (int)size * l->longest_source;
    l->max_target = (int)size * l->longest_target;
    return 0;
}

/* --- a device that only counts -------------------------------------------------- */

/* Stands in for the device while a model is built on it. Its memory is address
 * space without pages: nothing may be read or written there. */
struct counter {
    const struct sk_ops *ops;
    struct sk_device *dev;
    size_t bytes;
    struct { void *p; size_t bytes; } *block;
    int blocks;
    int (*weight)[2];
    int weights;
};

static struct counter *counter_of(struct sk_device *dev)
{
    return (struct counter *)(void *)dev;
}

static void *count_alloc(struct sk_device *dev, size_t bytes)
{
    struct counter *c = counter_of(dev);
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        sk_out_of_memory(bytes);
    c->block = sk_xrealloc(c->block, (size_t)c->blocks + 1, sizeof *c->block);
    c->block[c->blocks].p = p;
    c->block[c->blocks++].bytes = bytes;
    c->bytes += c->ops->alloc_size(c->dev, bytes);
    return p;
}

static void count_free(struct sk_device *dev, void *p)
{
    (void)dev;
    (void)p;
}

static void count_upload(struct sk_device *dev, void *to, const void *from, size_t bytes)
{
    (void)dev;
    (void)to;
    (void)from;
    (void)bytes;
}

static struct sk_weight *count_weight(struct sk_device *dev, int N, int K, int backward)
{
    struct counter *c = counter_of(dev);
    c->weight = sk_xrealloc(c->weight, (size_t)c->weights + 1, sizeof *c->weight);
    c->weight[c->weights][0] = N;
    c->weight[c->weights++][1] = K;
    c->bytes += c->ops->weight_size(c->dev, N, K, backward);
    return NULL;
}

static void count_weight_free(struct sk_device *dev, struct sk_weight *w)
{
    (void)dev;
    (void)w;
}

static size_t count_narrow(struct sk_device *dev, int on)
{
    struct counter *c = counter_of(dev);
    return c->ops->narrow_rows(c->dev, on);
}

/* Device memory of the model, with gradients. *floats: of one flat buffer. */
static size_t model_size(struct counter *c, const struct sk_model_config *model, const struct sk_batch_limits *l,
                         size_t *floats)
{
    struct sk_ops counting = *c->ops;
    counting.alloc = count_alloc;
    counting.free = count_free;
    counting.upload = count_upload;
    counting.narrow_rows = count_narrow;
    counting.weight_new = count_weight;
    counting.weight_free = count_weight_free;
    struct sk_model *m = sk_model_new(model, &counting, (struct sk_device *)(void *)c, l);
    *floats = sk_model_params(m)->total;
    sk_model_free(m);
    for (int i = 0; i < c->blocks; i++)
        munmap(c->block[i].p, c->block[i].bytes);
    free(c->block);
    return c->bytes;
}

/* --- the sum ------------------------------------------------------------------------ */

/* A reader holds one window of blocks and a list of its pairs. */
static size_t reader_size(const struct sk_model_config *m, const struct sk_corpus_stats *s)
{
    const size_t window = (size_t)64 << 20;
    size_t width = m->vocab[0] > 65536 || m->vocab[1] > 65536 ? 4 : 2;
    size_t pairs = (size_t)s->pairs, words = (size_t)(s->source_tokens + s->target_tokens) - 2 * pairs;
    size_t bytes = 8 * pairs + width * words;
    size_t windows = bytes / (window * (1 + (size_t)s->others)) + 1;    /* each corpus has one in memory */
    return bytes / windows + pairs / windows * 24;
}

/* What a batch fills of its memory: as many source tokens come along as the
 * corpus has on average, and some more. */
static void typical_rows(const struct sk_batch_limits *l, const struct sk_corpus_stats *s, int sentence_batches,
                         int rows[2])
{
    double ratio = (double)s->source_tokens / (double)s->target_tokens;
    double mean = (double)s->target_tokens / (double)s->pairs;
    double target = sentence_batches ? 1.15 * mean * l->max_sentences : l->max_target;
    double source = (sentence_batches ? 1.0 : 1.1) * ratio * target;
    target = target < l->max_target ? target : l->max_target;
    source = source < l->max_source ? source : l->max_source;
    /* No batch has more than the corpus. */
    rows[0] = (int)(source < (double)s->source_tokens ? source : (double)s->source_tokens);
    rows[1] = (int)(target < (double)s->target_tokens ? target : (double)s->target_tokens);
}

/* Keys of a row, on average over all rows, if lengths vary as they do in text. */
static int typical_length(int64_t tokens, int64_t pairs, int longest)
{
    double length = 1.3 * (double)tokens / (double)pairs + 1;
    return length < longest ? (int)length : longest;
}

static size_t batch_size(const struct sk_batch_limits *l, const int rows[2])
{
    return sizeof(int32_t) * (2 * (size_t)rows[0] + 3 * (size_t)rows[1]) + 64 * (size_t)l->max_sentences;
}

size_t sk_memory_predict(const struct sk_train_options *o, const struct sk_train_plan *p,
                         const struct sk_model_config *m, const struct sk_corpus_stats *train,
                         const struct sk_corpus_stats *val, const struct sk_batch_limits *l,
                         const struct sk_ops *ops, struct sk_device *dev, size_t *on_device)
{
    struct counter c = {.ops = ops, .dev = dev};
    struct sk_batch_limits typical = *l;
    size_t now, most, floats;
    int flat = sk_optimizer_uses_m(&p->optimizer) + sk_optimizer_uses_v(&p->optimizer) + (o->update_interval > 1) + (o->ema > 0);
    int rows[2];
    typical_rows(l, train, p->sentence_batches, rows);
    /* Memory is taken where it is written to; that of a GPU, at once. */
    if (!ops->host) {
        rows[0] = l->max_source;
        rows[1] = l->max_target;
    }
    typical.max_source = rows[0];
    typical.max_target = rows[1];
    if (ops->host && m->architecture == SK_TRANSFORMER) {
        /* Long sentences have more keys than a mean row sees, but they are few. */
        typical.longest_source = typical_length(train->source_tokens, train->pairs, l->longest_source);
        typical.longest_target = typical_length(train->target_tokens, train->pairs, l->longest_target);
    } else if (ops->host) {
        /* In huge pages: what stays empty at the end of a buffer is taken too, up to
         * the length of one. Buffers are about two layers wide. */
        const int page = (2 << 20) / (2 * m->size[0] * (int)sizeof(float));
        typical.max_source = least(l->max_source, rows[0] + page);
        typical.max_target = least(l->max_target, rows[1] + page);
    }
    size_t model = model_size(&c, m, &typical, &floats);
    struct sk_work work = {
        .source_rows = rows[0], .target_rows = rows[1], .sentences = l->max_sentences,
        .longest = larger(l->longest_source, l->longest_target), .leaves = l->leaves, .V = m->vocab[1],
        .D = larger(m->size[0], m->size[1]), .H = larger(m->heads[0], m->heads[1]),
        .weight = (const int (*)[2])c.weight, .weights = c.weights,
        .narrow = m->architecture == SK_TRANSFORMER && m->factors.n == 0 && ops->narrow_rows(dev, 1) < sizeof(float)};
    ops->narrow_rows(dev, 0);
    size_t optimizer = (size_t)flat * ops->alloc_size(dev, floats * sizeof(float));
    size_t workspace = ops->workspace(dev, &work), host = batch_size(l, rows);
    if (!ops->host)
        host += floats * sizeof(float);
    size_t readers = reader_size(m, train) + reader_size(m, val);
    size_t shards = sizeof(float) * sk_exchange_size(o->virtual_shards, o->num_shards, floats);
    free(c.weight);
    sk_memory_resident(&now, &most);
    sk_debug("Memory: bytes now %zu, at most so far %zu; model %zu, optimizer %zu, workspace %zu, host %zu, "
             "readers %zu, shards %zu", now, most, model, optimizer, workspace, host, readers, shards);
    *on_device = ops->host ? 0 : model + optimizer + workspace;
    size_t sum = now + (ops->host ? model + optimizer + workspace : 0) + host + readers + shards;
    return sum > most ? sum : most;
}

int sk_memory_device_check(const struct sk_train_options *o, const struct sk_train_plan *p,
                           const struct sk_model_config *m, const struct sk_corpus_stats *train,
                           const struct sk_corpus_stats *val, const struct sk_ops *ops, struct sk_device *dev,
                           size_t on_device)
{
    char text[256];
    struct sk_batch_limits l;
    struct sk_train_options less = *o;
    size_t there = ops->memory(dev), needed = on_device;
    if (there == 0 || on_device <= there)
        return 0;
    while (needed > there && less.batch_size > 1) {
        less.batch_size -= (less.batch_size + 7) / 8;
        if (sk_train_limits(&l, &less, p, train, val) < 0)
            return -1;
        sk_memory_predict(&less, p, m, train, val, &l, ops, dev, &needed);
    }
    ops->describe(dev, text, sizeof text);
    if (needed > there)
        return sk_fail(SK_EXIT_NO, "training needs about %.0f MB of the GPU's memory, and %.0f MB are free (%s): no "
                       "--batch-size fits; take a smaller model or a larger GPU", (double)on_device / 1e6,
                       (double)there / 1e6, text);
    return sk_fail(SK_EXIT_NO, "training needs about %.0f MB of the GPU's memory, and %.0f MB are free (%s): "
                   "--batch-size %lld fits", (double)on_device / 1e6, (double)there / 1e6, text,
                   (long long)less.batch_size);
}
