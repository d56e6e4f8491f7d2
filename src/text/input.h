/* input.h - the bytes of a text, private to this folder: a plain file, gzip
 * (by suffix or magic bytes 1f 8b), or `-` for standard input. A truncated or
 * corrupt gz, or a name in .gz that is none, is SK_EXIT_DATA.
 */
#ifndef SK_TEXT_INPUT_H
#define SK_TEXT_INPUT_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/hash.h"

struct sk_input;
/* hash: sum the file's own bytes, packed or not. Waits for the first byte.
 * NULL: sk_fail. */
struct sk_input *sk_input_open(const char *path, int hash);
/* Text: what one read(2) gives, up to n bytes; 0 at the end; -1: sk_fail. */
ssize_t sk_input_read(struct sk_input *in, char *out, size_t n);
/* Checksum of the file, once sk_input_read has returned 0. */
void sk_input_hash(struct sk_input *in, char hex[SK_HASH_HEX]);
/* Bytes of the file consumed so far, and its size (0 if unknown). */
void sk_input_progress(const struct sk_input *in, uint64_t *done, uint64_t *total);
const char *sk_input_path(const struct sk_input *in);   /* as messages name it */
/* Does read(2) on the file wait? */
int sk_input_ready(const struct sk_input *in);
void sk_input_close(struct sk_input *in);
#endif
