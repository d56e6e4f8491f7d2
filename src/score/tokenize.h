/* tokenize.h - tokenisers of BLEU. */
#ifndef SK_SCORE_TOKENIZE_H
#define SK_SCORE_TOKENIZE_H
#include "base/mem.h"
/* The tokenisation of WMT's mteval-v13a as sacreBLEU does it: rewrites the
 * text of line, so that its tokens are separated by white space. spare is
 * scratch memory. line and spare hold no NUL bytes. */
void sk_tokenize_13a(struct sk_str *line, struct sk_str *spare);
#endif
