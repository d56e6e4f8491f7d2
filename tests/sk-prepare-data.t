#!/bin/sh
# sk-prepare-data: what it makes, starting again, kills, and training from it.
# sanitized
# shellcheck disable=SC2030,SC2031
. "$(dirname "$0")/tap.sh"
# Much is written and synced: in memory, where there is such a folder.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    DISK=$T
    T=$(mktemp -d /dev/shm/sk-test.XXXXXX) || exit 1
    trap 'rm -rf "$T" "$DISK"' EXIT
fi

# A language of 20 words and its mirror image; some blank and long lines.
awk -v dir="$T" 'BEGIN {
    srand(7)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 30 : 300); i++) {
            n = part ? 1 + int(rand() * 8) : int(rand() * 14)
            s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * rand() * 20); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
cat >"$T/prepare" <<END
#!/bin/sh
out=\$1
shift
exec "$BIN/sk-prepare-data" -s "$T/train.src" -t "$T/train.trg" -o "\$out" --max-seq-len 12 "\$@"
END
cat >"$T/train" <<END
#!/bin/sh
out=\$1
shift
exec "$BIN/sk-train-shard" -vs "$T/val.src" -vt "$T/val.trg" -o "\$out" --num-layers 1 --transformer-model-size 16 \\
    --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 --batch-size 100 \\
    --checkpoint-frequency 5 --initial-learning-rate 0.01 --threads 1 "\$@"
