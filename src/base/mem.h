/* mem.h - memory that is there or the program ends: sk_out_of_memory.
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

/* Says so and ends the program, at once, since this may be any thread: with
 * SK_EXIT_NO if so much can never be had here (sk_memory_limit), so that no job
 * is requeued for it; else with SK_EXIT_TEMP, since others have it now. */
void sk_out_of_memory(size_t bytes) __attribute__((noreturn));
/* Most bytes that this process can ever have: memory and swap of the machine,
 * what its control group (job, container) may take, ulimit -v. *whose: which of
 * them, for a message: "this machine has". */
size_t sk_memory_limit(const char **whose);
/* Is that enough for `what` ("training")? 0, or -1 with SK_EXIT_NO. */
int sk_memory_check(size_t bytes, const char *what);
/* Resident bytes of this process now, and the most there ever were; 0: the
 * system does not tell. */
void sk_memory_resident(size_t *now, size_t *most);
/* The limit of control groups: of those in `list` (/proc/self/cgroup), mounted
 * at `root`, versions 1 and 2, and of the groups above; SIZE_MAX: none. */
size_t sk_cgroup_limit(const char *list, const char *root);

/* A growing string; text is always terminated when len > 0. Zero-initialise. */
struct sk_str { char *text; size_t len, cap; };
void sk_str_add(struct sk_str *s, const void *bytes, size_t n);
void sk_str_printf(struct sk_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_str_clear(struct sk_str *s);           /* keeps the memory */
void sk_str_free(struct sk_str *s);
#endif
