#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/msg.h"

/* Blocks of an arena; larger requests get a block of their own. The
 * sanitizer only sees the end of an allocation if each has its own block. */
#ifdef __SANITIZE_ADDRESS__
enum { BLOCK = 0 };
#else
enum { BLOCK = 1 << 20 };
#endif
enum { LINE = 64 };

static size_t product(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        sk_out_of_memory(SIZE_MAX);
    return bytes;
}

void *sk_xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        sk_out_of_memory(bytes);
    return p;
}

void *sk_xcalloc(size_t n, size_t size)
{
    size_t bytes = product(n, size);
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        sk_out_of_memory(bytes);
    return p;
}

void *sk_xrealloc(void *p, size_t n, size_t size)
{
    size_t bytes = product(n, size);
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        sk_out_of_memory(bytes);
    return q;
}

char *sk_xstrdup(const char *s)
{
    return sk_xstrndup(s, strlen(s));
}

char *sk_xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = sk_xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *sk_xprintf(const char *fmt, ...)
{
    va_list args;
    char *text;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        sk_out_of_memory(strlen(fmt));
    return text;
}

void *sk_xaligned(size_t bytes)
{
    void *p;
    if (posix_memalign(&p, LINE, bytes ? bytes : 1) != 0)
        sk_out_of_memory(bytes);
    memset(p, 0, bytes);
    return p;
}

struct sk_arena_block { struct sk_arena_block *before; size_t size, used; };

static struct sk_arena_block *block_new(size_t bytes)
{
    if (bytes > SIZE_MAX - LINE)
        sk_out_of_memory(bytes);
    struct sk_arena_block *b = sk_xaligned(LINE + bytes);
    b->size = bytes;
    return b;
}

void *sk_arena_alloc(struct sk_arena *a, size_t bytes)
{
    struct sk_arena_block *b = a->last;
    size_t start = b ? (b->used + LINE - 1) / LINE * LINE : 0;
    if (!b || start > b->size || bytes > b->size - start) {
        if (b && bytes > BLOCK / 4) {
            /* behind the last block, whose rest stays in use */
            struct sk_arena_block *own = block_new(bytes);
            own->used = bytes;
            own->before = b->before;
            b->before = own;
            a->used += bytes;
            return (char *)own + LINE;
        }
        b = block_new(bytes > BLOCK ? bytes : BLOCK);
        b->before = a->last;
        a->last = b;
        start = 0;
    }
    b->used = start + (bytes ? bytes : 1);
    a->used += bytes;
    return (char *)b + LINE + start;
}

void sk_arena_free(struct sk_arena *a)
{
    for (struct sk_arena_block *b = a->last, *before; b; b = before) {
        before = b->before;
        free(b);
    }
    *a = (struct sk_arena){0};
}

static void reserve(struct sk_str *s, size_t more)
{
    if (more > SIZE_MAX / 2 - s->len)
        sk_out_of_memory(more);
    size_t need = s->len + more + 1;
    if (need <= s->cap)
        return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < need)
        cap *= 2;
    s->text = sk_xrealloc(s->text, cap, 1);
    s->cap = cap;
}

void sk_str_add(struct sk_str *s, const void *bytes, size_t n)
{
    reserve(s, n);
    if (n > 0)
        memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void sk_str_printf(struct sk_str *s, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0) {
        reserve(s, (size_t)n);
        vsnprintf(s->text + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void sk_str_clear(struct sk_str *s)
{
    s->len = 0;
    if (s->text)
        s->text[0] = '\0';
}

void sk_str_free(struct sk_str *s)
{
    free(s->text);
    *s = (struct sk_str){0};
}
