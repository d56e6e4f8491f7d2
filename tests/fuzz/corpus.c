/* corpus.c - prepared corpora. Their checksums are made right, or nothing behind them
 * would ever be read. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "text/corpus_format.h"

static void mend(unsigned char *b, size_t n)
{
    char hex[SK_HASH_HEX];
    if (n < SK_CORPUS_HEADER)
        return;
    uint64_t blocks = sk_get(b + 16 + 8 * 18, 8), table = sk_get(b + 16 + 8 * 19, 8);
    if (table < SK_CORPUS_HEADER || table > n || blocks > (n - table) / SK_CORPUS_ENTRY)
        return;
    for (uint64_t i = 0; i < blocks; i++) {
        unsigned char *e = b + table + i * SK_CORPUS_ENTRY;
        uint64_t at = sk_get(e, 8), size = sk_get(e + 20, 4);
        if (at > n || size > n - at)
            continue;
        sk_hash_bytes(b + at, (size_t)size, hex);
        memcpy(e + 24, hex, SK_HASH_HEX - 1);
    }
    sk_corpus_header_hash(b, b + table, (size_t)(n - table), hex);
    memcpy(b + SK_CORPUS_HEADER_HASH, hex, SK_HASH_HEX - 1);
}

static void run(const unsigned char *bytes, size_t n)
{
    unsigned char *b = sk_xmalloc(n + 1);
    memcpy(b, bytes, n);
    mend(b, n);
    const char *path = fuzz_file("corpus", b, n);
    int vocab[2] = {10, 10};
    if (n >= SK_CORPUS_HEADER)
        for (int side = 0; side < 2; side++)
            vocab[side] = (int)sk_get(b + 16 + 8 * (15 + side), 4);
    struct sk_corpus *c = sk_corpus_open(path, vocab[0], vocab[1]);
    free(b);
    for (int seed = -1; c && seed < 1; seed++) {
        struct sk_reader *r = sk_reader_new(c, seed);
        struct sk_pair pair;
        long sum = 0;
        while (sk_reader_next(r, &pair) > 0)
            for (int i = 0; i < pair.ns + pair.nt; i++)
                sum += i < pair.ns ? pair.source[i] : pair.target[i - pair.ns];
        if (sk_reader_seek(r, 1, sk_corpus_stats(c)->pairs / 2) == 0)
            sk_reader_next(r, &pair);
        sk_reader_free(r);
        if (sum < 0)
            abort();
    }
    sk_corpus_close(c);
}
const struct fuzz_target fuzz_corpus = {"corpus", run};
