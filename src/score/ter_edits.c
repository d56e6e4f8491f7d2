/* ter_edits.c - edit distance with shifts, step by step what sacreBLEU does.
 *
 * Row i of the matrix belongs to the first i words of the hypothesis, column
 * j to the first j of the reference. Only a band around the diagonal counts;
 * cells outside cost infinitely much. Where sacreBLEU keeps rows of
 * hypotheses it has seen, two matrices serve here: `forward` holds the cost
 * from the start to each cell, `backward` that from each cell to the end. A
 * shift permutes a part of the hypothesis, so its cost takes only the rows of
 * that part: they start from forward's row before it and meet backward's row
 * behind it. The limits (band, length, distance and number of shifts) are
 * those of Tercom and sacreBLEU, and decide the score. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "score/ter_edits.h"

enum { BAND = 25, LONGEST_SHIFT = 10, FARTHEST_SHIFT = 50, MOST_CANDIDATES = 1000, INFINITE = 1 << 29 };

struct sk_ter_edits {
    const uint32_t *ref;
    uint32_t *hyp, *moved;           /* (H): the hypothesis as shifted so far; room for a shift */
    int H, R;
    int *low, *high;                 /* (H + 1): the band: columns low <= j < high */
    size_t *at, *back_at;            /* (H + 1): cell (i, j) is forward[at[i] + j], and from row 1 on
                                      * backward[back_at[i] + j] */
    int32_t *forward, *backward;
    size_t cells, back_cells;        /* their size */
    int32_t *row[2];                 /* (R + 3): rows of a shifted part, column j at [j + 1] */
    int *align;                      /* (R): hypothesis position of each reference position, -1: before the first */
    unsigned char *hyp_wrong, *ref_wrong;        /* (H), (R) */
    int *first, *next;               /* (words + 1), (R): positions of a word in the reference, R: no more */
    int *from;                       /* (words + 1): the first of them within reach */
    size_t cap_h, cap_r, cap_words;
    int candidates;                  /* looked at so far */
};

static void *resize(void *p, size_t n, size_t size) { return sk_xrealloc(p, n, size); }

static struct sk_ter_edits *prepare(struct sk_ter_edits *e, size_t H, size_t R, uint32_t words)
{
    if (!e)
        e = sk_xcalloc(1, sizeof *e);
    if (H + 1 > e->cap_h) {
        size_t n = e->cap_h = 2 * H + 64;
        e->hyp = resize(e->hyp, n, sizeof *e->hyp);
        e->moved = resize(e->moved, n, sizeof *e->moved);
        e->low = resize(e->low, n, sizeof *e->low);
        e->high = resize(e->high, n, sizeof *e->high);
        e->at = resize(e->at, n, sizeof *e->at);
        e->back_at = resize(e->back_at, n, sizeof *e->back_at);
        e->hyp_wrong = resize(e->hyp_wrong, n, 1);
    }
    if (R + 3 > e->cap_r) {
        size_t n = e->cap_r = 2 * R + 64;
        e->row[0] = resize(e->row[0], n, sizeof **e->row);
        e->row[1] = resize(e->row[1], n, sizeof **e->row);
        e->align = resize(e->align, n, sizeof *e->align);
        e->ref_wrong = resize(e->ref_wrong, n, 1);
        e->next = resize(e->next, n, sizeof *e->next);
    }
    if (words + 1 > e->cap_words) {
        size_t n = e->cap_words = 2 * (size_t)words + 64;
        e->first = resize(e->first, n, sizeof *e->first);
        e->from = resize(e->from, n, sizeof *e->from);
    }
    return e;
}

