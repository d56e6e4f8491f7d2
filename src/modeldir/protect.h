/* protect.h - results of programs do not go where the training keeps its own
 * files: a resume would find them damaged.
 */
#ifndef SK_MODELDIR_PROTECT_H
#define SK_MODELDIR_PROTECT_H
/* For every --output of a file: 0, or -1 with SK_EXIT_USAGE if the path, as given
 * or where its links lead, is a name of the protocol inside a model directory
 * (paths.h; all that lies in its folders too). What is absent may be named.
 * A folder is a model directory if it has args and lock, config.json and a
 * vocabulary, or metrics and parameters. */
int sk_md_check_output(const char *path);
/* 1 if the path, as given or where its links lead, is a name of the protocol in
 * this folder: one that goes when the run in it is removed. */
int sk_md_owns(const char *dir, const char *path);
#endif
