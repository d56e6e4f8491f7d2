/* ter.c - TER: texts to words, edits to the score. */
#include <stdlib.h>
#include <string.h>
#include "score/lowercase.h"
#include "score/ter.h"
#include "score/ter_edits.h"
#include "score/tokenize.h"
#include "score/unicode.h"
#include "score/lexicon.h"

struct reference { struct sk_str text; struct sk_ids ids; };         /* the words point into the text */

struct sk_ter {
    const struct sk_ter_options *o;
    unsigned how;
    struct sk_lexicon words;           /* of all references */
    struct reference *reference;
    int references, cap;
    struct sk_ids ids;               /* of the hypothesis */
    struct sk_str hypothesis, spare;
    struct sk_ter_edits *edits;
};

struct sk_ter *sk_ter_new(const struct sk_ter_options *o)
{
    struct sk_ter *t = sk_xcalloc(1, sizeof *t);
    t->o = o;
    t->how = (o->normalized ? SK_TERCOM_NORMALIZED : 0u) | (o->no_punct ? SK_TERCOM_NO_PUNCT : 0u) |
             (o->asian_support ? SK_TERCOM_ASIAN : 0u);
    return t;
}

void sk_ter_free(struct sk_ter *t)
{
    for (int i = 0; i < t->cap; i++) {
        sk_str_free(&t->reference[i].text);
        sk_ids_free(&t->reference[i].ids);
    }
    free(t->reference);
    sk_lexicon_free(&t->words);
    sk_ids_free(&t->ids);
    sk_str_free(&t->hypothesis);
    sk_str_free(&t->spare);
    sk_ter_edits_free(t->edits);
    free(t);
}

static void read_line(struct sk_ter *t, struct sk_line line, struct sk_str *text)
{
    size_t n = sk_trim_end(line.text, line.n);
    sk_str_clear(text);
    if (t->o->case_sensitive)
        sk_str_add(text, line.text, n);
    else
        sk_lowercase(line.text, n, text);
    sk_tokenize_tercom(t->how, text, &t->spare);
}

/* Words separated by single blanks. */
static void join_words(struct sk_str *text, struct sk_str *spare)
{
    const char *p = text->text, *end = p + text->len, *word;
    size_t length;
    sk_str_clear(spare);
    while ((word = sk_word_next(&p, end, &length)) != NULL) {
        sk_str_add(spare, " ", spare->len > 0);
        sk_str_add(spare, word, length);
    }
    sk_str_clear(text);
    sk_str_add(text, spare->text, spare->len);
}

/* sacreBLEU normalises references twice. The second time finds what white
 * space other than blanks has hidden, such as 's before a tab. */
static void read_reference(struct sk_ter *t, struct sk_line line, struct reference *r)
{
    read_line(t, line, &r->text);
    if (t->o->normalized) {
        join_words(&r->text, &t->spare);
        sk_tokenize_tercom(t->how, &r->text, &t->spare);
    }
    sk_lexicon_read(&t->words, r->text.text, r->text.len, 1, &r->ids);
}

void sk_ter_references(struct sk_ter *t, const struct sk_line *reference, int n)
{
    if (n > t->cap) {
        t->reference = sk_xrealloc(t->reference, (size_t)n, sizeof *t->reference);
        memset(t->reference + t->cap, 0, (size_t)(n - t->cap) * sizeof *t->reference);
        t->cap = n;
    }
    sk_lexicon_reset(&t->words);
    for (int i = 0; i < n; i++)
        read_reference(t, reference[i], &t->reference[i]);
    t->references = n;
}

void sk_ter_hypothesis(struct sk_ter *t, struct sk_line hypothesis, double *stats)
{
    int64_t best = INT64_MAX, length = 0;
    read_line(t, hypothesis, &t->hypothesis);
    sk_lexicon_read(&t->words, t->hypothesis.text, t->hypothesis.len, 0, &t->ids);
    for (int i = 0; i < t->references; i++) {
        const struct sk_ids *r = &t->reference[i].ids;
        int64_t edits = sk_ter_edits(&t->edits, t->ids.id, t->ids.n, r->id, r->n, t->words.words);
        best = edits < best ? edits : best;
        length += (int64_t)r->n;
    }
    stats[0] = (double)best;
    stats[1] = (double)length / t->references;
}

double sk_ter_value(const double *stats)
{
    if (stats[1] > 0)
        return 100 * (stats[0] / stats[1]);
    return stats[0] > 0 ? 100 : 0;   /* something, though there should be nothing */
}

void sk_ter_signature(const struct sk_ter_options *o, struct sk_str *out)
{
    sk_str_printf(out, "case:%s|tok:tercom|norm:%s|punct:%s|asian:%s", o->case_sensitive ? "mixed" : "lc",
                  o->normalized ? "yes" : "no", o->no_punct ? "no" : "yes", o->asian_support ? "yes" : "no");
}
