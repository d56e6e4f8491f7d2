/* hash.h - 128-bit checksums (XXH3 of libxxhash), written as 32 hex digits. */
#ifndef SK_BASE_HASH_H
#define SK_BASE_HASH_H
#include <stddef.h>
#define SK_HASH_HEX 33
struct sk_hash;                                 /* streaming */
struct sk_hash *sk_hash_new(void);
void sk_hash_add(struct sk_hash *h, const void *bytes, size_t n);
void sk_hash_end(struct sk_hash *h, char hex[SK_HASH_HEX]);   /* frees h */
void sk_hash_bytes(const void *bytes, size_t n, char hex[SK_HASH_HEX]);
int sk_hash_file(const char *path, char hex[SK_HASH_HEX]);    /* of a plain file: 0 or -1 */
#endif
