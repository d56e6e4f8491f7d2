/* paths.h - every path of a model directory. All returned strings are
 * malloced.
 *
 *   config.json  args  vocab.src.0.json  vocab.trg.0.json
 *   validation.src  validation.trg  data/  log  metrics
 *   params.00000 (before the first update, if kept)
 *   params.NNNNN  state.NNNNN  interrupted  params.best
 *   eval/NNNNN.out  eval/NNNNN.json  eval/NNNNN.claim  eval/NNNNN.values
 *   tensorboard/  progress  lock  finished
 *   shards/ (shards.h)
 */
#ifndef SK_MODELDIR_PATHS_H
#define SK_MODELDIR_PATHS_H

#define SK_MD_CONFIG "config.json"
#define SK_MD_INITIAL "params.00000"
#define SK_MD_ARGS "args"
#define SK_MD_VOCAB_SOURCE "vocab.src.0.json"
#define SK_MD_VOCAB_TARGET "vocab.trg.0.json"
#define SK_MD_VALIDATION_SOURCE "validation.src"
#define SK_MD_VALIDATION_TARGET "validation.trg"
#define SK_MD_DATA "data"
#define SK_MD_LOG "log"
#define SK_MD_METRICS "metrics"
#define SK_MD_INTERRUPTED "interrupted"
#define SK_MD_BEST "params.best"
#define SK_MD_EVAL "eval"
#define SK_MD_TENSORBOARD "tensorboard"
#define SK_MD_PROGRESS "progress"
#define SK_MD_LOCK "lock"
#define SK_MD_SHARDS "shards"
#define SK_MD_FINISHED "finished"

#define SK_MD_CORPUS "data/corpus"
#define SK_MD_VALIDATION "data/validation"
#define SK_MD_CHECKSUMS "data/checksums"

#define SK_MD_COMBINATIONS "data/combinations.json"
/* "vocab.src.1.json", ...: of each source factor, SK_FACTORS_MAX of them. */
extern const char *const sk_md_vocab_factors[];

/* All of these that are single files, but those in folders last; and the
 * folders. Both end with NULL. */
extern const char *const sk_md_files[], *const sk_md_folders[];

/* DIR/KIND.NNNNN, kind "params" or "state": at least five digits. */
char *sk_md_checkpoint(const char *dir, const char *kind, int number);
/* Only the last part: "params.00012". */
char *sk_md_checkpoint_name(const char *kind, int number);
/* Number in a name KIND.NNNNN; -1: another name. */
int sk_md_number(const char *name, const char *kind);
/* DIR/eval/NNNNN.SUFFIX */
char *sk_md_eval(const char *dir, int number, const char *suffix);
/* Numbers (from 1) of the checkpoints of a kind in the folder, ascending (listed
 * by opendir). *numbers is malloced. Returns how many, or -1. */
int sk_md_list(const char *dir, const char *kind, int **numbers);
/* Number the link params.best points at; 0: there is none; -1: sk_fail. */
int sk_md_best(const char *dir);
#endif
