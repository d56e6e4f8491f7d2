#!/bin/sh
# Several texts with weights (--data), further held-out ones (--monitor-set), and
# a model that is adapted by them.
# sanitized
# shellcheck disable=SC2119,SC2120
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"
export UCX_NET_DEVICES=lo

# The old domain knows words 0 to 19, the new one 12 to 31.
awk -v dir="$T" 'BEGIN {
    srand(4)
    split("old 3000 0 new 1000 12 old.val 80 0 new.val 80 12 old.test 100 0 new.test 100 12", f, " ")
    for (k = 1; k in f; k += 3)
        for (i = 0; i < f[k + 1]; i++) {
            n = 3 + int(rand() * 6); s = t = ""
            for (j = 0; j < n; j++) { w = f[k + 2] + int(rand() * 20); s = s " s" w; t = t " t" w }
            print s > (dir "/" f[k] ".src")
            print t > (dir "/" f[k] ".trg")
        }
}'
for side in src trg; do
    "$BIN/sk-vocab" -i "$T/old.$side" "$T/new.$side" -o "$T/$side.json" 2>/dev/null
    head -n 300 "$T/old.$side" >"$T/a.$side"
    head -n 90 "$T/new.$side" >"$T/b.$side"
done
cat >"$T/train" <<EOF
#!/bin/sh
dir=\$1
shift
exec "$BIN/sk-train-shard" -vs "$T/old.val.src" -vt "$T/old.val.trg" -o "$T/\$dir" --num-layers 1 \\
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 --use-cpu \\
    --max-seq-len 12 --threads 1 --batch-size 100 --initial-learning-rate 0.01 --checkpoint-frequency 10 "\$@"
EOF
chmod +x "$T/train"
a="a=$T/a.src:$T/a.trg"
b="b=$T/b.src:$T/b.trg"
new="new=$T/new.val.src:$T/new.val.trg"
column() { sed -nE "s/.*	$2=([^	]*).*/\\1/p" "$T/$1/metrics" | tr '\n' ' '; }
result() { (cd "$T/$1" && cksum params.0* && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics && readlink params.best); }

# --- what is trained on -------------------------------------------------------------
exits 0 "--data" "$T/train" mix --data "$a:3" "$b:1" --max-updates 60
like "$(cat "$T/err")" '^An epoch takes 390 pairs: of a 75% \(300 pairs, 0.975 times\), b 25% \(90 pairs, 1.083 times\)$' \
    "what an epoch has of each is said"
ok "each gives its share" sh -c 'for x in $1; do echo "$x"; done | awk "\$1 < 0.65 || \$1 > 0.85 { bad = 1 } END { exit bad }"' - \
    "$(column mix data-share-a)"
ok "and what is passed through follows" awk -v a="$(column mix data-passes-a | awk '{ print $NF }')" \
    -v b="$(column mix data-passes-b | awk '{ print $NF }')" 'BEGIN { exit !(b / a > 1 && b / a < 1.25) }'
cat "$T/a.src" "$T/b.src" >"$T/ab.src"
cat "$T/a.trg" "$T/b.trg" >"$T/ab.trg"
exits 0 "--source and --target, the same text" "$T/train" ab -s "$T/ab.src" -t "$T/ab.trg" --max-updates 10
same "$T/mix/vocab.src.0.json" "$T/ab/vocab.src.0.json" "the vocabulary is that of all texts"
exits 0 "--data with a single text" "$T/train" single --data "ab=$T/ab.src:$T/ab.trg:7" --max-updates 10
same "$T/single/params.00001" "$T/ab/params.00001" "is as --source and --target"
exits 0 "other weights" "$T/train" other --data "$a:1" --data "$b:1" --max-updates 60
ok "another model" sh -c '! cmp -s "$1" "$2"' - "$T/mix/params.00006" "$T/other/params.00006"
exits 0 "--dry-run" "$T/train" dry --data "$a:3" "$b:1" --dry-run
is "$(sed -n 's/^pairs	//p' "$T/out")" 390 "counts all"
exits 0 "to the end of epochs" "$T/train" epochs --data "$a:3" "$b:1" --max-num-epochs 2
is "$(sed -n 's/^samples	//p' "$T/epochs/progress")" 780 "twice as many pairs"

