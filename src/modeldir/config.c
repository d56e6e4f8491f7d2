#include "modeldir/config.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/metrics.h"
#include "modeldir/paths.h"

static const char *const architectures[] = {"transformer", "rnn", NULL};
static const char *const cells[] = {"lstm", "gru", NULL};
static const char *const attentions[] = {"mlp", "dot", "bilinear", NULL};
static const char *const starts[] = {"last", "avg", "zero", NULL};
static const char *const activations[] = {"relu", "gelu", "swish1", NULL};
static const char *const positions[] = {"none", "fixed", "learned", NULL};
static const char *const combines[] = {"concat", "sum", NULL};
static const char *const tyings[] = {"none", "trg_softmax", "src_trg", "src_trg_softmax", NULL};

/* --- writing: line by line, since jansson spells 0.1 as 0.10000000000000001 -- */

static void put_text(struct sk_str *s, const char *key, const char *value)
{
    sk_str_printf(s, "    \"%s\": \"%s\",\n", key, value);
}

static void put_texts(struct sk_str *s, const char *key, const char v[2][8])
{
    sk_str_printf(s, "    \"%s\": [\"%s\", \"%s\"],\n", key, v[0], v[1]);
}

static void put_ints(struct sk_str *s, const char *key, const int v[2])
{
    sk_str_printf(s, "    \"%s\": [%d, %d],\n", key, v[0], v[1]);
}

static void put_number(struct sk_str *s, const char *key, double v)
{
    char text[32];
    sk_metrics_number(v, text);
    sk_str_printf(s, "    \"%s\": %s,\n", key, text);
}

/* The decimal number of fewest digits that is read back as this float. */
static double decimal(float v)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if ((float)strtod(text, NULL) == v) break;
    }
    return strtod(text, NULL);
}

static void put_pair(struct sk_str *s, const char *key, const float v[2])
{
    char text[2][32];
    for (int i = 0; i < 2; i++) sk_metrics_number(decimal(v[i]), text[i]);
    sk_str_printf(s, "    \"%s\": [%s, %s],\n", key, text[0], text[1]);
}

static void put_list(struct sk_str *s, const char *key, const int *v, int n)
{
    sk_str_printf(s, "    \"%s\": [", key);
    for (int i = 0; i < n; i++) sk_str_printf(s, "%s%d", i ? ", " : "", v[i]);
    sk_str_printf(s, "],\n");
}

static void put_factors(struct sk_str *s, const struct sk_factors *f)
{
    if (f->n == 0) return;
    put_text(s, "source_factors_combine", combines[f->sum]);
    put_list(s, "source_factors_num_embed", f->embed, f->n);
    put_list(s, "source_factors_vocab_size", f->vocab, f->n);
}

static char *rnn_text(const struct sk_config *c)
{
    const struct sk_model_config *m = &c->model;
    const struct sk_rnn *r = &m->rnn;
    struct sk_str s = {0};
    sk_str_printf(&s, "{\n");
    put_text(&s, "architecture", architectures[m->architecture]);
    sk_str_printf(&s, "    \"attention_in_upper_layers\": %d,\n    \"attention_num_hidden\": %d,\n", r->upper,
                  r->attention_hidden);
    put_text(&s, "attention_type", attentions[r->attention]);
    put_text(&s, "cell_type", cells[r->cell]);
    put_text(&s, "decoder_state_init", starts[r->start]);
    put_number(&s, "dropout_hidden", decimal(r->dropout_hidden));
    put_pair(&s, "dropout_inputs", r->dropout_inputs);
    put_pair(&s, "dropout_states", r->dropout_states);
    put_pair(&s, "embed_dropout", m->dropout_embed);
    sk_str_printf(&s, "    \"first_residual_layer\": %d,\n    \"format\": %d,\n    \"layer_normalization\": %d,\n",
                  r->first_residual, SK_CONFIG_VERSION, r->layer_norm);
    put_number(&s, "length_ratio_mean", c->length_ratio_mean);
    put_number(&s, "length_ratio_std", c->length_ratio_std);
    put_ints(&s, "max_positions", m->max_len);
    put_ints(&s, "max_seq_len", c->max_seq_len);
    put_ints(&s, "num_embed", r->embed);
    sk_str_printf(&s, "    \"num_hidden\": %d,\n", m->size[0]);
    put_ints(&s, "num_layers", m->layers);
    sk_str_printf(&s, "    \"scale_dot_attention\": %d,\n", r->scale_dot);
    put_factors(&s, &m->factors);
    put_ints(&s, "vocab_size", m->vocab);
    sk_str_printf(&s, "    \"weight_tying_type\": \"%s\"\n}\n", tyings[m->tying]);
    return s.text;
}

