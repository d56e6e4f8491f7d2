/* sk-translate - translates lines with a trained model, or several. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "base/out.h"
#include "math/backend.h"
#include "modeldir/open.h"
#include "modeldir/protect.h"
#include "modeldir/translate_options.h"
#include "search/output.h"
#include "text/factor_files.h"
#include "text/lines.h"
#include "text/meter.h"
#include "text/pieces.h"

/* --- lines -------------------------------------------------------------------- */

struct job {
    const struct sk_translate_values *o;
    struct sk_translator *t;
    struct sk_lines *in;
    int factors;                     /* of the model, */
    struct sk_factor_files files;    /* in these files, if there are any */
    struct sk_out *out;
    struct sk_meter meter;
    struct sk_pieces *pieces;        /* --sentencepiece, or NULL */
    struct sk_wish_words wish;
    int64_t chunk, words, bad, unmet;
};

static void show(void *ctx, int64_t done, int64_t all)
{
    struct job *j = ctx;
    double share = (double)done / (double)all;       /* pieces of long lines count one by one */
    sk_meter_show(&j->meter, (int64_t)((double)j->chunk * share), share);
}

/* Pieces of sentencepiece become text. */
static void join_pieces(struct job *j, struct sk_translation *t)
{
    for (int k = 0; k < t->n && j->pieces; k++) {
        char *text = sk_pieces_decode(j->pieces, 1, t->texts[k]);
        free(t->texts[k]);
        t->texts[k] = text;
    }
    t->text = t->texts[0];
}

static void tell_unmet(struct job *j, long long line, const struct sk_wishes *w, uint64_t unmet)
{
    if (!unmet)
        return;
    j->unmet++;
    sk_warn("input line %lld is translated without '%s'%s", line, w->name[__builtin_ctzll(unmet)],
            unmet & (unmet - 1) ? " and other required phrases" : "");
}

/* Translates n lines and writes the results. */
static int do_chunk(struct job *j, const struct sk_request *r, int64_t n)
{
    struct sk_output form = {j->o->output_type ? sk_output_type(j->o->output_type) : SK_OUTPUT_TRANSLATION, j->o->nbest};
    struct sk_translation *found = sk_xcalloc((size_t)n, sizeof *found);
    char **text = sk_xcalloc((size_t)n, sizeof *text);
    const struct sk_wishes **wishes = sk_xcalloc((size_t)n, sizeof *wishes);
    struct sk_str out = {0};
    for (int64_t i = 0; i < n; i++) {
        text[i] = r[i].text;
        wishes[i] = r[i].wishes;
    }
    double start = sk_now();
    j->chunk = n;
    sk_translate(j->t, text, wishes, n, found);
    double seconds = (sk_now() - start) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        tell_unmet(j, (long long)(j->meter.lines + i + 1), wishes[i], found[i].unmet);
        join_pieces(j, &found[i]);
        sk_output_add(&form, &out, (long long)(j->meter.lines + i + 1), &r[i], &found[i], seconds);
        j->words += found[i].words;
    }
    j->meter.lines += n;
    int result = sk_out_write(j->out, out.text, out.len);
    sk_translation_free(found, n);
    free(found);
    free(text);
    free(wishes);
    sk_str_free(&out);
    return result;
}

static void read_request(struct job *j, struct sk_request *r, const char *line, size_t length)
{
    if (j->o->json_input)
        sk_request_json(r, line, length, &j->wish);
    else
        sk_request_text(r, line, length);
    sk_request_factors(r, j->factors, j->files.n ? j->files.line : NULL);
    if (j->pieces && !r->error) {
        char *text = sk_pieces_encode(j->pieces, 0, r->text);
        free(r->text);
        r->text = text;
    }
    if (!r->error)
        return;
    j->bad++;
    sk_warn("input line %llu is not translated: %s", (unsigned long long)sk_lines_number(j->in), r->error);
}

/* Reads what is there, up to a chunk, and translates it, until the end. */
static int do_lines(struct job *j)
{
    int64_t most = j->o->chunk_size > 0 ? j->o->chunk_size : 100 * (int64_t)j->o->batch_size, n;
    struct sk_request *chunk = NULL;
    char *line;
    size_t length, cap = 0;
    int got = 1, result = 0;
    while (got > 0 && result == 0) {
        for (n = 0; n < most && (n == 0 || sk_lines_ready(j->in)); n++) {
            got = sk_lines_next(j->in, &line, &length);
            if (got >= 0 && sk_factor_files_next(&j->files, j->in, got) < 0)
                got = -1;
            if (got <= 0)
                break;
            if ((size_t)n == cap) {
                cap = cap ? 2 * cap : 64;
                chunk = sk_xrealloc(chunk, cap, sizeof *chunk);
            }
            sk_meter_line(&j->meter, length);
            read_request(j, &chunk[n], line, length);
        }
        sk_meter_chunk(&j->meter, j->in);
        if (n > 0)
            result = do_chunk(j, chunk, n);
        for (int64_t i = 0; i < n; i++)
            sk_request_free(&chunk[i]);
    }
    free(chunk);
    return got < 0 ? -1 : result;
}

static char *encode_wish(void *ctx, const char *text) { return sk_pieces_encode(ctx, 1, text); }