# --- the same bits ------------------------------------------------------------------
set -- --data "$a:3" "$b:1" --monitor-set "$new" --monitor-set "all=$T/ab.src:$T/ab.trg" --ema 0.9
exits 0 "with monitor sets" "$T/train" whole "$@" --max-updates 60
exits 0 "in parts" "$T/train" parts "$@" --max-updates 7
gzip -k "$T/b.trg"
exits 0 "with a text that was packed, and two threads" "$T/train" parts --data "$a:3" "b=$T/b.src:$T/b.trg.gz:1" \
    --monitor-set "$new" "all=$T/ab.src:$T/ab.trg" --ema 0.9 --max-updates 33 --threads 2
rm "$T/parts/data/corpus.b" "$T/parts/data/validation.all"
exits 0 "without corpora that can be made again" "$T/train" parts "$@" --max-updates 60
is "$(result parts)" "$(result whole)" "comes to the same"
is "$(column mix perplexity-train)" "$(column whole perplexity-train)" "monitor sets change nothing"
exits 0 "sk-verify" "$BIN/sk-verify" "$T/whole" --threads 1
like "$(cat "$T/out")" 'right$' "makes it again"
pids=
for k in 0 1; do
    "$T/train" shards "$@" --max-updates 60 --virtual-shards 8 --num-shards 2 --shard $k >"$T/shard.$k" 2>&1 &
    pids="$pids $!"
done
codes=
for pid in $pids; do
    wait "$pid"
    codes="$codes $?"
done
is "$codes" " 0 0" "two shards"
is "$(result shards)" "$(result whole)" "come to the same"
exits 78 "other weights then" "$T/train" whole --data "$a:2" "$b:1" --monitor-set "$new" "all=$T/ab.src:$T/ab.trg" --ema 0.9
like "$(cat "$T/err")" "\-\-data: was 'a:3 b:1', now 'a:2 b:1'" "are another run"
exits 78 "another text" "$T/train" whole --data "a=$T/ab.src:$T/ab.trg:3" "$b:1" \
    --monitor-set "$new" "all=$T/ab.src:$T/ab.trg" --ema 0.9
like "$(cat "$T/err")" "\-\-data: the source text of a is not the same" "too"
exits 78 "without a monitor set" "$T/train" whole --data "$a:3" "$b:1" --monitor-set "$new" --ema 0.9
like "$(cat "$T/err")" "\-\-monitor-set: was 'new all', now 'new'" "and that"

# --- monitor sets -------------------------------------------------------------------
exits 0 "the same texts as the validation text" "$T/train" monitored --data "$a:3" "$b:1" \
    --monitor-set "old=$T/old.val.src:$T/old.val.trg" --max-updates 20
is "$(column monitored perplexity-val-old)" "$(column monitored perplexity-val)" "have its perplexity"
is "$(column monitored accuracy-val-old)" "$(column monitored accuracy-val)" "and accuracy"
like "$(cat "$T/err")" '^Checkpoint \[2\]	Validation-perplexity-old=[0-9.]+$' "which is said"
exits 0 "sk-status" "$BIN/sk-status" "$T/whole"
like "$(cat "$T/out")" 'perplexity-val-new' "shows it"
ok "so does TensorBoard's file" grep -q -a 'perplexity-val-new' "$T"/whole/tensorboard/*

exits 0 "prepared data" "$BIN/sk-prepare-data" -s "$T/ab.src" -t "$T/ab.trg" --max-seq-len 12 -o "$T/prepared" -q
exits 0 "with prepared data" "$T/train" from-prepared -d "$T/prepared" --monitor-set "$new" --max-updates 10
same "$T/from-prepared/params.00001" "$T/ab/params.00001" "monitor sets are read beside it"
like "$(cat "$T/from-prepared/metrics")" 'perplexity-val-new=[0-9]' "and reported"
is "$("$BIN/sk-status" "$T/whole" | grep -c 'data-')" 0 "sk-status leaves out how texts were mixed"

# --- faults -------------------------------------------------------------------------
if [ -n "${SAN:-}" ]; then
    skip "a preloaded library and sanitizers do not go together"
else
    . tests/faults.sh
    export FAULTS="$T/z"
    fresh() { rm -rf "$T/z"; }
    act() { "$T/train" z --data "$a:3" "$b:1" --monitor-set "$new" --ema 0.9 --max-updates 13 -q; }
    torn() { :; }
    result() {
        (cd "$T/z" && cksum params.0* data/* config.json && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics &&
            find . -name '.*tmp')
    }
    faults "several texts and an average" 5
fi

# --- misuse -------------------------------------------------------------------------
bad() { # NAME TEXT MESSAGE
    exits 64 "$1" "$T/train" bad --data "$2"
    like "$(cat "$T/err")" "$3" "is named"
}
bad "no weight" "$a" "is not NAME=SOURCE:TARGET:WEIGHT"
bad "a weight of 0" "$a:0" "'0', which is no number over 0"
bad "a negative weight" "$a:-1" "'-1', which is no number over 0"
bad "a weight that is none" "$a:x" "'x', which is no number over 0"
bad "no name" "=x:y:1" "a name has 1 to 32 letters"
bad "a name like a path" "../a=x:y:1" "is no name"
bad "standard input" "a=-:$T/a.trg:1" "standard input does not allow"
exits 64 "a name twice" "$T/train" bad --data "$a:1" "$a:2"
exits 64 "a text that never comes" "$T/train" bad --data "$a:1" "$b:1e-9"
exits 64 "with --source" "$T/train" bad --data "$a:1" -s "$T/a.src" -t "$T/a.trg"
exits 64 "with --prepared-data" "$T/train" bad --data "$b:1" -d "$T/prepared"
like "$(cat "$T/err")" 'give the text that .*/prepared was made of as one of its texts' "has a remedy"
exits 66 "a file that is not there" "$T/train" bad --data "a=$T/a.src:$T/none:1"
exits 64 "--monitor-set with a weight" "$T/train" bad -s "$T/a.src" -t "$T/a.trg" --monitor-set "$a:1"

