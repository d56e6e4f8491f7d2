/* requests.c - lines that sk-translate is asked to translate; the first byte says
 * whether they are JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "search/request.h"
#include "search/wishes.h"
#include "tests/fuzz/fuzz.h"
#include "text/lines.h"
#include "text/utf8.h"

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
static void line(int how, const char *bytes, size_t n)
{
    const char *factor[2] = {"a b", ""};
    struct sk_str text = {0};
    struct sk_request r;
    sk_str_add(&text, "", 0);
    sk_utf8_repair(&text, bytes, n, 1);
    if (how & 1)
        sk_request_json(&r, text.text, text.len, words());
    else
        sk_request_text(&r, text.text, text.len);
    sk_request_factors(&r, (how >> 1) % 3, how & 8 ? factor : NULL);
    const char *p = r.text;
    size_t size;
    while (sk_token_next(&p, &size))
        ;
    sk_request_free(&r);
    sk_str_free(&text);
}

static void run(const unsigned char *bytes, size_t n)
{
    const char *at = (const char *)bytes + 1, *end = (const char *)bytes + n, *next;
    for (; n > 0 && at < end; at = next + 1) {
        if (!(next = memchr(at, '\n', (size_t)(end - at))))
            next = end;
        line(bytes[0], at, (size_t)(next - at));
    }
}
const struct fuzz_target fuzz_requests = {"requests", run};
