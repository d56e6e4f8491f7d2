/* evaluation_test.c - records of evaluated checkpoints: round trip, hostile
 * content, and who takes the scores over into metrics. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/tensors.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"
#include "tap.h"

static const char *dir;

static struct sk_evaluation example(int checkpoint, double bleu)
{
    struct sk_evaluation e = {.checkpoint = checkpoint, .beam_size = 5, .num_stds = 2, .alpha = 1, .beta = 0.1,
                              .sentences = 2, .seed = -1};
    memcpy(e.params, "0123456789abcdef0123456789abcdef", SK_HASH_HEX);
    sk_metrics_set_number(&e.metrics, checkpoint, "bleu-val", bleu);
    sk_metrics_set_number(&e.metrics, checkpoint, "decode-walltime-val", 1.5);
    return e;
}

static void publish(struct sk_evaluation e, const char *text)
{
    is_int(sk_evaluation_publish(&e, dir, text, strlen(text)), 0, "checkpoint %d is published", e.checkpoint);
    sk_evaluation_free(&e);
}

static void write_metrics(int last)
{
    struct sk_metrics t = {0};
    for (int i = 1; i <= last; i++)
        sk_metrics_set_number(&t, i, "perplexity-val", 10 - i);
    sk_metrics_save(&t, dir);
    sk_metrics_free(&t);
}

/* Two that both believe they hold the claim. */
static void twice(void)
{
    struct sk_evaluation first = example(5, 0.25), second = example(5, 0.25), other = example(5, 0.5), e;
    sk_metrics_set_number(&second.metrics, 5, "decode-walltime-val", 2.5);
    is_int(sk_evaluation_publish(&first, dir, "a\n", 2), 0, "the first one publishes");
    is_int(sk_evaluation_publish(&second, dir, "a\n", 2), 1, "the second finds it done");
    is_int(sk_evaluation_publish(&other, dir, "b\n", 2), 1, "also with other translations");
    double value = 0;
    is_int(sk_evaluation_score(dir, 5, "decode-walltime-val", &value), 1, "the record is there");
    ok(value == 1.5, "and the first one's");
    char *out = sk_md_eval(dir, 5, "out"), *text = sk_file_load(out, 100, NULL);
    is_str(text, "a\n", "so are the translations");
    is_int(sk_evaluation_load(&e, dir, 5), 1, "it can be read");
    is_str(e.out, first.out, "and belongs to them");
    sk_evaluation_free(&first);
    sk_evaluation_free(&second);
    sk_evaluation_free(&other);
    sk_evaluation_free(&e);
    free(text);
    free(out);
}

/* bleu-val of a checkpoint in DIR/metrics; -1: it has none. */
static double stored_bleu(int checkpoint)
{
    struct sk_metrics t = {0};
    double value = -1;
    sk_metrics_load(&t, dir);
    if (!sk_metrics_get(&t, checkpoint, "bleu-val", &value))
        value = -1;
    sk_metrics_free(&t);
    return value;
}

static void round_trip(void)
{
    struct sk_evaluation e, same = example(2, 0.1 + 0.2);
    char *out = sk_md_eval(dir, 2, "out");
    size_t n;
    is_int(sk_evaluation_load(&e, dir, 2), 0, "nothing there yet");
    sk_file_save(out, "left by a dead evaluator\n", 25, SK_PUBLISH);
    publish(example(2, 0.1 + 0.2), "a\nb\n");
    char *text = sk_file_load(out, 100, &n);
    is_str(text, "a\nb\n", "translations without a record are replaced");
    is_int(sk_evaluation_load(&e, dir, 2), 1, "the record is there");
    ok(sk_evaluation_same_search(&e, &same) && e.sentences == 2 && e.checkpoint == 2, "it says how it was made");
    is_str(e.params, same.params, "from which parameters");
    sk_hash_file(out, same.out);
    is_str(e.out, same.out, "and to which translations it belongs");
    double bleu = 0;
    ok(sk_metrics_get(&e.metrics, 2, "bleu-val", &bleu) && bleu == 0.1 + 0.2, "scores come back bit for bit");
    same.alpha = 0.9;
    ok(!sk_evaluation_same_search(&e, &same), "another length penalty is another search");
    sk_evaluation_free(&e);
    sk_evaluation_free(&same);
    free(text);
    free(out);
}

static void merging(void)
{
    char *lock_path = sk_path_join(dir, SK_MD_LOCK);
    write_metrics(3);
    sk_msg_program("sk-train-shard");
    int lock = sk_lock_take(lock_path);
    ok(lock >= 0, "a trainer holds the lock");
    is_int(sk_evaluation_merge_now(dir, 2), 0, "its scores are left to it");
    ok(stored_bleu(2) == -1, "metrics is as it was");
    sk_lock_release(lock);
    sk_msg_program("sk-bleu-eval");
    lock = sk_lock_take(lock_path);
    pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        _exit(0);
    }
    sk_lock_release(lock);           /* the child has it still */
    is_int(sk_evaluation_merge_now(dir, 2), 1, "another evaluator is waited for; scores are taken over");
    waitpid(child, NULL, 0);
    ok(stored_bleu(2) == 0.1 + 0.2, "into their line");
    ok(stored_bleu(1) == -1 && stored_bleu(3) == -1, "and no other");
    publish(example(4, 0.5), "x\n");
    is_int(sk_evaluation_merge_now(dir, 4), 2, "a line that metrics lacks is left to the next start");
    ok(stored_bleu(4) == -1, "and not made up");

    /* Records of other parameters than those that are there. */
    float value = 1;
    char hex[SK_HASH_HEX];
    struct sk_tensor t = {.name = "w", .ndim = 1, .shape = {1}, .data = &value, .size = 1};
    char *params = sk_md_checkpoint(dir, "params", 3);
    sk_tensors_save(params, &t, 1, NULL, 0, SK_PUBLISH, hex);
    publish(example(3, 0.7), "y\n");
    is_int(sk_evaluation_merge_now(dir, 3), 1, "a record of other parameters is no error");
    ok(stored_bleu(3) == -1, "but is not taken over");
    char *record = sk_md_eval(dir, 3, "json");
    sk_file_remove(record);
    struct sk_evaluation e = example(3, 0.8);
    memcpy(e.params, hex, sizeof hex);
    publish(e, "y\n");
    is_int(sk_evaluation_merge_now(dir, 3), 1, "a record of these parameters");
    ok(stored_bleu(3) == 0.8, "is");
    free(record);
    free(params);
    free(lock_path);
}

