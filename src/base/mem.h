/* mem.h - memory that is there or the program ends (exit 70 path: SK_BUG is
 * wrong for this; sk_xalloc prints "out of memory: N bytes for WHAT" and
 * exits with SK_EXIT_TEMP, since another host may have more).
 *
 * Arenas: one for each lifetime (program, run, batch). Memory from an arena
 * is zeroed and aligned to 64 bytes; it is freed all at once.
 */
#ifndef SK_BASE_MEM_H
#define SK_BASE_MEM_H
#include <stddef.h>

void *sk_xmalloc(size_t bytes);
void *sk_xcalloc(size_t n, size_t size);       /* checks n * size */
void *sk_xrealloc(void *p, size_t n, size_t size);
char *sk_xstrdup(const char *s);
char *sk_xstrndup(const char *s, size_t n);
char *sk_xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* 64-byte aligned and zeroed; release with free(). */
void *sk_xaligned(size_t bytes);

struct sk_arena { struct sk_arena_block *last; size_t used; };
void *sk_arena_alloc(struct sk_arena *a, size_t bytes);
void sk_arena_free(struct sk_arena *a);

/* A growing string; text is always terminated when len > 0. Zero-initialise. */
struct sk_str { char *text; size_t len, cap; };
void sk_str_add(struct sk_str *s, const void *bytes, size_t n);
void sk_str_printf(struct sk_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_str_clear(struct sk_str *s);           /* keeps the memory */
void sk_str_free(struct sk_str *s);
#endif
