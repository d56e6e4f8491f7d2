/* corpus_read.c - a corpus file, read by pread in a keyed order. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "text/corpus_format.h"
#include "text/mix.h"

struct block { uint64_t offset, first; uint32_t pairs, bytes; char hash[SK_HASH_HEX]; };

struct sk_corpus {
    char *path;
    int fd;
    struct sk_corpus_header h;
    struct block *block;
    struct sk_mix *mix;              /* of several corpora: then there is no file */
};

static int read_at(const struct sk_corpus *c, void *out, size_t n, uint64_t at)
{
    char *p = out;
    while (n > 0) {
        ssize_t r = pread(c->fd, p, n, (off_t)at);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return sk_fail_errno("%s: cannot read", c->path);
        if (r == 0) return sk_fail(SK_EXIT_DATA, "%s: the file is cut short", c->path);
        p += r;
        n -= (size_t)r;
        at += (uint64_t)r;
    }
    return 0;
}

static int damaged(const struct sk_corpus *c, const char *what)
{
    return sk_fail(SK_EXIT_DATA, "%s: damaged: %s", c->path, what);
}

static int read_table(struct sk_corpus *c, const unsigned char *header, uint64_t size)
{
    struct sk_corpus_header *h = &c->h;
    if (h->blocks < 1 || h->table_offset < SK_CORPUS_HEADER || h->table_offset > size ||
        h->blocks > (size - h->table_offset) / SK_CORPUS_ENTRY ||
        h->table_offset + h->blocks * SK_CORPUS_ENTRY != size)
        return damaged(c, "its block table is not where the header says");
    size_t n = (size_t)h->blocks * SK_CORPUS_ENTRY;
    unsigned char *raw = sk_xmalloc(n);
    char hex[SK_HASH_HEX];
    int r = read_at(c, raw, n, h->table_offset);
    if (!r) {
        sk_corpus_header_hash(header, raw, n, hex);
        if (memcmp(hex, header + SK_CORPUS_HEADER_HASH, SK_HASH_HEX - 1))
            r = damaged(c, "header and block table do not have their checksum");
    }
    c->block = sk_xcalloc((size_t)h->blocks, sizeof *c->block);
    uint64_t at = SK_CORPUS_HEADER, first = 0;
    for (uint64_t i = 0; i < h->blocks && !r; i++) {
        const unsigned char *e = raw + i * SK_CORPUS_ENTRY;
        struct block *b = &c->block[i];
        b->offset = sk_get(e, 8);
        b->first = sk_get(e + 8, 8);
        b->pairs = (uint32_t)sk_get(e + 16, 4);
        b->bytes = (uint32_t)sk_get(e + 20, 4);
        memcpy(b->hash, e + 24, SK_HASH_HEX - 1);
        /* A block is flushed by the pair that fills it. */
        if (b->offset != at || b->first != first || !b->pairs ||
            b->bytes < 4 + 8 * (uint64_t)b->pairs || b->bytes > SK_CORPUS_BLOCK + 16 * (uint64_t)SK_CORPUS_LONGEST)
            r = damaged(c, "its block table does not make sense");
        at += b->bytes;
        first += b->pairs;
    }
    if (!r && (at != h->table_offset || first != (uint64_t)h->stats.pairs))
        r = damaged(c, "its blocks do not add up");
    free(raw);
    return r;
}

/* Whether the sizes in the header are those of the blocks: memory is taken by
 * them. Each pair has a word on each side. */
static int sizes_fit(const struct sk_corpus_header *h)
{
    const struct sk_corpus_stats *s = &h->stats;
    uint64_t pairs = (uint64_t)s->pairs, bytes = h->table_offset - SK_CORPUS_HEADER - 4 * h->blocks - 8 * pairs;
    uint64_t source = (uint64_t)s->source_tokens - pairs, target = (uint64_t)s->target_tokens - pairs;
    return bytes % h->width == 0 && source <= bytes / h->width && target == bytes / h->width - source &&
        source >= pairs && target >= pairs && (uint64_t)s->max_source - 1 <= source - pairs &&
        (uint64_t)s->max_target - 1 <= target - pairs;
}

