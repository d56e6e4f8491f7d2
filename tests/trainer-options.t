#!/bin/sh
# sk-train-shard: what each option of the trainer does.
# In memory, if possible: waiting for a disk is most of the time.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

awk -v dir="$T" 'BEGIN {
    srand(5)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 30 : 200); i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
data="-s $T/train.src -t $T/train.trg -vs $T/val.src -vt $T/val.trg"
small="--num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
    --transformer-feed-forward-num-hidden 32 --max-seq-len 12 --threads 1"
# train DIR OPTION... : 100 target tokens an update, a checkpoint every 10
train() {
    train_dir=$1
    shift
    # shellcheck disable=SC2086  # lists of words
    "$BIN/sk-train-shard" $data -o "$train_dir" $small --batch-size 100 --checkpoint-frequency 10 \
        --initial-learning-rate 0.01 "$@"
}
column() { sed -nE "s/^$2	.*	$3=([^	]*).*/\\1/p" "$1/metrics"; }
columns() { sed -nE "s/.*	$2=([^	]*).*/\\1/p" "$1/metrics" | tr '\n' ' '; }
differ() {
    if cmp -s "$1" "$2"; then fail "$3"; else pass "$3"; fi
}
ends() { is "$(sed -n 's/^reason	//p' "$1/finished") $(sed -n 's/^updates	//p' "$1/finished")" "$2" "$3"; }
files() { (cd "$1" && echo params.0*); }
# the checkpoints that sk-average chooses, as their files
chosen() {
    "$BIN/sk-average" "$@" -o "$T/average" 2>&1 | sed -n '/^Found:/s/[()]/\n/gp' | sed -n 's/.*, \([0-9][0-9]*\)$/\1/p' |
        while read -r chosen_n; do printf 'params.%05d\n' "$chosen_n"; done
}

# --- vocabularies ----------------------------------------------------------------
words() { grep -c '": [0-9]*' "$1"; }
exits 0 "--num-words" train "$T/v" --max-updates 1 --num-words 10:12
is "$(words "$T/v/vocab.src.0.json") $(words "$T/v/vocab.trg.0.json")" "14 16" "so many and four special ones"
sed '1s/$/ once/' "$T/train.trg" >"$T/rare.trg"
exits 0 "--word-min-count" train "$T/v.2" --max-updates 1 -t "$T/rare.trg" --word-min-count 1:2
is "$(grep -c once "$T/v.2/vocab.trg.0.json") $(words "$T/v.2/vocab.src.0.json")" "0 24" "rare words are left out"
exits 0 "--pad-vocab-to-multiple-of" train "$T/v.3" --max-updates 1 --pad-vocab-to-multiple-of 16
is "$(words "$T/v.3/vocab.src.0.json")" 32 "fills up"
printf '%s \377\n' s1 >"$T/bad.src"
tail -n +2 "$T/train.src" >>"$T/bad.src"
exits 65 "invalid UTF-8" train "$T/w" -s "$T/bad.src" --max-updates 1
exits 0 "--replace-invalid" train "$T/v.4" -s "$T/bad.src" --max-updates 1 --replace-invalid
like "$(cat "$T/v.4/vocab.src.0.json")" "$(printf '\357\277\275|ufffd')" "U+FFFD instead"

# --- the start --------------------------------------------------------------------
exits 0 "the parameters of the start" train "$T/start" --max-updates 1 --keep-initializations --num-embed 16 \
    --encoder transformer --decoder transformer --loss cross-entropy
for start in '--weight-init-xavier-factor-type in' '--weight-init-xavier-rand-type gaussian' '--weight-init uniform' \
    '--embed-weight-init normal' '--weight-init-scale 2'; do
    # shellcheck disable=SC2086
    exits 0 "$start" train "$T/start.${start##* }" --max-updates 1 --keep-initializations $start
done
is "$(for f in "$T"/start*/params.00000; do cksum <"$f"; done | sort -u | wc -l)" 6 "each begins in its own way"

