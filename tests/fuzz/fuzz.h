/* fuzz.h - readers that must bear any bytes: each file beside this one has one,
 * and main.c lists them. Run by libFuzzer where there is clang, else and briefly by
 * mutate.c.
 *
 * A target reads the bytes as a program would, and uses what it got. It returns
 * whatever the reader said; what counts is what the sanitizers say.
 */
#ifndef SK_TESTS_FUZZ_H
#define SK_TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>

struct fuzz_target { const char *name; void (*run)(const unsigned char *bytes, size_t n); };

extern const struct fuzz_target fuzz_config, fuzz_corpus, fuzz_evaluation, fuzz_events, fuzz_locks, fuzz_metrics,
    fuzz_options, fuzz_requests, fuzz_shards, fuzz_state, fuzz_status, fuzz_tensors, fuzz_text, fuzz_vocab;

/* A folder of this process, in memory where there is such. */
extern const char *fuzz_dir;
/* Makes DIR/NAME hold the bytes; its path, which stays. */
const char *fuzz_file(const char *name, const unsigned char *bytes, size_t n);
/* A terminated copy, malloced. */
char *fuzz_text_of(const unsigned char *bytes, size_t n);
/* Runs f(ctx), which may call exit(): 1 if it did. What it had allocated stays. */
int fuzz_exits(void (*f)(void *ctx), void *ctx);

/* Both call it: chooses the target, by name. NULL: there is none. */
const struct fuzz_target *fuzz_begin(const char *name);
#endif