# --- adapting a model ---------------------------------------------------------------
bleu() { # MODEL TEXT
    "$BIN/sk-translate" -m "$T/$1" --use-cpu --threads 1 <"$T/$2.src" >"$T/hypotheses" 2>/dev/null
    "$BIN/sk-bleu-eval" --hypotheses "$T/hypotheses" --references "$T/$2.trg" --tokenize none 2>/dev/null | sed 's/BLEU	//'
}
exits 0 "a model of the old domain" "$T/train" base -s "$T/old.src" -t "$T/old.trg" --source-vocab "$T/src.json" \
    --target-vocab "$T/trg.json" --transformer-model-size 32 --transformer-attention-heads 4 \
    --transformer-feed-forward-num-hidden 64 --batch-size 400 --checkpoint-frequency 150 --max-updates 600 \
    --transformer-dropout-prepost 0 --transformer-dropout-act 0 --transformer-dropout-attention 0
before=$(bleu base new.test)
old=$(bleu base old.test)
start=$(date +%s%N)
exits 0 "adapted to 1,000 sentences of a new one" "$BIN/sk-train-shard" --config "$T/base/args" -o "$T/adapted" \
    --params "$T/base/params.best" --source-vocab "$T/base/vocab.src.0.json" --target-vocab "$T/base/vocab.trg.0.json" \
    --data "new=$T/new.src:$T/new.trg:2" "old=$T/old.src:$T/old.trg:1" -vs "$T/new.val.src" -vt "$T/new.val.trg" \
    --monitor-set "old=$T/old.val.src:$T/old.val.trg" --ema 0.99 --initial-learning-rate 0.003 \
    --checkpoint-frequency 100 --max-updates 300
took=$((($(date +%s%N) - start) / 1000000))
trained=$(tail -n 1 "$T/adapted/metrics" | sed 's/.*time-elapsed=\([^	]*\).*/\1/')
after=$(bleu adapted new.test)
kept=$(bleu adapted old.test)
diag "BLEU of the new domain: $before before, $after after; of the old: $old, $kept; $took ms in all, $trained s of it training"
ok "gains BLEU" awk -v a="$before" -v b="$after" 'BEGIN { exit !(b > a + 30 && b > 80) }'
ok "loses none of the old" awk -v a="$old" -v b="$kept" 'BEGIN { exit !(a > 80 && b > a - 3) }'
ok "training starts within seconds" awk -v t="$took" -v n="$trained" 'BEGIN { exit !(t / 1000 - n < 5) }'
is "$(grep -c 'in another way' "$T/adapted/log")" 0 "with the words that the parameters are of"
sed -E 's/: 4(,?)$/: @\1/; s/: 5(,?)$/: 4\1/; s/: @(,?)$/: 5\1/' "$T/base/vocab.src.0.json" >"$T/swapped.json"
exits 0 "with two words swapped" "$BIN/sk-train-shard" --config "$T/base/args" -o "$T/swapped" --params "$T/base/params.best" \
    --source-vocab "$T/swapped.json" --target-vocab "$T/base/vocab.trg.0.json" --max-updates 1
like "$(cat "$T/err")" "its words are those of $T/base/vocab.src.0.json, .*give --source-vocab $T/base/vocab.src.0.json" "a warning"
is "$(grep -cE '^(source|target)	' "$T/adapted/args")" 0 "--data stands for what the file of options said"
done_testing
