/* text.c - text, plain or gzip; the first byte says how its lines are read. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "text/lines.h"

static void run(const unsigned char *bytes, size_t n)
{
    if (n == 0)
        return;
    struct sk_lines *l = sk_lines_open(fuzz_file(bytes[0] & 4 ? "text.gz" : "text", bytes + 1, n - 1), bytes[0] & 3);
    char *line;
    size_t length, token;
    while (l && sk_lines_next(l, &line, &length) > 0) {
        const char *p = line, *word;
        if (line[length] != '\0' || (!(bytes[0] & 2) && strlen(line) != length))
            abort();
        while ((word = sk_token_next(&p, &token)) != NULL)
            if (token == 0 || word + token > line + length)
                abort();
    }
    sk_lines_close(l);
}
const struct fuzz_target fuzz_text = {"text", run};
