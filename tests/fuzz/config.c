/* config.c - config.json; what is taken is written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "modeldir/config.h"
#include "modeldir/paths.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    struct sk_config c, again;
    fuzz_file(SK_MD_CONFIG, bytes, n);
    if (sk_config_load(&c, fuzz_dir) < 0)
        return;
    char *text = sk_config_text(&c);
    fuzz_file(SK_MD_CONFIG, (const unsigned char *)text, strlen(text));
    if (sk_config_load(&again, fuzz_dir) < 0)
        abort();
    char *second = sk_config_text(&again);
    if (strcmp(text, second) != 0)
        abort();
    free(text);
    free(second);
}
const struct fuzz_target fuzz_config = {"config", run};