static int read_header(struct sk_corpus *c, int source_vocab, int target_vocab)
{
    unsigned char header[SK_CORPUS_HEADER];
    struct sk_corpus_header *h = &c->h;
    struct stat st;
    if (fstat(c->fd, &st)) return sk_fail_errno("%s", c->path);
    if (!S_ISREG(st.st_mode) || st.st_size < SK_CORPUS_HEADER) return sk_fail(SK_EXIT_DATA, "%s: no corpus file", c->path);
    if (read_at(c, header, sizeof header, 0)) return -1;
    if (memcmp(header, SK_CORPUS_MAGIC, 16)) return sk_fail(SK_EXIT_DATA, "%s: no corpus file of this version", c->path);
    for (size_t i = SK_CORPUS_HEADER_HASH + SK_HASH_HEX - 1; i < sizeof header; i++)
        if (header[i]) return damaged(c, "bytes behind its header are not zero");
    sk_corpus_header_unpack(h, header);
    if (read_table(c, header, (uint64_t)st.st_size)) return -1;
    const struct sk_corpus_stats *s = &h->stats;
    if ((h->width != 2 && h->width != 4) || s->pairs < 1 || s->max_source < 1 || s->max_target < 1 ||
        s->max_source > SK_CORPUS_LONGEST || s->max_target > SK_CORPUS_LONGEST || !(s->length_ratio_mean > 0) ||
        !(s->length_ratio_std >= 0) || !isfinite(s->length_ratio_mean) || !isfinite(s->length_ratio_std) ||
        strspn(s->hash, "0123456789abcdef") != SK_HASH_HEX - 1)
        return damaged(c, "its header does not make sense");
    if (!sizes_fit(h)) return damaged(c, "its header tells of more words than it has");
    if (h->vocab[0] != (uint64_t)source_vocab || h->vocab[1] != (uint64_t)target_vocab)
        return sk_fail(SK_EXIT_DATA, "%s: made with vocabularies of %llu and %llu entries, not %d and %d", c->path,
                       (unsigned long long)h->vocab[0], (unsigned long long)h->vocab[1], source_vocab, target_vocab);
    return 0;
}

struct sk_corpus *sk_corpus_open(const char *path, int source_vocab, int target_vocab)
{
    struct sk_corpus *c = sk_xcalloc(1, sizeof *c);
    c->path = sk_xstrdup(path);
    c->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (c->fd < 0) sk_fail_errno("%s", path);
    else if (read_header(c, source_vocab, target_vocab) == 0) return c;
    sk_corpus_close(c);
    return NULL;
}

const struct sk_corpus_stats *sk_corpus_stats(const struct sk_corpus *c) { return &c->h.stats; }

void sk_corpus_close(struct sk_corpus *c)
{
    if (!c) return;
    sk_mix_free(c->mix);
    if (c->fd >= 0) close(c->fd);
    free(c->block);
    free(c->path);
    free(c);
}

struct sk_corpus *sk_corpus_join(struct sk_corpus *const *part, const double *weight, int n)
{
    struct sk_corpus *c = sk_xcalloc(1, sizeof *c);
    c->fd = -1;
    c->mix = sk_mix_new(part, weight, n, &c->h.stats);
    c->path = sk_xprintf("%s and others", part[0]->path);
    return c;
}

int sk_corpus_parts(const struct sk_corpus *c) { return c->mix ? sk_mix_parts(c->mix) : 0; }

const struct sk_corpus_stats *sk_corpus_part(const struct sk_corpus *c, int i) { return sk_mix_part(c->mix, i); }

void sk_corpus_taken(const struct sk_corpus *c, int64_t seed, int64_t epoch, int64_t k, int64_t *taken)
{
    sk_mix_taken(c->mix, seed, epoch * c->h.stats.pairs + k, taken);
}

/* --- in order ------------------------------------------------------------- */

enum { WINDOW = 64 };               /* most blocks whose pairs are shuffled together */

struct sk_reader {
    struct sk_corpus *c;
    int64_t seed, epoch, k;
    int64_t windows, *start;         /* (windows + 1) position of each window's first pair, this epoch */
    int64_t window;                  /* in memory; -1: none */
    unsigned char *bytes;            /* the window's blocks */
    int64_t *ordinal;                /* (pairs of the window) in block order */
    const unsigned char **lengths, **ids;
    int64_t cap_pairs;
    size_t cap_bytes;
    int ready;                       /* pair at k is decoded */
    struct sk_pair pair;
    int32_t *words;
    int64_t cap_words;
    struct sk_mixer *mixer;          /* of several corpora: it has their readers */
};