void sk_ter_edits_free(struct sk_ter_edits *e)
{
    if (!e)
        return;
    void *all[] = {e->hyp, e->moved, e->low, e->high, e->at, e->back_at, e->forward, e->backward, e->row[0], e->row[1],
                   e->align, e->hyp_wrong, e->ref_wrong, e->first, e->next, e->from, e};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static int lesser(int a, int b) { return a < b ? a : b; }
static int greater(int a, int b) { return a > b ? a : b; }

/* The band of each row, and where rows lie. A row has infinite cells beside
 * it as far as the next one looks. */
static void lay_out(struct sk_ter_edits *e)
{
    int H = e->H, R = e->R;
    double ratio = (double)R / H;
    int band = BAND < ratio / 2 ? (int)ceil(ratio / 2 + BAND) : BAND;
    size_t used = 0, back_used = 0;
    int left, right;
    e->low[0] = 0;
    e->high[0] = R + 1;
    for (int i = 1; i <= H; i++) {
        int diagonal = (int)floor(i * ratio);
        e->low[i] = greater(0, diagonal - band);
        e->high[i] = i == H ? R + 1 : lesser(R + 1, diagonal + band);
    }
    for (int i = 0; i <= H; i++) {
        left = e->low[i] - 1;
        right = i < H ? greater(e->high[i], e->high[i + 1]) : e->high[i];
        e->at[i] = used - (size_t)left;          /* used > left from row 1 on */
        used += (size_t)(right - left);
    }
    for (int i = 1; i <= H; i++) {
        left = e->low[i - 1];
        right = greater(e->high[i], e->high[i - 1]) + 1;
        e->back_at[i] = back_used - (size_t)left;
        back_used += (size_t)(right - left);
    }
    if (used > e->cells) {
        e->cells = 2 * used;
        free(e->forward);
        e->forward = sk_xmalloc(e->cells * sizeof *e->forward);
    }
    if (back_used > e->back_cells) {
        e->back_cells = 2 * back_used;
        free(e->backward);
        e->backward = sk_xmalloc(e->back_cells * sizeof *e->backward);
    }
}

/* --- rows ------------------------------------------------------------------------ */

/* One row from the one above; both are cells of columns, from low - 1. */
static void go_down(const struct sk_ter_edits *e, int i, uint32_t word, const int32_t *above, int32_t *row)
{
    int low = e->low[i], high = e->high[i], next = i < e->H ? e->high[i + 1] : high;
    const uint32_t *ref = e->ref + low;
    int32_t left = INFINITE;
    row[0] = INFINITE;
    int j = 1;                       /* column low + j - 1 */
    if (low == 0) {
        left = row[1] = above[1] + 1;
        j = 2;
    }
    for (; j <= high - low; j++) {
        int32_t cost = above[j - 1] + (word != ref[j - 2]);
        cost = above[j] + 1 < cost ? above[j] + 1 : cost;
        cost = left + 1 < cost ? left + 1 : cost;
        row[j] = left = cost;
    }
    for (; j <= next - low; j++)
        row[j] = INFINITE;
}

static void fill_forward(struct sk_ter_edits *e, int from)
{
    if (from == 0) {
        int32_t *row = e->forward;
        row[0] = INFINITE;
        for (int j = 0; j <= e->R; j++)
            row[j + 1] = j;
    }
    for (int i = from + 1; i <= e->H; i++) {
        size_t column = (size_t)(e->low[i] - 1);
        go_down(e, i, e->hyp[i - 1], e->forward + (e->at[i - 1] + column), e->forward + (e->at[i] + column));
    }
}

static void fill_backward(struct sk_ter_edits *e)
{
    for (int i = e->H; i > 0; i--) {
        int low = e->low[i], high = e->high[i], left = e->low[i - 1], right = greater(high, e->high[i - 1]);
        int32_t *row = e->backward + (e->back_at[i] + (size_t)left);
        const int32_t *below = i < e->H ? e->backward + (e->back_at[i + 1] + (size_t)low) : NULL;
        for (int j = right; j >= high; j--)
            row[j - left] = INFINITE;
        for (int j = high - 1; j >= low; j--) {
            int32_t cost = j == e->R && !below ? 0 : row[j + 1 - left] + 1;
            if (below) {
                int32_t down = below[j - low] + 1;
                cost = down < cost ? down : cost;
                if (j < e->R) {
                    int32_t both = below[j + 1 - low] + (e->hyp[i] != e->ref[j]);
                    cost = both < cost ? both : cost;
                }
            }
            row[j - left] = cost;
        }
        for (int j = low - 1; j >= left; j--)
            row[j - left] = INFINITE;
    }
}

/* Follows the cheapest path back from the end; of equals a word for a word
 * comes first, then a word of the hypothesis too many. */
static void trace(struct sk_ter_edits *e)
{
    int i = e->H, j = e->R;
    while (i > 0 || j > 0) {
        if (i == 0) {
            e->align[--j] = -1;
            e->ref_wrong[j] = 1;
            continue;
        }
        const int32_t *row = e->forward + e->at[i], *above = e->forward + e->at[i - 1];
        int wrong = j > 0 && e->hyp[i - 1] != e->ref[j - 1];
        if (j > 0 && above[j - 1] + wrong == row[j]) {
            i--;
            j--;
            e->align[j] = i;
            e->hyp_wrong[i] = e->ref_wrong[j] = (unsigned char)wrong;
        } else if (j == 0 || above[j] + 1 == row[j]) {
            e->hyp_wrong[--i] = 1;
        } else {
            e->align[--j] = i - 1;
            e->ref_wrong[j] = 1;
        }
    }
}

/* --- shifts ---------------------------------------------------------------------- */

/* Moving the words start.. before target: they and those in between change
 * places, part [low, middle) with part [middle, high). */
struct shift { int gain, length, start, target; };
struct exchange { int low, middle, high; };

static struct exchange exchange_of(const struct sk_ter_edits *e, const struct shift *s)
{
    if (s->target < s->start)
        return (struct exchange){s->target, s->start, s->start + s->length};
    int end = s->target > s->start + s->length ? s->target : lesser(s->target + s->length, e->H);
    return (struct exchange){s->start, s->start + s->length, end};
}

/* Cost of the hypothesis with two parts exchanged. */
static int cost_of(struct sk_ter_edits *e, struct exchange x)
{
    int n = x.high - x.low, second = x.high - x.middle;
    const int32_t *above = e->forward + e->at[x.low] + (e->low[x.low] - 1);
    int column = e->low[x.low] - 1;              /* of above[0] */
    for (int k = 0; k < n; k++) {
        int i = x.low + k + 1, word = k < second ? x.middle + k : x.low + k - second;
        int32_t *row = e->row[k % 2] + e->low[i];
        go_down(e, i, e->hyp[word], above + (e->low[i] - 1 - column), row);
        above = row;
        column = e->low[i] - 1;
    }
    const int32_t *below = e->backward + (e->back_at[x.high] + (size_t)e->low[x.high]);
    int32_t best = INFINITE;
    for (int j = 0; j < e->high[x.high] - e->low[x.high]; j++)
        best = lesser(best, above[e->low[x.high] - column + j] + below[j]);
    return best;
}

static void apply(struct sk_ter_edits *e, struct exchange x)
{
    size_t first = (size_t)(x.middle - x.low), second = (size_t)(x.high - x.middle);
    memcpy(e->moved, e->hyp + x.low, first * sizeof *e->hyp);
    memmove(e->hyp + x.low, e->hyp + x.middle, second * sizeof *e->hyp);
    memcpy(e->hyp + x.low + second, e->moved, first * sizeof *e->hyp);
}

/* More gain; then the longer, the earlier, the one that goes to the earlier place. */
static int is_better(const struct shift *a, const struct shift *b)
{
    if (a->gain != b->gain)
        return a->gain > b->gain;
    if (a->length != b->length)
        return a->length > b->length;
    if (a->start != b->start)
        return a->start < b->start;
    return a->target < b->target;
}

/* Tries all places for the run of words that the two have in common. */
static void try_places(struct sk_ter_edits *e, int cost, int start, int ref_start, int length, struct shift *best)
{
    int before = -1;
    for (int k = -1; k < length; k++) {
        int target = ref_start + k == -1 ? 0 : e->align[ref_start + k] + 1;
        if (target == before)
            continue;
        before = target;
        struct shift s = {.length = length, .start = start, .target = target};
        struct exchange x = exchange_of(e, &s);
        s.gain = x.middle == x.high ? 0 : cost - cost_of(e, x);
        e->candidates++;
        if (best->length == 0 || is_better(&s, best))
            *best = s;
    }
}

/* The best shift; its length is 0 if there is none. */
static struct shift find_shift(struct sk_ter_edits *e, int cost, uint32_t words)
{
    struct shift best = {0};
    memcpy(e->from, e->first, ((size_t)words + 1) * sizeof *e->from);
    for (int start = 0; start < e->H; start++) {
        if (e->hyp[start] == 0)
            continue;
        int *from = &e->from[e->hyp[start]];
        while (*from < start - FARTHEST_SHIFT)
            *from = e->next[*from];
        for (int at = *from; at < e->R && at <= start + FARTHEST_SHIFT; at = e->next[at]) {
            int hyp_wrong = 0, ref_wrong = 0;
            for (int k = 0; k < LONGEST_SHIFT && start + k < e->H && at + k < e->R; k++) {
                if (e->hyp[start + k] != e->ref[at + k])
                    break;
                hyp_wrong |= e->hyp_wrong[start + k];
                ref_wrong |= e->ref_wrong[at + k];
                int inside = start <= e->align[at] && e->align[at] <= start + k;
                if (!hyp_wrong || !ref_wrong || inside)
                    continue;
                try_places(e, cost, start, at, k + 1, &best);
                if (e->candidates >= MOST_CANDIDATES)
                    return best;
            }
        }
    }
    return best;
}

static void index_words(struct sk_ter_edits *e, uint32_t words)
{
    for (uint32_t w = 0; w <= words; w++)
        e->first[w] = e->R;
    for (int j = e->R - 1; j >= 0; j--) {
        e->next[j] = e->first[e->ref[j]];
        e->first[e->ref[j]] = j;
    }
}

int64_t sk_ter_edits(struct sk_ter_edits **memory, const uint32_t *hypothesis, size_t H,
                     const uint32_t *reference, size_t R, uint32_t words)
{
    if (H == 0 || R == 0)
        return (int64_t)(H + R);
    struct sk_ter_edits *e = *memory = prepare(*memory, H, R, words);
    e->H = (int)H;
    e->R = (int)R;
    e->ref = reference;
    e->candidates = 0;
    memcpy(e->hyp, hypothesis, H * sizeof *e->hyp);
    lay_out(e);
    fill_forward(e, 0);
    int shifts = 0, indexed = 0;
    for (;; shifts++) {
        int cost = e->forward[e->at[H] + R];
        if (cost == 0)
            return shifts;
        if (!indexed++)
            index_words(e, words);
        trace(e);
        fill_backward(e);
        struct shift best = find_shift(e, cost, words);
        if (e->candidates >= MOST_CANDIDATES || best.gain <= 0)
            return shifts + cost;
        struct exchange x = exchange_of(e, &best);
        apply(e, x);
        fill_forward(e, x.low);
    }
}