# --- optimizers ----------------------------------------------------------------
exits 0 "adam" train "$T/adam" --max-updates 20
for optimizer in 'sgd 0.3' 'nag 0.1 --momentum 0.8' 'nadam 0.01' 'rmsprop 0.005' 'adagrad 0.05' 'adadelta 1'; do
    # shellcheck disable=SC2086
    set -- $optimizer
    name=$1
    rate=$2
    shift 2
    exits 0 "$name" train "$T/$name" --optimizer "$name" --initial-learning-rate "$rate" --max-updates 20 "$@"
    ok "$name: perplexity falls" awk -v a="$(column "$T/$name" 1 perplexity-val)" \
        -v b="$(column "$T/$name" 2 perplexity-val)" 'BEGIN { exit !(b < a && a < 40) }'
    exits 0 "$name, ten updates" train "$T/$name.2" --optimizer "$name" --initial-learning-rate "$rate" \
        --max-updates 10 "$@"
    exits 0 "$name, ten more" train "$T/$name.2" --optimizer "$name" --initial-learning-rate "$rate" --max-updates 20 "$@"
    same "$T/$name/params.00002" "$T/$name.2/params.00002" "$name: resumed from its state"
done
is "$(for f in "$T"/*/params.00002; do cksum <"$f"; done | sort -u | wc -l)" 7 "each goes its own way"
ok "SGD keeps no moments" sh -c '! grep -q -a "\"[mv]:" "$1"' - "$T/sgd/state.00002"
ok "with momentum one" sh -c 'grep -q -a "\"m:" "$1" && ! grep -q -a "\"v:" "$1"' - "$T/nag/state.00002"
exits 0 "beta1" train "$T/beta" --optimizer-params beta1:0.5,beta2:0.99 --max-updates 10
differ "$T/beta/params.00001" "$T/adam/params.00001" "--optimizer-params counts"

set -- --optimizer sgd --initial-learning-rate 0.5 --checkpoint-frequency 1 --max-updates 1 --keep-initializations
exits 0 "one step" train "$T/plain" "$@"
exits 0 "one step with weight decay" train "$T/decay" --weight-decay 0.1 "$@"
tests/tensors.py decay "$T/plain/params.00001" "$T/decay/params.00001" "$T/plain/params.00000" 0.05 >"$T/decayed"
tests/tensors.py changed "$T/plain/params.00001" "$T/decay/params.00001" >"$T/changed"
same "$T/decayed" "$T/changed" "--weight-decay pulls towards zero"
is "$(grep -vcE '_(weight|gamma)$' "$T/decayed")" 0 "only weights and gammas"
is "$(wc -l <"$T/decayed")" "$(grep -a -oE '"[a-z0-9_]*_(weight|gamma)"' "$T/plain/params.00001" | wc -l)" "all of them"

# --- several batches an update ---------------------------------------------------
for norm in valid batch; do
    set -- --batch-type sentence --max-updates 8 --loss-normalization-type $norm --optimizer sgd \
        --initial-learning-rate 0.1 --checkpoint-frequency 4
    exits 0 "$norm: 40 sentences an update" train "$T/one.$norm" --batch-size 40 "$@"
    exits 0 "$norm: 5 times 8" train "$T/five.$norm" --batch-size 8 --update-interval 5 "$@"
    ok "$norm: the same, but for rounding" awk -v d="$(tests/tensors.py distance "$T/one.$norm/params.00002" \
        "$T/five.$norm/params.00002")" 'BEGIN { exit !(d < 1e-5) }'
    is "$(column "$T/five.$norm" 2 epoch)" "$(column "$T/one.$norm" 2 epoch)" "$norm: as many epochs"
    ok "$norm: the same gradient norm" awk -v a="$(column "$T/one.$norm" 1 gradient-norm)" \
        -v b="$(column "$T/five.$norm" 1 gradient-norm)" 'BEGIN { exit !(a / b > 0.999 && a / b < 1.001) }'
done
exits 0 "--update-interval with two threads" train "$T/five.2" --batch-size 8 --update-interval 5 --threads 2 "$@"
same "$T/five.2/params.00002" "$T/five.batch/params.00002" "the same bits"
exits 78 "another --update-interval" train "$T/five.2" --batch-size 8 --update-interval 4 "$@"
like "$(cat "$T/err")" "--update-interval: was '5', now '4'" "is another run"

