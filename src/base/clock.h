/* Time that only goes forward. */
#ifndef SK_BASE_CLOCK_H
#define SK_BASE_CLOCK_H

double sk_now(void);             /* seconds since some moment, unmoved by changes of the date */

#endif
