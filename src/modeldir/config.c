#include "modeldir/config.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

static const char *const activations[] = {"relu", "gelu", "swish1", NULL};
static const char *const positions[] = {"none", "fixed", "learned", NULL};
static const char *const tyings[] = {"none", "trg_softmax", "src_trg", "src_trg_softmax", NULL};

/* Floats as the shortest decimal that reads back the same float. */
static json_t *real(double v)
{
    json_t *j = json_real(v);
    SK_ENSURE(j);
    return j;
}

static json_t *ints(const int v[2]) { return json_pack("[i,i]", v[0], v[1]); }
static json_t *texts(const char a[8], const char b[8]) { return json_pack("[s,s]", a, b); }

char *sk_config_text(const struct sk_config *c)
{
    const struct sk_transformer *m = &c->model;
    json_t *o = json_pack(
        "{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:[o,o], s:o, s:o, s:o}",
        "format", SK_CONFIG_VERSION, "architecture", "transformer", "vocab_size", ints(m->vocab), "num_layers",
        ints(m->layers), "model_size", ints(m->size), "attention_heads", ints(m->heads), "feed_forward_num_hidden",
        ints(m->feed_forward), "max_positions", ints(m->max_len), "preprocess", texts(m->pre[0], m->pre[1]),
        "postprocess", texts(m->post[0], m->post[1]), "activation_type", activations[m->activation],
        "positional_embedding_type", positions[m->positions], "weight_tying_type", tyings[m->tying],
        "dropout_attention", real((double)m->dropout_attention), "dropout_act", real((double)m->dropout_act),
        "dropout_prepost", real((double)m->dropout_prepost), "embed_dropout", real((double)m->dropout_embed[0]),
        real((double)m->dropout_embed[1]), "max_seq_len", ints(c->max_seq_len), "length_ratio_mean",
        real(c->length_ratio_mean), "length_ratio_std", real(c->length_ratio_std));
    SK_ENSURE(o);
    char *text = json_dumps(o, JSON_SORT_KEYS | JSON_INDENT(4) | JSON_REAL_PRECISION(17));
    json_decref(o);
    SK_ENSURE(text);
    char *line = sk_xprintf("%s\n", text);
    free(text);
    return line;
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

static int choice(struct reader *r, const char *key, const char *const *names)
{
    const char *s = json_string_value(json_object_get(r->o, key));
    for (int i = 0; s && names[i]; i++)
        if (!strcmp(s, names[i])) return i;
    bad(r, key, "is missing or not known to this version");
    return 0;
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
    struct sk_transformer *m = &c->model;
    static const char *const architectures[] = {"transformer", NULL};
    *c = (struct sk_config){.length_ratio_mean = 0};
    if (whole(&r, "format", json_object_get(o, "format")) != SK_CONFIG_VERSION)
        bad(&r, "format", "is one that this version does not read");
    choice(&r, "architecture", architectures);
    get_ints(&r, "vocab_size", m->vocab);
    get_ints(&r, "num_layers", m->layers);
    get_ints(&r, "model_size", m->size);
    get_ints(&r, "attention_heads", m->heads);
    get_ints(&r, "feed_forward_num_hidden", m->feed_forward);
    get_ints(&r, "max_positions", m->max_len);
    get_texts(&r, "preprocess", m->pre);
    get_texts(&r, "postprocess", m->post);
    m->activation = (enum sk_activation)choice(&r, "activation_type", activations);
    m->positions = (enum sk_positions)choice(&r, "positional_embedding_type", positions);
    m->tying = (enum sk_tying)choice(&r, "weight_tying_type", tyings);
    m->dropout_attention = (float)number(&r, "dropout_attention", json_object_get(o, "dropout_attention"));
    m->dropout_act = (float)number(&r, "dropout_act", json_object_get(o, "dropout_act"));
    m->dropout_prepost = (float)number(&r, "dropout_prepost", json_object_get(o, "dropout_prepost"));
    for (size_t i = 0; i < 2; i++)
        m->dropout_embed[i] =
            (float)number(&r, "embed_dropout", json_array_get(json_object_get(o, "embed_dropout"), i));
    get_ints(&r, "max_seq_len", c->max_seq_len);
    c->length_ratio_mean = number(&r, "length_ratio_mean", json_object_get(o, "length_ratio_mean"));
    c->length_ratio_std = number(&r, "length_ratio_std", json_object_get(o, "length_ratio_std"));
    json_decref(o);
    if (r.failed) return -1;
    if (sk_transformer_check(m)) return sk_fail(SK_EXIT_DATA, "%s: %s", path, sk_fail_message());
    if (c->max_seq_len[0] < 1 || c->max_seq_len[1] < 1 || c->max_seq_len[0] >= m->max_len[0] + 1 ||
        c->length_ratio_mean < 0 || c->length_ratio_std < 0)
        return sk_fail(SK_EXIT_DATA, "%s: lengths or length ratios are out of range", path);
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