char *sk_config_text(const struct sk_config *c)
{
    const struct sk_model_config *m = &c->model;
    struct sk_str s = {0};
    if (m->architecture == SK_RNN) return rnn_text(c);
    char embed[2][32];
    for (int i = 0; i < 2; i++) sk_metrics_number(decimal(m->dropout_embed[i]), embed[i]);
    sk_str_printf(&s, "{\n");
    put_text(&s, "activation_type", activations[m->activation]);
    put_text(&s, "architecture", architectures[0]);
    put_ints(&s, "attention_heads", m->heads);
    put_number(&s, "dropout_act", decimal(m->dropout_act));
    put_number(&s, "dropout_attention", decimal(m->dropout_attention));
    put_number(&s, "dropout_prepost", decimal(m->dropout_prepost));
    sk_str_printf(&s, "    \"embed_dropout\": [%s, %s],\n", embed[0], embed[1]);
    put_ints(&s, "feed_forward_num_hidden", m->feed_forward);
    sk_str_printf(&s, "    \"format\": %d,\n", SK_CONFIG_VERSION);
    put_number(&s, "length_ratio_mean", c->length_ratio_mean);
    put_number(&s, "length_ratio_std", c->length_ratio_std);
    put_ints(&s, "max_positions", m->max_len);
    put_ints(&s, "max_seq_len", c->max_seq_len);
    put_ints(&s, "model_size", m->size);
    put_ints(&s, "num_layers", m->layers);
    put_text(&s, "positional_embedding_type", positions[m->positions]);
    put_texts(&s, "postprocess", m->post);
    put_texts(&s, "preprocess", m->pre);
    put_factors(&s, &m->factors);
    put_ints(&s, "vocab_size", m->vocab);
    sk_str_printf(&s, "    \"weight_tying_type\": \"%s\"\n}\n", tyings[m->tying]);
    return s.text;
}

int sk_config_save(const struct sk_config *c, const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_CONFIG), *text = sk_config_text(c);
    int r = sk_file_save(path, text, strlen(text), SK_REPLACE);
    free(text);
    free(path);
    return r;
}

/* --- reading: the first error is kept ------------------------------------- */

struct reader { const char *path; const json_t *o; int failed; };

static void bad(struct reader *r, const char *key, const char *what)
{
    if (!r->failed) sk_fail(SK_EXIT_DATA, "%s: \"%s\" %s", r->path, key, what);
    r->failed = 1;
}

static int whole(struct reader *r, const char *key, const json_t *v)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 2000000000) {
        bad(r, key, "is missing or no whole number");
        return 0;
    }
    return (int)json_integer_value(v);
}

static void get_ints(struct reader *r, const char *key, int out[2])
{
    for (size_t i = 0; i < 2; i++) out[i] = whole(r, key, json_array_get(json_object_get(r->o, key), i));
}

static void get_texts(struct reader *r, const char *key, char out[2][8])
{
    for (size_t i = 0; i < 2; i++) {
        const char *s = json_string_value(json_array_get(json_object_get(r->o, key), i));
        if (!s || strlen(s) > 7) bad(r, key, "is missing or longer than 7 letters");
        else strcpy(out[i], s);
    }
}

static double number(struct reader *r, const char *key, const json_t *v)
{
    if (!json_is_number(v) || !isfinite(json_number_value(v))) {
        bad(r, key, "is missing or no number");
        return 0;
    }
    return json_number_value(v);
}

static int get_int(struct reader *r, const char *key) { return whole(r, key, json_object_get(r->o, key)); }

static float get_number(struct reader *r, const char *key)
{
    return (float)number(r, key, json_object_get(r->o, key));
}

static void get_pair(struct reader *r, const char *key, float out[2])
{
    for (size_t i = 0; i < 2; i++) out[i] = (float)number(r, key, json_array_get(json_object_get(r->o, key), i));
}

static int choice(struct reader *r, const char *key, const char *const *names)
{
    const char *s = json_string_value(json_object_get(r->o, key));
    for (int i = 0; s && names[i]; i++)
        if (!strcmp(s, names[i])) return i;
    bad(r, key, "is missing or not known to this version");
    return 0;
}

static void read_factors(struct reader *r, struct sk_factors *f)
{
    const json_t *embed = json_object_get(r->o, "source_factors_num_embed");
    const json_t *vocab = json_object_get(r->o, "source_factors_vocab_size");
    if (!embed && !vocab) return;
    if (json_array_size(vocab) != json_array_size(embed) || json_array_size(embed) > SK_FACTORS_MAX ||
        json_array_size(embed) == 0) {
        bad(r, "source_factors_num_embed", "does not agree with \"source_factors_vocab_size\"");
        return;
    }
    f->sum = choice(r, "source_factors_combine", combines);
    for (f->n = 0; (size_t)f->n < json_array_size(embed); f->n++) {
        f->embed[f->n] = whole(r, "source_factors_num_embed", json_array_get(embed, (size_t)f->n));
        f->vocab[f->n] = whole(r, "source_factors_vocab_size", json_array_get(vocab, (size_t)f->n));
    }
}

