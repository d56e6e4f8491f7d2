#include "base/mem.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/msg.h"

static void *need(void *p, size_t bytes)
{
    if (p) return p;
    sk_fail(SK_EXIT_TEMP, "out of memory: %zu bytes wanted", bytes);
    exit(sk_die());
}

void *sk_xmalloc(size_t bytes) { return need(malloc(bytes ? bytes : 1), bytes); }

void *sk_xcalloc(size_t n, size_t size)
{
    return need(calloc(n ? n : 1, size ? size : 1), n * size);   /* calloc checks the product */
}

void *sk_xrealloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) need(NULL, SIZE_MAX);
    return need(realloc(p, bytes ? bytes : 1), bytes);
}

char *sk_xstrdup(const char *s) { return sk_xstrndup(s, strlen(s)); }

char *sk_xstrndup(const char *s, size_t n)
{
    char *p = sk_xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *sk_xprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = NULL;
    if (vasprintf(&p, fmt, ap) < 0) p = NULL;
    va_end(ap);
    return need(p, strlen(fmt));
}

void *sk_xaligned(size_t bytes)
{
    size_t all = (bytes + 63) / 64 * 64;
    if (all < bytes) need(NULL, bytes);
    void *p = need(aligned_alloc(64, all ? all : 64), bytes);
    return memset(p, 0, all ? all : 64);
}

struct sk_arena_block {
    struct sk_arena_block *before;
    size_t size, used;
    char pad[64 - sizeof(void *) - 2 * sizeof(size_t)];
    char bytes[];
};

void *sk_arena_alloc(struct sk_arena *a, size_t bytes)
{
    enum { BLOCK = 1 << 16 };
    size_t n = (bytes + 63) / 64 * 64;
    if (n < bytes) need(NULL, bytes);
    if (!a->last || a->last->size - a->last->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        struct sk_arena_block *b = sk_xaligned(sizeof *b + size);
        b->before = a->last;
        b->size = size;
        a->last = b;
    }
    void *p = a->last->bytes + a->last->used;
    a->last->used += n;
    a->used += n;
    return p;
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
    if (s->cap - s->len > more) return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap - s->len <= more) cap *= 2;
    s->text = sk_xrealloc(s->text, cap, 1);
    s->cap = cap;
}

void sk_str_add(struct sk_str *s, const void *bytes, size_t n)
{
    reserve(s, n);
    if (n) memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = 0;
}

void sk_str_printf(struct sk_str *s, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    SK_ENSURE(n >= 0);
    reserve(s, (size_t)n);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, again);
    va_end(again);
    s->len += (size_t)n;
}

void sk_str_clear(struct sk_str *s)
{
    s->len = 0;
    if (s->text) s->text[0] = 0;
}

void sk_str_free(struct sk_str *s)
{
    free(s->text);
    *s = (struct sk_str){0};
}