# --- limits ------------------------------------------------------------------------
exits 0 "--max-num-epochs" train "$T/epochs" --max-num-epochs 2
ends "$T/epochs" "epochs $(sed -nE 's/.*Updates=([0-9]+).*/\1/p' "$T/err" | tail -n 1)" "ends there"
is "$(columns "$T/epochs" epoch | awk '{ print $NF }')" 2 "after two epochs"
exits 0 "--max-samples" train "$T/samples" --max-samples 150
like "$(cat "$T/err")" 'Maximum # of samples \(150\) reached' "ends there"
ok "as soon as there are so many" sh -c 'n=$(sed -nE "s/.*Samples=([0-9]+).*/\1/p" "$1" | tail -n 1); [ "$n" -ge 150 ] && [ "$n" -lt 200 ]' - "$T/err"
exits 0 "--max-checkpoints" train "$T/checkpoints" --max-checkpoints 2
ends "$T/checkpoints" "checkpoints 20" "ends after so many"
exits 0 "again" train "$T/checkpoints" --max-checkpoints 2
like "$(cat "$T/err")" "had been finished" "all starts together"
exits 0 "--max-seconds" train "$T/seconds" --max-seconds 1 --max-num-checkpoint-not-improved -1
like "$(sed -n 's/^reason	//p' "$T/seconds/finished")" seconds "ends at a checkpoint"
set -- --initial-learning-rate 0 --max-num-checkpoint-not-improved 1
exits 0 "patience of one checkpoint, nothing is learned" train "$T/min.none" "$@"
ends "$T/min.none" "converged 20" "ends at the second"
exits 0 "--min-updates" train "$T/min.updates" --min-updates 25 "$@"
ends "$T/min.updates" "converged 30" "waits for so many"
like "$(cat "$T/err")" "minimum number of updates is not reached" "and says so"
exits 0 "--min-num-epochs" train "$T/min.epochs" --min-num-epochs 4 "$@"
ok "waits for so many" [ "$(columns "$T/min.epochs" epoch | awk '{ print ($NF >= 4 && $(NF - 1) < 4) }')" = 1 ]
exits 0 "--min-samples" train "$T/min.samples" --min-samples 600 "$@"
ok "waits for so many" awk -v n="$(sed -nE 's/.*Samples=([0-9]+).*/\1/p' "$T/err" | tail -n 1)" \
    'BEGIN { exit !(n >= 600 && n < 900) }'

# --- schedules ---------------------------------------------------------------------
exits 0 "fixed-step" train "$T/steps" --learning-rate-scheduler-type fixed-step \
    --learning-rate-schedule 0.01:20,0.001:10 --max-num-checkpoint-not-improved 0
is "$(columns "$T/steps" learning-rate)" "0.01 0.01 0.001 " "the rates"
ends "$T/steps" "updates 30" "ends with the last, whatever the patience"
exits 0 "fixed-rate-inv-t" train "$T/inv" --learning-rate-scheduler-type fixed-rate-inv-t \
    --learning-rate-half-life 2 --max-updates 20
is "$(column "$T/inv" 2 learning-rate)" 0.005 "half the rate after its half-life"
exits 0 "fixed-rate-inv-sqrt-t" train "$T/sqrt" --learning-rate-scheduler-type fixed-rate-inv-sqrt-t \
    --learning-rate-half-life 1 --learning-rate-warmup 3 --max-updates 10
is "$(column "$T/sqrt" 1 learning-rate)" 0.005 "likewise"

# A rate that is too high, then none at all: what comes back is seen as it is.
set -- --initial-learning-rate 0.1 --checkpoint-frequency 4 --learning-rate-reduce-num-not-improved 1 \
    --learning-rate-reduce-factor 0 --optimizer-params beta1:0,beta2:0.9 --max-num-checkpoint-not-improved -1
exits 0 "the rate falls to 0" train "$T/low" --max-updates 40 "$@"
n=$(awk '/Validation-perplexity=/ { gsub(/[^0-9]/, "", $2); n = $2 } /^Learning rate lowered/ { print n; exit }' "$T/err")
best=$(readlink "$T/low/params.best")
next=$(printf %05d $((n + 1)))
now=$(printf %05d "$n")
like "$n" '^[2-9]$' "at checkpoint $n, $best being the best"
same "$T/low/params.$next" "$T/low/params.$now" "nothing changes any more"
differ "$T/low/params.$next" "$T/low/$best" "the best is another"
exits 0 "--learning-rate-decay-param-reset" train "$T/back" --learning-rate-decay-param-reset \
    --max-updates $((4 * n + 4)) "$@"
same "$T/back/params.$now" "$T/low/params.$now" "checkpoint $n is as it was"
same "$T/back/params.$next" "$T/low/$best" "then the best parameters are back"
for states in initial best; do
    set -- "$@" --learning-rate-decay-optimizer-states-reset $states
    exits 0 "optimizer states: $states" train "$T/$states" --max-updates $((4 * n)) "$@"
    same "$T/$states/params.$now" "$T/low/params.$now" "checkpoint $n is as it was"
    cp "$T/$states/state.${best#params.}" "$T/best.state" 2>/dev/null
    # one update more: a last checkpoint between two others
    exits 0 "and one update" train "$T/$states" --max-updates $((4 * n + 1)) "$@"