static int translate(struct job *j, struct sk_trained *m, int models)
{
    const struct sk_translate_values *o = j->o;
    struct sk_model *model[SK_ENSEMBLE_MAX];
    struct sk_phrases *avoid = NULL;
    struct sk_translate_options options = {
        .beam = {.beam_size = o->beam_size, .alpha = o->alpha, .beta = o->beta, .nbest = o->nbest, .prune = o->prune,
                 .stop_first = !strcmp(o->stop, "first"), .log_linear = !strcmp(o->ensemble_mode, "log_linear"),
                 .samples = o->sample >= 0, .sample_from = o->sample > 0 ? o->sample : 0, .seed = (uint64_t)o->seed},
        .batch = o->chunk_size > 0 && o->chunk_size < o->batch_size ? o->chunk_size : o->batch_size,
        .strip_unknown = o->strip_unknown, .factored = sk_trained_factored(m), .progress = show, .ctx = j};
    sk_trained_limits(&options, m, models, o->max_input_len, o->num_stds);
    j->wish = (struct sk_wish_words){.target = m[0].target, .most = options.beam.max_output - 1,
                                     .sampling = o->sample >= 0,
                                     .encode = j->pieces ? encode_wish : NULL, .ctx = j->pieces};
    if (o->avoid_list && sk_avoid_list(o->avoid_list, &j->wish, &avoid))
        return -1;
    options.beam.avoid = avoid;
    struct sk_shortlist shortlist = {0};
    if (o->restrict_lexicon) {
        if (sk_shortlist_load(&shortlist, o->restrict_lexicon, sk_vocab_size(m[0].source), sk_vocab_size(m[0].target),
                              o->restrict_topk)) {
            sk_phrases_free(avoid);
            return -1;
        }
        options.shortlist = &shortlist;
    }
    for (int i = 0; i < models; i++)
        model[i] = m[i].model;
    j->t = sk_translator_new(model, models, m[0].source, m[0].target, &options);
    sk_meter_start(&j->meter, "lines translated");
    int result = do_lines(j);
    double seconds = sk_meter_seconds(&j->meter);
    sk_translator_free(j->t);
    sk_phrases_free(avoid);
    sk_shortlist_free(&shortlist);
    if (result == 0)
        sk_info("translated %lld lines in %.1f s: %.1f lines/s, %.0f words/s", (long long)j->meter.lines, seconds,
                (double)j->meter.lines / seconds, (double)j->words / seconds);
    if (j->bad > 0)
        sk_warn("%lld of %lld lines could not be translated", (long long)j->bad, (long long)j->meter.lines);
    if (j->unmet > 0)
        sk_warn("%lld of %lld lines do not have all their required phrases", (long long)j->unmet,
                (long long)j->meter.lines);
    return result;
}

static int run(const struct sk_translate_values *o, const char *const *dirs, int n, const struct sk_ops *ops,
               struct sk_device *dev)
{
    struct sk_trained m[SK_ENSEMBLE_MAX];
    struct sk_out out = {0};
    struct job j = {.o = o, .out = &out};
    char text[256];
    if (o->sentencepiece[0] && (j.pieces = sk_pieces_open(o->sentencepiece)) == NULL)
        return -1;
    if (sk_trained_open_all(m, n, dirs, o->checkpoints.n ? o->checkpoints.v : NULL, ops, dev)) {
        sk_pieces_close(j.pieces);
        return -1;
    }
    ops->describe(dev, text, sizeof text);
    for (int i = 0; i < n; i++)
        sk_info("translating with %s on %s", m[i].params, text);
    j.factors = m[0].config.model.factors.n;
    int result = sk_factor_files_open(&j.files, o->factors.v, o->factors.n, j.factors, "input-factors");
    if (result == 0 && j.factors && j.pieces)
        result = sk_fail(SK_EXIT_CONFIG, "--sentencepiece cuts words without knowing their source factors: give a model that "
                         "has them pieces with factors");
    j.in = result == 0 ? sk_lines_open(o->input, SK_LINES_REPLACE_INVALID) : NULL;
    result = j.in ? sk_out_open(&out, o->output) : -1;
    if (result == 0)
        result = sk_out_close(&out, translate(&j, m, n));
    if (j.in)
        sk_lines_close(j.in);
    sk_factor_files_close(&j.files);
    sk_trained_close_all(m, n);
    sk_pieces_close(j.pieces);
    return result;
}

int main(int argc, char **argv)
{
    struct sk_translate_values o;
    const char *dirs[SK_ENSEMBLE_MAX];
    sk_msg_program(argv[0]);
    sk_opt_parse(&sk_translate_program, &o, argc, argv);
    sk_temp_catch_signals();
    sk_quiet(o.quiet);
    int n = sk_translate_models(&o, dirs);
    sk_translate_check(&o);
    if (sk_md_check_output(o.output))
        return sk_die();
    const struct sk_ops *ops = sk_backend(o.use_cpu);
    struct sk_device *dev = ops ? sk_device_open(ops, o.threads, o.dtype) : NULL;
    int result = dev ? run(&o, dirs, n, ops, dev) : -1;
    if (dev)
        ops->close(dev);
    return result ? sk_die() : SK_EXIT_OK;
}
