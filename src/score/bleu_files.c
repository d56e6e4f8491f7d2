/* bleu_files.c - BLEU of two files, line by line. */
#include "base/msg.h"
#include "score/bleu.h"
#include "text/lines.h"

/* Lines that follow in a file: -1 if one cannot be read. */
static long long count_rest(struct sk_lines *l)
{
    char *line;
    size_t n;
    int got;
    long long rest = 0;
    while ((got = sk_lines_next(l, &line, &n)) > 0)
        rest++;
    return got < 0 ? -1 : rest;
}

static int add_lines(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase,
                     struct sk_lines *hypotheses, struct sk_lines *references)
{
    char *hyp, *ref;
    size_t nh, nr;
    long long lines = 0;
    for (;; lines++) {
        int h = sk_lines_next(hypotheses, &hyp, &nh);
        int r = h < 0 ? -1 : sk_lines_next(references, &ref, &nr);
        if (h < 0 || r < 0)
            return -1;
        if (!h && !r)
            break;
        if (h != r) {
            long long more = count_rest(h ? hypotheses : references);
            if (more < 0)
                return -1;
            more += lines + 1;
            return sk_fail(SK_EXIT_DATA, "%s has %lld lines, but %s has %lld: line by line they must correspond",
                           sk_lines_path(hypotheses), h ? more : lines, sk_lines_path(references), h ? lines : more);
        }
        sk_bleu_add(b, t, lowercase, hyp, nh, ref, nr);
    }
    if (lines == 0)
        return sk_fail(SK_EXIT_DATA, "%s and %s have no lines: nothing to score",
                       sk_lines_path(hypotheses), sk_lines_path(references));
    return 0;
}

int sk_bleu_add_files(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase,
                      const char *hypotheses, const char *references)
{
    struct sk_lines *h = sk_lines_open(hypotheses, SK_LINES_NEWLINE_ONLY);
    struct sk_lines *r = h ? sk_lines_open(references, SK_LINES_NEWLINE_ONLY) : NULL;
    int result = r ? add_lines(b, t, lowercase, h, r) : -1;
    if (h)
        sk_lines_close(h);
    if (r)
        sk_lines_close(r);
    return result;
}
