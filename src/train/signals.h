/* signals.h - SIGTERM, SIGINT and SIGUSR1 ask the training loop to save and
 * leave; a second SIGINT ends the process at once. Before the loop there is
 * nothing to save: the process leaves with SK_EXIT_TEMP right away.
 */
#ifndef SK_TRAIN_SIGNALS_H
#define SK_TRAIN_SIGNALS_H
void sk_signals_catch(void);
/* From now on signals are only noted. */
void sk_signals_defer(void);
/* The signal that asked, or 0. */
int sk_signals_pending(void);
/* A descriptor that can be read from then on, for those who wait; -1: there is none. */
int sk_signals_descriptor(void);
const char *sk_signals_name(int signal);
#endif