END
chmod +x "$T/prepare" "$T/train"
prepare() { "$T/prepare" "$@"; }
train() { "$T/train" "$@"; }
text() { "$T/train" "$@" -s "$T/train.src" -t "$T/train.trg" --max-seq-len 12; }
contents() { (cd "$1" && cksum corpus vocab.* checksums data.info); }
files() { (cd "$1" && ls -A | tr '\n' ' '); }
# flip FILE OFFSET : another byte there
flip() {
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# --- what it makes -------------------------------------------------------------
exits 0 "prepared" prepare "$T/p"
is "$(files "$T/p")" "checksums corpus data.info lock log vocab.src.0.json vocab.trg.0.json " "its files"
like "$(cat "$T/err")" '^[0-9]+ sequences of maximum length \(12, 12\)' "pairs are counted"
like "$(cat "$T/err")" 'skipped [0-9]+ elements \(a side is blank\)' "blank ones are"
like "$(cat "$T/err")" '[0-9]+ sequences were longer' "and long ones"
like "$(cat "$T/err")" "Prepared data '.*/p' made in [0-9.]+ seconds" "and it says when it is done"
is "$(head -n 1 "$T/p/data.info")" "sk-prepared	1" "data.info has a version"
like "$(cat "$T/p/data.info")" '^max-seq-len	12:12$' "and the options"
like "$(cat "$T/p/log")" 'INFO:sk-prepare-data\] Vocabulary sizes' "the log"
contents "$T/p" >"$T/want"
exits 0 "the same again" prepare "$T/p"
like "$(cat "$T/err")" "had been prepared from this text" "says that it had been done"
contents "$T/p" | cmp -s - "$T/want" && pass "nothing has changed" || fail "nothing has changed"
gzip -c "$T/train.src" >"$T/moved.gz"
exits 0 "the same text, packed, from elsewhere" prepare "$T/p" -s "$T/moved.gz"
exits 0 "by three threads, without a log" prepare "$T/p3" --threads 3 --no-logfile --quiet
is "$(cat "$T/err")" "" "--quiet says nothing"
is "$(files "$T/p3")" "checksums corpus data.info lock vocab.src.0.json vocab.trg.0.json " "and there is no log"
for f in corpus checksums vocab.src.0.json vocab.trg.0.json data.info; do
    same "$T/p/$f" "$T/p3/$f" "whatever the threads: $f"
done
text "$T/m" --max-updates 1 --quiet 2>"$T/err"
same "$T/p/corpus" "$T/m/data/corpus" "the trainer's own corpus is the same"
same "$T/p/vocab.src.0.json" "$T/m/vocab.src.0.json" "and its vocabulary"
"$BIN/sk-vocab" -i "$T/train.trg" -o "$T/v" 2>"$T/err"
same "$T/p/vocab.trg.0.json" "$T/v" "and that of sk-vocab"

# --- options -----------------------------------------------------------------------
exits 0 "--shared-vocab" prepare "$T/q" --shared-vocab
"$BIN/sk-vocab" -i "$T/train.src" "$T/train.trg" -o "$T/v" 2>"$T/err"
same "$T/q/vocab.src.0.json" "$T/v" "one vocabulary"
same "$T/q/vocab.trg.0.json" "$T/v" "for both sides"
exits 0 "limits of vocabularies" prepare "$T/q" --overwrite-output --num-words 8:9 --word-min-count 2:3 \
    --pad-vocab-to-multiple-of 16
like "$(grep -c . "$T/q/vocab.src.0.json") $(cat "$T/q/data.info")" '18 sk-prepared' "are kept"
exits 0 "given vocabularies" prepare "$T/q" --overwrite-output --source-vocab "$T/q/vocab.src.0.json" \
    --target-vocab "$T/p/vocab.trg.0.json" --source "$T/train.src" --target "$T/train.trg"
like "$(cat "$T/q/vocab.src.0.json")" 'pad15' "are taken"
same "$T/q/vocab.trg.0.json" "$T/p/vocab.trg.0.json" "on both sides"
exits 0 "one that is shared" prepare "$T/q" --overwrite-output --source-vocab "$T/v" --shared-vocab
same "$T/q/vocab.trg.0.json" "$T/v" "stands for both sides"
printf 'a\n\377\n' >"$T/bad.src"
printf 'a\nb\n' >"$T/two.trg"
exits 65 "invalid UTF-8" prepare "$T/none" -s "$T/bad.src" -t "$T/two.trg"
like "$(cat "$T/err")" 'bad.src:2: invalid UTF-8' "is named"
exits 0 "--replace-invalid" prepare "$T/q" --overwrite-output -s "$T/bad.src" -t "$T/two.trg" --replace-invalid
is "$(grep -c 'warning.*invalid' "$T/err")" 1 "warns once, though the text is read twice"

# --- wrong input, nothing written -------------------------------------------------------
head -n 299 "$T/train.trg" >"$T/short.trg"
exits 65 "unequal numbers of lines" prepare "$T/none" -t "$T/short.trg"
like "$(cat "$T/err")" 'short.trg has 299 lines, but .*train.src has 300' "are named"
: >"$T/empty"
exits 65 "no usable pair" prepare "$T/none" -s "$T/empty" -t "$T/empty"
exits 66 "a pipe" sh -c "cat '$T/train.src' | '$T/prepare' '$T/none' -s /dev/stdin"
exits 66 "a missing file" prepare "$T/none" -t "$T/missing"
exits 66 "a missing vocabulary" prepare "$T/none" --source-vocab "$T/missing"
exits 65 "a vocabulary that is none" prepare "$T/none" --source-vocab "$T/train.src"
gzip -c "$T/train.src" | head -c 500 >"$T/torn.gz"
exits 65 "a torn gzip file" prepare "$T/none" -s "$T/torn.gz"
like "$(cat "$T/err")" 'torn.gz: the gzip file is cut short' "is named"
exits 64 "no output" "$BIN/sk-prepare-data" -s "$T/train.src" -t "$T/train.trg"
exits 64 "two limits of one vocabulary" prepare "$T/none" --shared-vocab --num-words 3:4
exits 64 "an option of Sockeye that has no meaning here" prepare "$T/none" --bucket-width 10
is "$(find "$T" -name none)" "" "nothing was written"

# --- other options, other text, other folders ------------------------------------------------
exits 78 "other options" prepare "$T/p" --num-words 8:9
like "$(cat "$T/err")" "--num-words: was '0:0', now '8:9'" "are named, old and new"
like "$(cat "$T/err")" 'another --output, or --overwrite-output' "with the remedy"
sed 's/t1 /t2 /' "$T/train.trg" >"$T/other.trg"
exits 78 "another text" prepare "$T/p" -t "$T/other.trg"
like "$(cat "$T/err")" "--target: not the same content" "is named"
contents "$T/p" | cmp -s - "$T/want" && pass "nothing has changed" || fail "nothing has changed"
mkdir "$T/mine"
echo notes >"$T/mine/notes"
exits 78 "a folder with other things" prepare "$T/mine"
like "$(cat "$T/err")" 'notes' "is named"
exits 78 "even with --overwrite-output" prepare "$T/mine" --overwrite-output
is "$(files "$T/mine")" "notes " "nothing is written there"
exits 78 "a model directory" prepare "$T/m" --overwrite-output
mkdir "$T/sockeye"
printf 'shared_vocab: false\n' >"$T/sockeye/data.info"
exits 78 "what Sockeye prepared" train "$T/none" -d "$T/sockeye"
exits 78 "is no folder to write to" prepare "$T/sockeye"
is "$(cat "$T/sockeye/data.info")" "shared_vocab: false" "and stays"
exits 0 "unless --overwrite-output is given" prepare "$T/sockeye" --overwrite-output

# --- damage ---------------------------------------------------------------------------------------
for f in corpus vocab.src.0.json vocab.trg.0.json checksums data.info; do
    for how in flipped removed torn; do
        [ "$f$how" != data.inforemoved ] || continue
        rm -rf "$T/d"
        cp -R "$T/p" "$T/d"
        size=$(wc -c <"$T/d/$f")
        case $how in
        flipped) flip "$T/d/$f" $((size / 3)) ;;
        removed) rm "$T/d/$f" ;;
        torn) head -c $((size / 2)) "$T/p/$f" >"$T/d/$f" ;;
        esac
        status=0
        train "$T/n" --max-updates 100 -d "$T/d" 2>"$T/err" || status=$?
        is "$status" 65 "$f $how: training from it ends with 65"
        rm -rf "$T/n"
        exits 0 "$f $how: it is made again" prepare "$T/d"
        contents "$T/d" | cmp -s - "$T/want" && pass "as it was" || fail "as it was"
    done
