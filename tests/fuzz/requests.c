/* requests.c - lines that sk-translate is asked to translate; the first byte says
 * whether they are JSON. */
#include <stdlib.h>

#include "search/request.h"
#include "tests/fuzz/fuzz.h"
#include "text/lines.h"

/* Lines are valid UTF-8 when they come here: lines.h sees to that. */
static void run(const unsigned char *bytes, size_t n)
{
    if (n == 0)
        return;
    struct sk_lines *l = sk_lines_open(fuzz_file("lines", bytes + 1, n - 1), SK_LINES_REPLACE_INVALID);
    char *line;
    size_t length;
    while (l && sk_lines_next(l, &line, &length) > 0) {
        struct sk_request r;
        if (bytes[0] & 1)
            sk_request_json(&r, line, length);
        else
            sk_request_text(&r, line, length);
        const char *p = r.text;
        size_t size;
        while (sk_token_next(&p, &size))
            ;
        sk_request_free(&r);
    }
    sk_lines_close(l);
}
const struct fuzz_target fuzz_requests = {"requests", run};