static uint64_t key_of(const struct sk_reader *r, uint32_t kind, int64_t window)
{
    struct sk_rng v = sk_philox((uint64_t)r->seed, (uint32_t)r->epoch, (uint32_t)((uint64_t)r->epoch >> 32), kind,
                                (uint32_t)window);
    return (uint64_t)v.v[0] << 32 | v.v[1];
}

/* Number of the first block of a window. Windows are equally large: a last
 * one of a few blocks would hardly be shuffled. */
static int64_t window_start(const struct sk_reader *r, int64_t w)
{
    int64_t n = (int64_t)r->c->h.blocks, each = n / r->windows, rest = n % r->windows;
    return w * each + (w < rest ? w : rest);
}

/* The i-th block of this epoch. */
static int64_t block_at(const struct sk_reader *r, int64_t i)
{
    return r->seed < 0 ? i : (int64_t)sk_permute(key_of(r, 1, 0), r->c->h.blocks, (uint64_t)i);
}

struct sk_reader *sk_reader_new(struct sk_corpus *c, int64_t seed)
{
    struct sk_reader *r = sk_xcalloc(1, sizeof *r);
    r->c = c;
    r->seed = seed;
    r->window = -1;
    if (c->mix) {
        r->mixer = sk_mixer_new(c->mix, seed);
        return r;
    }
    r->windows = ((int64_t)c->h.blocks + WINDOW - 1) / WINDOW;
    r->start = sk_xcalloc((size_t)r->windows + 1, sizeof *r->start);
    r->epoch = -1;
    SK_ENSURE(sk_reader_seek(r, 0, 0) == 0);
    return r;
}

void sk_reader_free(struct sk_reader *r)
{
    if (!r) return;
    sk_mixer_free(r->mixer);
    free(r->start);
    free(r->bytes);
    free(r->ordinal);
    free(r->lengths);
    free(r->ids);
    free(r->words);
    free(r);
}

int sk_reader_seek(struct sk_reader *r, int64_t epoch, int64_t k)
{
    const int64_t most = (int64_t)1 << 53;   /* pairs, all epochs together */
    if (epoch < 0 || k < 0 || k > r->c->h.stats.pairs || (r->mixer && epoch > most / r->c->h.stats.pairs))
        return sk_fail(SK_EXIT_DATA, "%s: there is no pair %lld", r->c->path, (long long)k);
    if (r->mixer) {
        r->epoch = epoch;
        sk_mixer_seek(r->mixer, epoch * r->c->h.stats.pairs + k);
    } else if (epoch != r->epoch) {
        r->epoch = epoch;
        r->window = -1;
        for (int64_t w = 0, at = 0; w <= r->windows; w++) {
            r->start[w] = at;
            for (int64_t i = window_start(r, w); w < r->windows && i < window_start(r, w + 1); i++)
                at += r->c->block[block_at(r, i)].pairs;
        }
    }
    r->k = k;
    r->ready = 0;
    return 0;
}

void sk_reader_tell(const struct sk_reader *r, int64_t *epoch, int64_t *k)
{
    *epoch = r->epoch;
    *k = r->k;
}

/* Reads a block to `bytes` and lists its pairs from number `pair` on. */
static int load_block(struct sk_reader *r, const struct block *b, unsigned char *bytes, int64_t pair)
{
    const struct sk_corpus *c = r->c;
    char hex[SK_HASH_HEX];
    if (read_at(c, bytes, b->bytes, b->offset)) return -1;
    sk_hash_bytes(bytes, b->bytes, hex);
    if (memcmp(hex, b->hash, SK_HASH_HEX - 1)) return damaged(c, "a block does not have its checksum");
    uint64_t at = 4 + 8 * (uint64_t)b->pairs;
    if (sk_get(bytes, 4) != b->pairs) return damaged(c, "a block has another number of pairs than the table says");
    for (uint32_t i = 0; i < b->pairs; i++) {
        const unsigned char *lengths = bytes + 4 + 8 * (uint64_t)i;
        uint64_t ns = sk_get(lengths, 4), nt = sk_get(lengths + 4, 4);
        if (ns < 1 || nt < 1 || ns > (uint64_t)c->h.stats.max_source || nt > (uint64_t)c->h.stats.max_target ||
            (b->bytes - at) / c->h.width < ns + nt)
            return damaged(c, "a pair's lengths do not make sense");
        r->ordinal[pair + i] = (int64_t)(b->first + i);
        r->lengths[pair + i] = lengths;
        r->ids[pair + i] = bytes + at;
        at += (ns + nt) * c->h.width;
    }
    return at == b->bytes ? 0 : damaged(c, "a block is longer than its pairs");
}