done
rm "$T/d/data.info"
exits 66 "data that were not finished" train "$T/n" -d "$T/d"
like "$(cat "$T/err")" 'was not finished' "are named"
exits 66 "no such folder" train "$T/n" -d "$T/missing"
is "$(find "$T" -name n)" "" "nothing was written"

# --- kills, signals, two at once ---------------------------------------------------------------------
awk 'BEGIN { for (i = 0; i < 400000; i++) print "w" i % 1000, "x" i * 7919 % 100003, "the end" }' >"$T/big"
"$BIN/sk-prepare-data" -s "$T/big" -t "$T/big" -o "$T/b" -q
"$BIN/sk-prepare-data" -s "$T/big" -t "$T/big" -o "$T/s" 2>"$T/err" &
pid=$!
# Once its lock is there it has read the text and makes the data.
until [ -e "$T/s/lock" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
status=0
"$BIN/sk-prepare-data" -s "$T/big" -t "$T/big" -o "$T/s" 2>"$T/err2" || status=$?
case $status in
75) like "$(cat "$T/err2")" 'another process prepares .*/s' "a second one at the same time is refused" ;;
*) is "$status" 0 "a second one comes when the first is done" ;;
esac
kill -TERM $pid 2>/dev/null
status=0
wait $pid || status=$?
case $status in
75) is "$(find "$T/s" -name '*tmp')" "" "SIGTERM: 75, and no temporaries" ;;
*) is "$status" 0 "it was done before SIGTERM" ;;
esac
# Both at the same moment, again and again: each ends well or is refused, and the data are whole.
bad=
for i in 1 2 3 4 5; do
    rm -rf "$T/s"
    prepare "$T/s" -q 2>"$T/err" &
    pid=$!
    one=0
    two=0
    prepare "$T/s" -q 2>"$T/err2" || two=$?
    wait $pid || one=$?
    case $one$two in 00 | 075 | 750) ;; *) bad="$bad $i($one $two)" ;; esac
    prepare "$T/s" -q || bad="$bad $i(again)"
    contents "$T/s" | cmp -s - "$T/want" || bad="$bad $i(differs)"
done
is "$bad" "" "two at once"