done
steps=$(grep -a -oE '\\"steps\\":[0-9]+' "$T/initial/state.$next")
is "$steps" '\"steps\":1' "initial: the first step again"
is "$(tests/tensors.py moments zero "$T/initial/state.$next" 0.9)" yes "from moments of zero"
steps=$(grep -a -oE '\\"steps\\":[0-9]+' "$T/best/state.$next")
is "$steps" "\\\"steps\\\":$((4 * ${best#params.0000} + 1))" "best: one step after the best checkpoint"
is "$(tests/tensors.py moments "$T/best.state" "$T/best/state.$next" 0.9)" yes "from its moments"
is "$(tests/tensors.py moments zero "$T/best/state.$next" 0.9)" no "which are not zero"
is "$(cd "$T/best" && echo state.*)" "state.${best#params.} state.$next" "the best state is kept"
exits 0 "on to the next checkpoint" train "$T/best" --max-updates $((4 * n + 4)) "$@"
cp -R "$T/best" "$T/damaged"
printf x | dd of="$T/damaged/state.$next" bs=1 seek=3000 conv=notrunc 2>/dev/null
exits 0 "with a damaged state" train "$T/damaged" --max-updates $((4 * n + 4)) "$@"
like "$(cat "$T/err")" "Resuming from saved state: update $((4 * ${best#params.0000}))," "it begins again at the best"
same "$T/damaged/params.$next" "$T/best/params.$next" "and comes to the same end"

# --- parameters that are not trained -------------------------------------------------
set -- --max-updates 2 --checkpoint-frequency 2 --keep-initializations
exits 0 "--fixed-param-names" train "$T/names" "$@" --fixed-param-names source_embed_weight target_output_bias
tests/tensors.py changed "$T/names/params.00000" "$T/names/params.00001" >"$T/changed"
is "$(grep -cE '^(source_embed_weight|target_output_bias)$' "$T/changed")" 0 "they stay"
is "$(wc -l <"$T/changed")" "$(($(grep -a -o '"dtype"' "$T/names/params.00001" | wc -l) - 2))" "all others change"
exits 0 "--fixed-param-strategy" train "$T/strategy" "$@" --fixed-param-strategy all_except_output_proj
is "$(tests/tensors.py changed "$T/strategy/params.00000" "$T/strategy/params.00001" | tr '\n' ' ')" \
    "target_output_bias target_output_weight " "the output layer changes alone"
like "$(cat "$T/err")" '^Learning 408 parameters \([0-9.]+%\)$' "how many learn is said"
exits 64 "an unknown parameter" train "$T/w" --fixed-param-names source_embed
exits 0 "--params, two layers from one" train "$T/missing" --max-updates 1 --num-layers 2 \
    --params "$T/adam/params.best" --allow-missing-params
like "$(cat "$T/err")" ', [0-9]+ of [0-9]+ left as initialised' "--allow-missing-params"
exits 65 "without it" train "$T/missing.2" --max-updates 1 --num-layers 2 --params "$T/adam/params.best"

# --- which parameters are kept -----------------------------------------------------------
exits 0 "all" train "$T/all" --max-updates 60 --checkpoint-frequency 5 --initial-learning-rate 0.1 \
    --max-num-checkpoint-not-improved -1
last=params.00012
diag "best $(readlink "$T/all/params.best"), perplexities $(columns "$T/all" perplexity-val)"
for how in 'best perplexity' 'best accuracy' 'last perplexity' 'lifespan perplexity'; do
    # shellcheck disable=SC2086
    set -- $how
    keep=$([ "$1" = last ] && echo 3 || echo 1)
    exits 0 "cached: $how" train "$T/cache.$1.$2" --max-updates 60 --checkpoint-frequency 5 \
        --initial-learning-rate 0.1 --max-num-checkpoint-not-improved -1 --keep-last-params "$keep" \
        --cache-last-best-params 3 --cache-strategy "$1" --cache-metric "$2"
    {
        chosen "$T/all" -n 3 --strategy "$1" --metric "$2"
        readlink "$T/all/params.best"
        echo "$last"
        [ "$keep" -lt 3 ] || printf 'params.00010\nparams.00011\n'
    } | sort -u >"$T/want"
    # shellcheck disable=SC2012
    (cd "$T/cache.$1.$2" && ls params.0*) | sort >"$T/got"
    is "$(cat "$T/got")" "$(cat "$T/want")" "what sk-average chooses, the last, the best"