static void read_transformer(struct reader *r, struct sk_model_config *m)
{
    get_ints(r, "model_size", m->size);
    get_ints(r, "attention_heads", m->heads);
    get_ints(r, "feed_forward_num_hidden", m->feed_forward);
    get_texts(r, "preprocess", m->pre);
    get_texts(r, "postprocess", m->post);
    m->activation = (enum sk_activation)choice(r, "activation_type", activations);
    m->positions = (enum sk_positions)choice(r, "positional_embedding_type", positions);
    m->dropout_attention = get_number(r, "dropout_attention");
    m->dropout_act = get_number(r, "dropout_act");
    m->dropout_prepost = get_number(r, "dropout_prepost");
}

static void read_rnn(struct reader *r, struct sk_model_config *m)
{
    struct sk_rnn *n = &m->rnn;
    n->cell = (enum sk_cell)choice(r, "cell_type", cells);
    n->attention = (enum sk_rnn_attention)choice(r, "attention_type", attentions);
    n->start = (enum sk_rnn_start)choice(r, "decoder_state_init", starts);
    get_ints(r, "num_embed", n->embed);
    m->size[0] = m->size[1] = get_int(r, "num_hidden");
    m->heads[0] = m->heads[1] = m->feed_forward[0] = m->feed_forward[1] = 1;
    n->attention_hidden = get_int(r, "attention_num_hidden");
    n->upper = get_int(r, "attention_in_upper_layers") != 0;
    n->first_residual = get_int(r, "first_residual_layer");
    n->layer_norm = get_int(r, "layer_normalization") != 0;
    n->scale_dot = get_int(r, "scale_dot_attention") != 0;
    n->dropout_hidden = get_number(r, "dropout_hidden");
    get_pair(r, "dropout_inputs", n->dropout_inputs);
    get_pair(r, "dropout_states", n->dropout_states);
}

static int read_config(struct sk_config *c, const char *path, const char *text, size_t n)
{
    json_error_t e;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(o)) {
        json_decref(o);
        return sk_fail(SK_EXIT_DATA, "%s:%d: no JSON object: %s", path, e.line, o ? "another type" : e.text);
    }
    struct reader r = {.path = path, .o = o};
    struct sk_model_config *m = &c->model;
    *c = (struct sk_config){.length_ratio_mean = 0};
    if (whole(&r, "format", json_object_get(o, "format")) != SK_CONFIG_VERSION)
        bad(&r, "format", "is one that this version does not read");
    m->architecture = (enum sk_architecture)choice(&r, "architecture", architectures);
    get_ints(&r, "vocab_size", m->vocab);
    get_ints(&r, "num_layers", m->layers);
    get_ints(&r, "max_positions", m->max_len);
    m->tying = (enum sk_tying)choice(&r, "weight_tying_type", tyings);
    get_pair(&r, "embed_dropout", m->dropout_embed);
    read_factors(&r, &m->factors);
    if (m->architecture == SK_RNN) read_rnn(&r, m);
    else read_transformer(&r, m);
    get_ints(&r, "max_seq_len", c->max_seq_len);
    c->length_ratio_mean = number(&r, "length_ratio_mean", json_object_get(o, "length_ratio_mean"));
    c->length_ratio_std = number(&r, "length_ratio_std", json_object_get(o, "length_ratio_std"));
    json_decref(o);
    if (r.failed) return -1;
    if (sk_model_check(m)) return sk_fail(SK_EXIT_DATA, "%s: %s", path, sk_fail_message());
    for (int i = 0; i < 2; i++)
        if (c->max_seq_len[i] < 1 || c->max_seq_len[i] >= m->max_len[i])
            return sk_fail(SK_EXIT_DATA, "%s: \"max_seq_len\" %d does not fit \"max_positions\" %d (one more, at least)",
                           path, c->max_seq_len[i], m->max_len[i]);
    if (c->length_ratio_mean < 0 || c->length_ratio_std < 0)
        return sk_fail(SK_EXIT_DATA, "%s: length ratios are negative", path);
    return 0;
}

int sk_config_load(struct sk_config *c, const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_CONFIG);
    size_t n;
    char *text = sk_file_load(path, 1 << 20, &n);
    int r = text ? read_config(c, path, text, n) : -1;
    free(text);
    free(path);
    return r;
}
