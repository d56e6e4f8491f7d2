/* line.h - a line of text that is going to be scored. */
#ifndef SK_SCORE_LINE_H
#define SK_SCORE_LINE_H
#include <stddef.h>
struct sk_line { const char *text; size_t n; };      /* UTF-8, without the line end */
#endif