done
exits 0 "one is enough" train "$T/one" --max-updates 20 --keep-last-params 1
exits 0 "none" train "$T/none" --max-updates 20 --keep-last-params 0
is "$(files "$T/none")" "$(files "$T/one")" "is as one, from which training goes on"
exits 0 "on" train "$T/none" --max-updates 30 --keep-last-params 0
exits 0 "--keep-initializations" train "$T/initial.2" --max-updates 20 --keep-last-params 1 --keep-initializations
is "$(files "$T/initial.2")" "params.00000 $(files "$T/one")" "keeps the parameters of the start"
exits 0 "which are no checkpoint" "$BIN/sk-average" "$T/initial.2" -n 9 -o "$T/average"
same "$T/average" "$T/initial.2/params.00002" "for sk-average"
exits 0 "--overwrite-output" train "$T/initial.2" --max-updates 10 --overwrite-output
is "$(files "$T/initial.2")" params.00001 "removes them"

# --- options out of a file ------------------------------------------------------------------
exits 0 "--config with the args of a run" "$BIN/sk-train-shard" --config "$T/nag/args" -o "$T/config"
same "$T/config/params.00002" "$T/nag/params.00002" "gives that run"
# shellcheck disable=SC2086
set -- $data
cat >"$T/options.yaml" <<EOF
source: $2
target: $4
validation_source: $6
validation_target: '$8'
num_layers: 1
transformer_model_size: [16, 16]
transformer_attention_heads: 2
transformer_feed_forward_num_hidden: 32
max_seq_len:
- 12
- 12
threads: 1
batch_size: 100
checkpoint_interval: 10
initial_learning_rate: 1
metrics:
- perplexity
- accuracy
quiet: true
params: null
EOF
exits 0 "--config in YAML, one option over it" "$BIN/sk-train-shard" --config "$T/options.yaml" -o "$T/yaml" \
    --initial-learning-rate 0.01 --max-updates 20
same "$T/yaml/params.00002" "$T/adam/params.00002" "gives the run of the same options"
is "$(cat "$T/err")" "" "quiet as the file says"
ok "the file is no part of the run" sh -c '! grep -q ^config "$1"' - "$T/yaml/args"
echo "bucket_width: 10" >>"$T/options.yaml"
exits 65 "an unknown name" "$BIN/sk-train-shard" --config "$T/options.yaml" -o "$T/w"
like "$(cat "$T/err")" "options.yaml: line 21: unknown option 'bucket-width'" "file and line are named"

# --- the dry run -----------------------------------------------------------------------------
mkdir "$T/tmp"
larger="--transformer-model-size 128 --transformer-feed-forward-num-hidden 512 --batch-size 500 --max-num-epochs 1"
# shellcheck disable=SC2086
exits 0 "--dry-run" env TMPDIR="$T/tmp" "$BIN/sk-train-shard" $data -o "$T/dry" $small $larger --dry-run
cp "$T/out" "$T/dry.out"
value() { sed -n "s/^$1	//p" "$T/dry.out"; }
is "$(ls "$T/tmp") $(ls -d "$T/dry" 2>/dev/null)" " " "leaves nothing behind"
like "$(cat "$T/err")" '^Vocabulary coverage: source 100.0% of tokens' "says the coverage"
is "$(value source-coverage) $(value pairs)" "100.00 200" "for programs too"
# shellcheck disable=SC2086
exits 0 "the same in earnest" train "$T/earnest" $larger
is "$(value parameters)" "$(sed -n 's/^Total # of parameters: //p' "$T/err")" "as many parameters"
is "$(value updates-per-epoch)" "$(sed -n 's/^updates	//p' "$T/earnest/finished")" "as many updates in an epoch"
most=$(sed -nE 's/^Memory: at most ([0-9.]+) MB were taken$/\1/p' "$T/err")
diag "memory: predicted $(value memory) bytes, measured $most MB"
if [ -n "${SAN:-}" ] || [ "$BIN" != "$ROOT/bin" ]; then
    skip "memory of instrumented programs"
else
    ok "memory within a tenth" awk -v p="$(value memory)" -v m="$most" 'BEGIN { m *= 1e6; exit !(p > 0.9 * m && p < 1.1 * m) }'