# --- training from it -------------------------------------------------------------------------------
steady() { sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' "$1/metrics"; }
exits 0 "training from text" text "$T/m" --overwrite-output --max-updates 12
exits 0 "training from prepared data" train "$T/k" -d "$T/p" --max-updates 12
for f in params.00001 params.00002 params.00003 config.json vocab.trg.0.json data/validation; do
    same "$T/k/$f" "$T/m/$f" "the same $f"
done
is "$(steady "$T/k")" "$(steady "$T/m")" "the same metrics"
is "$(stat -c %i "$T/k/data/corpus")" "$(stat -c %i "$T/p/corpus")" "its corpus is a link"
exits 64 "both text and prepared data" train "$T/none" -d "$T/p" -s "$T/train.src" -t "$T/train.trg"
exits 64 "neither" train "$T/none"
exits 64 "only one side" train "$T/none" -s "$T/train.src"
exits 64 "vocabularies besides prepared data" train "$T/none" -d "$T/p" --source-vocab "$T/v"
exits 78 "another length" train "$T/none" -d "$T/p" --max-seq-len 10
like "$(cat "$T/err")" "was prepared with --max-seq-len 12:12, not 10:10" "is named"
exits 78 "another vocabulary" train "$T/none" -d "$T/p" --num-words 5
exits 78 "tying that needs a shared vocabulary" train "$T/none" -d "$T/p" --weight-tying --weight-tying-type src_trg
is "$(find "$T" -name none)" "" "nothing was written"
exits 0 "options that agree" train "$T/k" --prepared-data "$T/p" --max-seq-len 12 --word-min-count 1 --max-updates 12

exits 0 "a run of text goes on from prepared data" train "$T/m" -d "$T/p" --max-updates 17
exits 0 "a run of prepared data from text" text "$T/k" --max-updates 17
same "$T/k/params.00004" "$T/m/params.00004" "to the same parameters"
mv "$T/p" "$T/p.moved"
exits 0 "moved" train "$T/m" -d "$T/p.moved" --max-updates 22
exits 0 "gone" train "$T/k" -d "$T/p" --max-updates 22
like "$(cat "$T/err")" 'is not there: going on with the corpus' "it says so"
same "$T/k/params.00005" "$T/m/params.00005" "to the same parameters"
exits 0 "finished, and gone" train "$T/k" -d "$T/p" --max-updates 22
gzip -c "$T/train.trg" >"$T/moved.trg.gz"
exits 0 "prepared again from packed text" prepare "$T/p" -s "$T/moved.gz" -t "$T/moved.trg.gz"
exits 0 "is the same data" train "$T/k" -d "$T/p" --max-updates 27
exits 0 "and elsewhere" train "$T/m" -d "$T/p.moved" --max-updates 27
same "$T/k/params.00006" "$T/m/params.00006" "the same parameters"
exits 0 "other data" prepare "$T/q" --overwrite-output -t "$T/other.trg"
exits 78 "are refused" train "$T/k" -d "$T/q" --max-updates 32
like "$(cat "$T/err")" '--target: not the same content' "and named"
exits 0 "a shared vocabulary" prepare "$T/q" --overwrite-output --shared-vocab
exits 0 "is taken over" train "$T/w" -d "$T/q" --max-updates 3
exits 0 "with the option" train "$T/w" -d "$T/q" --max-updates 3 --shared-vocab
exits 0 "tying" train "$T/w2" -d "$T/q" --max-updates 3 --weight-tying --weight-tying-type src_trg_softmax
exits 0 "the same from text" text "$T/w3" --max-updates 3 --weight-tying --weight-tying-type src_trg_softmax
same "$T/w2/params.00001" "$T/w3/params.00001" "the same parameters"
exits 0 "which goes on" text "$T/w2" --max-updates 6 --weight-tying --weight-tying-type src_trg_softmax

if [ -n "${SAN:-}" ]; then
    skip "a preloaded library and sanitizers do not go together"
else
    . tests/faults.sh
    export FAULTS="$T/z"
    fresh() { rm -rf "$T/z"; }
    act() { train "$T/z" -d "$T/p" --max-updates 1 -q; }
    torn() { [ ! -e "$T/z/data/corpus" ] || cmp -s "$T/z/data/corpus" "$T/p/corpus" || echo corpus; }
    result() {
        (cd "$T/z" && cksum params.00001 data/corpus data/checksums config.json && find . -name '.*tmp' && steady .)
    }
    faults "training from it" 3
fi

# A block that is damaged is found when it is read; made again, training goes on.
flip "$T/p/corpus" $(($(wc -c <"$T/p/corpus") / 2))
exits 65 "a damaged block" train "$T/k" -d "$T/p" --max-updates 60
like "$(cat "$T/err")" 'a block does not have its checksum' "is found"
exits 0 "the data are made again" prepare "$T/p" -s "$T/moved.gz" -t "$T/moved.trg.gz"
exits 0 "and training goes on" train "$T/k" -d "$T/p" --max-updates 32
exits 0 "as it does" train "$T/m" -d "$T/p.moved" --max-updates 32
same "$T/k/params.00007" "$T/m/params.00007" "elsewhere"

# Another file system: no link, the folder is read.
if [ -n "${DISK:-}" ] && [ "$(stat -c %d "$DISK")" != "$(stat -c %d "$T")" ]; then
    exits 0 "on another file system" train "$DISK/m" -d "$T/p" --max-updates 12
    like "$(cat "$T/err")" 'is read from .*cannot be linked' "it says where it reads"
    is "$(find "$DISK/m/data" -name corpus)" "" "there is no corpus of its own"
    same "$DISK/m/params.00002" "$T/m/params.00002" "the same parameters"
    exits 66 "where it has to stay" train "$DISK/m" -d "$T/nowhere" --max-updates 17
    exits 0 "or be named" train "$DISK/m" -d "$T/p.moved" --max-updates 17
    exits 0 "from text it gets a corpus" text "$DISK/m" --max-updates 22
    exits 0 "and does without the folder" train "$DISK/m" -d "$T/nowhere" --max-updates 27
    same "$DISK/m/params.00005" "$T/m/params.00005" "the same parameters"
else
    skip "there is only one file system"
fi
done_testing
