/* queue.h - a growing run of bytes that is taken from the front, private to
 * this folder. Zero-initialise. */
#ifndef SK_TEXT_QUEUE_H
#define SK_TEXT_QUEUE_H
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct sk_queue { char *bytes; size_t at, len, cap; };   /* [at, len) is left */

static inline size_t sk_queue_left(const struct sk_queue *q) { return q->len - q->at; }

/* Room for n bytes behind the last one; they are added by q->len += n. */
static inline void *sk_queue_room(struct sk_queue *q, size_t n)
{
    if (q->cap - q->len < n) {
        if (q->at > q->len / 2) {
            q->len -= q->at;
            memmove(q->bytes, q->bytes + q->at, q->len);
            q->at = 0;
        }
        if (q->cap - q->len < n) {
            q->cap = 2 * q->cap + n;
            q->bytes = sk_xrealloc(q->bytes, q->cap, 1);
        }
    }
    return q->bytes + q->len;
}

static inline void sk_queue_add(struct sk_queue *q, const void *bytes, size_t n)
{
    if (n) memcpy(sk_queue_room(q, n), bytes, n);
    q->len += n;
}

/* The next n bytes, which are there; valid until something is added. */
static inline void *sk_queue_take(struct sk_queue *q, size_t n)
{
    q->at += n;
    return q->bytes + q->at - n;
}

static inline void sk_queue_clear(struct sk_queue *q) { q->at = q->len = 0; }

static inline void sk_queue_free(struct sk_queue *q)
{
    free(q->bytes);
    *q = (struct sk_queue){0};
}
#endif