fi
# The same in bfloat16: panels of half the size, rows that are packed.
cp "$T/err" "$T/err.float32"
# shellcheck disable=SC2086
exits 0 "in bfloat16" train "$T/earnest16" $larger --dtype bfloat16
most=$(sed -nE 's/^Memory: at most ([0-9.]+) MB were taken$/\1/p' "$T/err")
# shellcheck disable=SC2086
"$BIN/sk-train-shard" $data -o "$T/dry" $small $larger --dtype bfloat16 --dry-run >"$T/dry.out" 2>"$T/err"
diag "memory: predicted $(value memory) bytes, measured $most MB"
if [ -n "${SAN:-}" ] || [ "$BIN" != "$ROOT/bin" ]; then
    skip "memory of instrumented programs"
else
    ok "memory within a tenth" awk -v p="$(value memory)" -v m="$most" 'BEGIN { m *= 1e6; exit !(p > 0.9 * m && p < 1.1 * m) }'
fi
cp "$T/err.float32" "$T/err"
like "$(sed -n '/Training started/q;p' "$T/err")" '^Memory: training takes about [0-9]+ MB$' "and before the first update"
exits 65 "a dry run with bad text" train "$T/dry" --dry-run -t "$T/val.trg"
exits 65 "a dry run with parameters of another shape" train "$T/dry" --dry-run --params "$T/earnest/params.best"
is "$(ls -d "$T/dry" 2>/dev/null)" "" "nothing is written"
cksum "$T/adam"/* >"$T/before" 2>/dev/null
exits 0 "a dry run over a run, overwriting" train "$T/adam" --dry-run --overwrite-output
cksum "$T/adam"/* >"$T/after" 2>/dev/null
same "$T/before" "$T/after" "does not touch it"

# --- what is said --------------------------------------------------------------------------------
exits 0 "--loglevel DEBUG" train "$T/debug" --max-updates 3 --loglevel DEBUG
is "$(grep -cE '^Update \[[123]\]	loss=[0-9.]+	gradient-norm=[0-9.]+	learning-rate=0.01	labels=[0-9]+$' "$T/err")" 3 \
    "a line for each update"
exits 0 "--loglevel INFO" train "$T/info" --max-updates 3 --loglevel INFO
is "$(grep -c '^Update' "$T/err")" 0 "none"
exits 0 "--no-logfile, --quiet" train "$T/silent" --max-updates 3 --no-logfile --quiet
is "$(cat "$T/err") $(ls "$T/silent/log" 2>/dev/null)" " " "nothing is said anywhere"
exits 0 "--metrics perplexity" train "$T/metrics" --max-updates 3 --metrics perplexity
is "$(grep -c accuracy "$T/metrics/metrics")" 0 "no accuracy then"

# --- options that do not go together ---------------------------------------------------------------
refuse() {
    says=$1
    shift
    exits 64 "$*" train "$T/w" "$@"
    like "$(cat "$T/err")" "$says" "and why"
}
refuse 'fixed-step and --learning-rate-schedule need each other' --learning-rate-scheduler-type fixed-step
refuse 'need each other' --learning-rate-schedule 0.1:10
refuse 'no multiple of --checkpoint-frequency 10' --learning-rate-scheduler-type fixed-step --learning-rate-schedule 0.1:15
refuse '--momentum is for' --momentum 0.9
refuse "'gamma1' is not one of beta1" --optimizer-params gamma1:0.9
refuse '--min-updates 9 is over --max-updates 8' --min-updates 9 --max-updates 8
refuse '--min-samples 9 is over' --min-samples 9 --max-samples 8
refuse '--min-num-epochs 9 is over' --min-num-epochs 9 --max-num-epochs 8
refuse 'needs --params' --allow-missing-params
refuse 'leave nothing to learn' --fixed-param-strategy all_except_output_proj \
    --fixed-param-names target_output_bias target_output_weight
refuse "'eve' is not one of" --optimizer eve
refuse 'both must be of one kind' --encoder rnn
refuse 'both must be of one kind' --decoder rnn
refuse "'cnn' is not one of" --encoder cnn
refuse "'hinge' is not one of" --loss hinge
refuse '--num-embed 8 must equal --transformer-model-size 16' --num-embed 8
refuse 'shards count from 0' --shard 1
is "$(ls -d "$T/w" 2>/dev/null)" "" "nothing was written"
exits 0 "resets without plateau-reduce" train "$T/warn" --max-updates 1 --learning-rate-scheduler-type none \
    --learning-rate-decay-param-reset
like "$(cat "$T/err")" 'warning: .*--learning-rate-decay-param-reset has no effect' "are warned of"
done_testing
