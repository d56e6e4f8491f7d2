/* pieces.h - text to the pieces of a sentencepiece model and back. The library has
 * a C++ interface only: a plug-in, bin/libsk-sentencepiece.so, stands between, which is
 * built where the library's headers are, and opened when it is needed.
 */
#ifndef SK_TEXT_PIECES_H
#define SK_TEXT_PIECES_H

struct sk_pieces;
/* Models of both sides. NULL: sk_fail; SK_EXIT_NO if there is no plug-in. */
struct sk_pieces *sk_pieces_open(const char *const model[2]);
/* Malloced; pieces are separated by blanks. side: 0 source, 1 target. */
char *sk_pieces_encode(struct sk_pieces *p, int side, const char *text);
char *sk_pieces_decode(struct sk_pieces *p, int side, const char *pieces);
void sk_pieces_close(struct sk_pieces *p);
#endif
