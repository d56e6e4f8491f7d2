/* state.c - what a resume reads: the state of a checkpoint, and the checksums of the
 * data; the first byte says which. What is taken is written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "train/inputs.h"
#include "train/state.h"

static void run(const unsigned char *bytes, size_t n)
{
    struct sk_train_state s, again;
    struct sk_inputs in;
    if (n == 0)
        return;
    if (bytes[0] & 1) {
        sk_inputs_load(&in, fuzz_file("checksums", bytes + 1, n - 1));
        return;
    }
    char *text = fuzz_text_of(bytes + 1, n - 1);
    if (sk_train_state_parse(&s, text, "state") == 0) {
        char *first = sk_train_state_text(&s);
        if (sk_train_state_parse(&again, first, "again") < 0)
            abort();
        char *second = sk_train_state_text(&again);
        if (strcmp(first, second) != 0)
            abort();
        free(first);
        free(second);
        sk_train_state_free(&s);
        sk_train_state_free(&again);
    }
    free(text);
}
const struct fuzz_target fuzz_state = {"state", run};
