/* status.c - what sk-status looks at, of which any may be damaged; the first byte says
 * which file the rest is. */
#include <stdlib.h>

#include "base/mem.h"
#include "modeldir/status.h"
#include "tests/fuzz/fuzz.h"

static void run(const unsigned char *bytes, size_t n)
{
    static const char *const names[] = {"progress", "args", "metrics", "finished"};
    struct sk_status s;
    struct sk_str out = {0};
    if (n == 0)
        return;
    fuzz_file(names[bytes[0] % 4], bytes + 1, n - 1);
    if (sk_status_read(&s, fuzz_dir) == 0) {
        sk_status_screen(&s, 80, 1, &out);
        sk_status_table(&s, 1, &out);
        sk_status_json(&s, &out);
        sk_status_free(&s);
    }
    sk_str_free(&out);
}
const struct fuzz_target fuzz_status = {"status", run};