/* What the dead left under temporary names. */
static void sweeping(void)
{
    static const struct { const char *name; int stays; } temps[] = {   /* the first sweep leaves it */
        {".00006.json", 1}, {".00007.out", 0}, {".00006.values", 0}, {".sample.1.2.src", 0}};
    enum { TEMPS = 4 };
    char *eval = sk_path_join(dir, SK_MD_EVAL), *claim_path = sk_md_eval(dir, 6, "claim"), *path[TEMPS];
    for (int i = 0; i < TEMPS; i++) {
        char *name = sk_path_join(eval, temps[i].name + 1);
        path[i] = sk_temp_name(name);
        FILE *f = fopen(path[i], "w");
        ok(f && fclose(f) == 0, "%s is left", temps[i].name);
        free(name);
    }
    int claim = sk_lock_take(claim_path);
    is_int(sk_evaluation_sweep(dir, 0), 0, "by the trainer, while 6 is in work");
    for (int i = 0; i < TEMPS; i++)
        is_int(sk_file_exists(path[i]), temps[i].stays, "%s", temps[i].name);
    is_int(sk_evaluation_sweep(dir, 6), 0, "by who works on it");
    is_int(sk_file_exists(path[0]), 0, "the last one");
    /* Its command may be done with it at this moment. */
    FILE *f = fopen(path[2], "w");
    ok(f && fclose(f) == 0 && sk_evaluation_sweep(dir, 6) == 0 && sk_file_exists(path[2]) == 1,
       "but not what a live trainer writes for the same checkpoint");
    unlink(path[2]);
    sk_lock_release(claim);
    for (int i = 0; i < TEMPS; i++)
        free(path[i]);
    free(claim_path);
    free(eval);
}

static void hostile(void)
{
    static const char *const good =
        "{\"format\": 1, \"checkpoint\": 9, \"sentences\": 1, \"beam-size\": 5, \"length-penalty-alpha\": 1, "
        "\"length-penalty-beta\": 0.0, \"max-output-length-num-stds\": 2, \"metrics\": {\"bleu-val\": 0.5}, "
        "\"out\": \"0123456789abcdef0123456789abcdef\", \"params\": \"0123456789abcdef0123456789abcdef\"}";
    static const struct { const char *from, *to; } change[] = {
        {"{\"format\"", "[\"format\""}, {"\"format\": 1", "\"format\": 2"}, {"\"format\": 1", "\"format\": \"1\""},
        {"\"checkpoint\": 9", "\"checkpoint\": 8"}, {"\"beam-size\": 5", "\"beam-size\": 0"},
        {"\"beam-size\": 5", "\"beam-size\": 5000000000"}, {"\"beam-size\": 5, ", ""},
        {"\"length-penalty-beta\": 0.0", "\"length-penalty-beta\": null"}, {"{\"bleu-val\": 0.5}", "3"},
        {"\"bleu-val\"", "\"bleu\\tval\""}, {"\"bleu-val\"", "\"\""}, {"0.5}", "\"0.5\"}"},
        {"\"0123456789abcdef0", "\"../3456789abcdef0"}, {"cdef\"}", "cdef\""}, {"\"sentences\": 1", "\"sentences\": -1"},
        {"\"sentences\": 1", "\"sentences\": 1, \"sentences\": 1"}};
    char *path = sk_md_eval(dir, 9, "json");
    struct sk_evaluation e;
    sk_file_save(path, good, strlen(good), SK_REPLACE);
    is_int(sk_evaluation_load(&e, dir, 9), 1, "a record written by hand");
    sk_evaluation_free(&e);
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
        const char *at = strstr(good, change[i].from);
        char *bad = sk_xprintf("%.*s%s%s", (int)(at - good), good, change[i].to, at + strlen(change[i].from));
        sk_file_save(path, bad, strlen(bad), SK_REPLACE);
        int result = sk_evaluation_load(&e, dir, 9);
        ok(result == -1 && sk_fail_code() == SK_EXIT_DATA && strstr(sk_fail_message(), "00009.json"),
           "refused: %s instead of %s", change[i].to, change[i].from);
        free(bad);
    }
    free(path);
}

int main(void)
{
    dir = temp_folder();
    char *eval = sk_path_join(dir, SK_MD_EVAL);
    sk_mkdir(eval);
    free(eval);
    round_trip();
    twice();
    merging();
    sweeping();
    hostile();
    return done_testing();
}
