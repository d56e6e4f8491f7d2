/* vocab.c - vocabularies in JSON. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "text/vocab.h"

static void run(const unsigned char *bytes, size_t n)
{
    struct sk_vocab *v = sk_vocab_load(fuzz_file("vocab.json", bytes, n));
    if (!v)
        return;
    for (int32_t i = 0; i < sk_vocab_size(v); i++) {
        const char *word = sk_vocab_word(v, i);
        int32_t id = sk_vocab_id(v, word, strlen(word));
        if (id != i && id != SK_UNK)
            abort();
    }
    sk_vocab_free(v);
}
const struct fuzz_target fuzz_vocab = {"vocab", run};
