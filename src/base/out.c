#include "base/out.h"
#include <string.h>
#include <unistd.h>

int sk_out_open(struct sk_out *o, const char *path)
{
    o->is_stdout = strcmp(path, "-") == 0;
    return o->is_stdout ? 0 : sk_file_create(&o->file, path);
}

int sk_out_write(struct sk_out *o, const void *bytes, size_t n)
{
    if (o->is_stdout)
        return sk_write_all(STDOUT_FILENO, bytes, n);
    if (sk_file_write(&o->file, bytes, n))
        return -1;
    return o->file.temp ? 0 : sk_file_flush(&o->file);
}

int sk_out_close(struct sk_out *o, int failed)
{
    if (o->is_stdout)
        return failed ? -1 : 0;
    if (!failed)
        return sk_file_commit(&o->file, SK_REPLACE) < 0 ? -1 : 0;
    sk_file_abandon(&o->file);
    return -1;
}
