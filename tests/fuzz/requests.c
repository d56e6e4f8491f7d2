/* requests.c - lines that sk-translate is asked to translate; the first byte says
 * whether they are JSON. */
#include <stdlib.h>
#include <string.h>

#include "search/request.h"
#include "search/wishes.h"
#include "tests/fuzz/fuzz.h"
#include "text/lines.h"

static const struct sk_wish_words *words(void)
{
    static const char text[] = "{\"<pad>\": 0, \"<unk>\": 1, \"<s>\": 2, \"</s>\": 3, \"a\": 4, \"b\": 5}";
    static struct sk_wish_words w = {.most = 20};
    if (!w.target)
        w.target = sk_vocab_load(fuzz_file("vocab.json", (const unsigned char *)text, sizeof text - 1));
    if (!w.target)
        abort();
    return &w;
}

/* Lines are valid UTF-8 when they come here: lines.h sees to that. */
static void run(const unsigned char *bytes, size_t n)
{
    if (n == 0)
        return;
    struct sk_lines *l = sk_lines_open(fuzz_file("lines", bytes + 1, n - 1), SK_LINES_REPLACE_INVALID);
    const char *factor[2] = {"a b", ""};
    char *line;
    size_t length;
    while (l && sk_lines_next(l, &line, &length) > 0) {
        struct sk_request r;
        if (bytes[0] & 1)
            sk_request_json(&r, line, length, words());
        else
            sk_request_text(&r, line, length);
        sk_request_factors(&r, (int)(bytes[0] >> 1) % 3, bytes[0] & 8 ? factor : NULL);
        const char *p = r.text;
        size_t size;
        while (sk_token_next(&p, &size))
            ;
        sk_request_free(&r);
    }
    sk_lines_close(l);
}
const struct fuzz_target fuzz_requests = {"requests", run};
