/* beam_private.h - what the files of beam search share: beam.c (sentences come
 * and go), beam_rows.c (what a step asks of the decoder), beam_step.c (what comes
 * of it), beam_required.c and beam_sample.c (other ways to choose). */
#ifndef SK_SEARCH_BEAM_PRIVATE_H
#define SK_SEARCH_BEAM_PRIVATE_H
#include "search/beam.h"

struct node { int32_t parent, word; };           /* parent -1: first word */
struct hypothesis {
    double logprob, score;
    int32_t node;                    /* last word; -1: none yet */
    int32_t row;                     /* among those of its sentence in the last step */
    int finished;
    int32_t avoided[2], required;    /* states of the phrases of all sentences, and of this one's */
    uint64_t met;                    /* required phrases that it holds */
};
struct candidate { double logprob, score; int32_t from, word; /* word -1: the finished hypothesis itself */ };
struct search {                      /* of one sentence; its place in `search` is its slot in the decoder */
    const struct sk_sentence *sentence;
    int index;                       /* of the sentences of the call */
    int limit;                       /* most symbols, EOS included */
    int step;                        /* symbols that running hypotheses have */
    int n, nodes;
    struct hypothesis *h;            /* (beam_size) best first; samples: by number */
    struct node *node;               /* (beam_size * max_steps) */
};

struct sk_beam {
    struct sk_beam_options o;
    int batch, slots, longest, source_rows, max_steps, models, V;
    struct sk_decoder **decoder;     /* (models) */
    double *penalty;                 /* (max_steps + 1) LP */
    struct search *search;           /* (slots) */
    struct candidate *best;          /* (beam_size) of one sentence, sorted */
    struct hypothesis *next;         /* (beam_size) */
    /* slots: searched, encoded and waiting, free */
    int32_t *active, *waiting, *spare;
    int actives, waitings, spares;
    int32_t *source, *offset;        /* packed sentences, EOS at the end of each */
    int32_t *position, *first;       /* (slots), (slots + 1) input of a step */
    int32_t *id, *parent;            /* (rows) */
    /* what is asked of each row: the given words, EOS or a word of the prefix
     * first, and the words that it may not have */
    struct sk_word_list label, ban;
    int32_t *label_first, *ban_first;        /* (rows + 1) */
    float *label_logp;               /* (label.cap) */
    size_t label_cap;
    struct sk_top top;
    float *logp;                     /* (rows, V) where whole distributions are needed */
    double *sum;                     /* (V) of one row */
    float *kept;                     /* (V) of one row */
    struct candidate *offered;       /* (offered_cap) of beam_required.c */
    int *progress;                   /* (offered_cap) */
    size_t offered_cap;
};

/* Whole distributions are needed, not the best words only. */
static inline int sk_beam_draws_from_all(const struct sk_beam *b) { return b->o.samples && b->o.sample_from == 0; }

/* The running hypotheses of all sentences: input of the next step (beam_rows.c). */
struct sk_decoder_rows sk_beam_gather(struct sk_beam *b);
/* After the decoder's step: b->top, and b->logp if it is needed. */
void sk_beam_distributions(struct sk_beam *b, const struct sk_decoder_rows *rows);
/* May row r of the step not have this word? */
int sk_beam_banned(const struct sk_beam *b, int row, int32_t word);

/* May hypothesis h, row r of the step, end? Not before it holds all required phrases,
 * nor where that is to be avoided (beam_step.c). */
int sk_beam_may_end(const struct sk_beam *b, const struct search *s, const struct hypothesis *h, int row);
/* Extends the hypotheses of a sentence; row: its first one in the step.
 * Returns whether the search goes on (beam_step.c). */
int sk_beam_advance(struct sk_beam *b, struct search *s, int row);
/* The best finished ones. */
void sk_beam_collect(const struct sk_beam *b, const struct search *s, struct sk_beam_result *r);
/* Lower scores first; of equal ones the better parent's, then the lower word's. */
int sk_candidate_before(const struct candidate *a, const struct candidate *b);
/* h with one word more, or ended; its score is the caller's to set. */
void sk_hypothesis_extend(const struct sk_beam *b, struct search *s, struct hypothesis *h, int32_t word);
/* The candidates to keep, sorted, in b->best, of a sentence with required phrases;
 * n of them are there, the best. Returns how many. */
int sk_beam_choose_required(struct sk_beam *b, const struct search *s, int row, int n);
/* The same as sk_beam_advance, by sampling. */
int sk_beam_sample(struct sk_beam *b, struct search *s, int row);
#endif