static int load_window(struct sk_reader *r, int64_t w)
{
    size_t bytes = 0;
    int64_t pairs = r->start[w + 1] - r->start[w], first = window_start(r, w), last = window_start(r, w + 1);
    for (int64_t i = first; i < last; i++) bytes += r->c->block[block_at(r, i)].bytes;
    if (bytes > r->cap_bytes) {
        free(r->bytes);
        r->bytes = sk_xmalloc(bytes);
        r->cap_bytes = bytes;
    }
    if (pairs > r->cap_pairs) {
        r->ordinal = sk_xrealloc(r->ordinal, (size_t)pairs, sizeof *r->ordinal);
        r->lengths = sk_xrealloc(r->lengths, (size_t)pairs, sizeof *r->lengths);
        r->ids = sk_xrealloc(r->ids, (size_t)pairs, sizeof *r->ids);
        r->cap_pairs = pairs;
    }
    r->window = -1;
    size_t at = 0;
    int64_t pair = 0;
    for (int64_t i = first; i < last; i++) {
        const struct block *b = &r->c->block[block_at(r, i)];
        if (load_block(r, b, r->bytes + at, pair)) return -1;
        at += b->bytes;
        pair += b->pairs;
    }
    r->window = w;
    /* The kernel may fetch the next window meanwhile. */
    for (int64_t i = last; w + 1 < r->windows && i < window_start(r, w + 2); i++) {
        const struct block *b = &r->c->block[block_at(r, i)];
        posix_fadvise(r->c->fd, (off_t)b->offset, (off_t)b->bytes, POSIX_FADV_WILLNEED);
    }
    return 0;
}

static int decode(struct sk_reader *r, int64_t i)
{
    const struct sk_corpus *c = r->c;
    int64_t n[2] = {(int64_t)sk_get(r->lengths[i], 4), (int64_t)sk_get(r->lengths[i] + 4, 4)}, all = n[0] + n[1];
    if (all > r->cap_words) {
        r->cap_words = 2 * all;
        r->words = sk_xrealloc(r->words, (size_t)r->cap_words, sizeof *r->words);
    }
    const unsigned char *p = r->ids[i];
    for (int64_t k = 0; k < all; k++, p += c->h.width) {
        uint64_t id = sk_get(p, (int)c->h.width);
        if (id >= c->h.vocab[k >= n[0]] || id == SK_PAD || id == SK_BOS || id == SK_EOS)
            return damaged(c, "a word's id is not in the vocabulary");
        r->words[k] = (int32_t)id;
    }
    r->pair = (struct sk_pair){r->ordinal[i], (int)n[0], (int)n[1], r->words, r->words + n[0]};
    return 0;
}

int sk_reader_peek(struct sk_reader *r, struct sk_pair *pair)
{
    if (r->k >= r->c->h.stats.pairs) return 0;
    if (!r->ready && r->mixer) {
        if (sk_mixer_peek(r->mixer, &r->pair)) return -1;
        r->pair.ordinal = r->k;
        r->ready = 1;
    } else if (!r->ready) {
        int64_t w = r->window >= 0 ? r->window : 0;
        while (r->k < r->start[w]) w--;
        while (r->k >= r->start[w + 1]) w++;
        if (w != r->window && load_window(r, w)) return -1;
        int64_t n = r->start[w + 1] - r->start[w], i = r->k - r->start[w];
        if (r->seed >= 0) i = (int64_t)sk_permute(key_of(r, 2, w), (uint64_t)n, (uint64_t)i);
        if (decode(r, i)) return -1;
        r->ready = 1;
    }
    *pair = r->pair;
    return 1;
}

int sk_reader_next(struct sk_reader *r, struct sk_pair *pair)
{
    int got = sk_reader_peek(r, pair);
    if (got == 1) {
        if (r->mixer) sk_mixer_step(r->mixer);
        r->k++;
        r->ready = 0;
    }
    return got;
}
