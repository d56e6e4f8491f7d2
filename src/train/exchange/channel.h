/* channel.h - messages between the processes that share an update, by UCX
 * (libucp, opened at run time): TCP, or RDMA where there is any; one host's
 * shared memory is left out, because deaths go unnoticed in it.
 *
 * A message goes to who waits for its tag. Tags of 64 bits that nobody can guess
 * are what tells members from strangers, so a tag is used once. A channel
 * serves one generation; another one begins with nothing under way.
 */
#ifndef SK_TRAIN_CHANNEL_H
#define SK_TRAIN_CHANNEL_H
#include <stddef.h>
#include <stdint.h>

struct sk_channel;

/* NULL (sk_fail): the library is not there, or finds no network. When `wake` (a
 * descriptor; -1: none) can be read, waiting asks watch() at once. */
struct sk_channel *sk_channel_open(int wake);
/* What others need to reach it: bytes that stay while it is open. */
const void *sk_channel_address(const struct sk_channel *c, size_t *bytes);
/* From now on `peer` (a small number, 0 and up) is who has that address. 0 or -1. */
int sk_channel_connect(struct sk_channel *c, int peer, const void *address, size_t bytes);
/* Begun, not done: the memory is the channel's until sk_channel_wait returned 0,
 * or it is closed. */
void sk_channel_send(struct sk_channel *c, int peer, uint64_t tag, const void *data, size_t bytes);
/* *awaited (or NULL) goes up by one now and down when the message is here, in a call
 * of one of the next two. */
void sk_channel_receive(struct sk_channel *c, int peer, uint64_t tag, void *data, size_t bytes, int *awaited);
/* Moves what can move now. */
void sk_channel_progress(struct sk_channel *c);
/* Until *awaited is 0; NULL: until all that was begun is done. Asks watch(ctx) once a second
 * or so: not 0 ends the waiting. 0; -1 (sk_fail, SK_EXIT_TEMP): a peer is lost (sk_channel_lost), or watch. */
int sk_channel_wait(struct sk_channel *c, const int *awaited, int (*watch)(void *ctx), void *ctx);
int sk_channel_lost(const struct sk_channel *c);     /* whom, or -1 */
/* done: everybody has what was sent to him, or will; else what is under way is dropped. */
void sk_channel_close(struct sk_channel *c, int done);
/* Name and version of the library for --version and the log, or why there is none. */
const char *sk_channel_library(void);

#endif
