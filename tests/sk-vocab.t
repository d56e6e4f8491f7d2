#!/bin/sh
# sk-vocab: each option, what it reads, ties, threads, errors. What Sockeye
# makes of the same text is checked by text_test.c (data/vocab.json).
# sanitized
. "$(dirname "$0")/tap.sh"

vocab() { "$BIN/sk-vocab" "$@"; }
# Entries in the order of their ids, on one line; "bad" if ids are not 0, 1, 2...
words() {
    sed -n 's/^    "\(.*\)": \([0-9]*\),\{0,1\}$/\2 \1/p' "$1" |
        awk '{ if ($1 != NR - 1) bad = 1; sub(/^[0-9]+ /, ""); printf "%s ", $0 } END { if (bad) print "bad" }'
}
special='<pad> <unk> <s> </s>'

# --- order ---------------------------------------------------------------------
printf 'b a a c\nc b <unk> <s> a </s> <pad>\n' >"$T/one"
printf 'd d d d\nc\n' >"$T/two"
exits 0 "one file" vocab -i "$T/one" -o "$T/v"
is "$(words "$T/v")" "$special a c b " "most frequent first, ties in reverse order, special symbols not counted"
like "$(cat "$T/err")" '^Vocabulary: types: 3/3/3/7 \(initial/min_pruned/max_pruned/\+special\)' "the sizes are said"
is "$(cat "$T/out")" "" "nothing on stdout"
is "$(tail -c 2 "$T/v" | od -An -c | tr -d ' ')" '\n}' "no newline at the end"
printf 'é z Z a A 0 猫 𝄞 zz zzzzzzzz zzzzzzzzy zzzzzzzzx zzzzzzzzxxxxxxxxy zzzzzzzzxxxxxxxxx\n' >"$T/ties"
exits 0 "words that occur equally often" vocab -i "$T/ties" -o "$T/v"
is "$(words "$T/v")" "$special 𝄞 猫 é zzzzzzzzy zzzzzzzzxxxxxxxxy zzzzzzzzxxxxxxxxx zzzzzzzzx zzzzzzzz zz z a Z A 0 " \
    "stand in reverse order of code points"

# --- inputs ----------------------------------------------------------------------
exits 0 "--inputs, --output" vocab --inputs "$T/one" "$T/two" --output "$T/both"
is "$(words "$T/both")" "$special d c a b " "several files are counted together"
gzip -c "$T/two" >"$T/two.gz"
cp "$T/two.gz" "$T/packed"
exits 0 "gzip, by suffix and by content" vocab -i "$T/one" "$T/two.gz" -o "$T/v"
same "$T/v" "$T/both" "is read as text"
exits 0 "without the suffix" vocab -i "$T/packed" "$T/one" -o "$T/v"
same "$T/v" "$T/both" "as well"
cat "$T/one" "$T/two" | vocab -i - -o - >"$T/v" 2>"$T/err"
same "$T/v" "$T/both" "standard input to standard output"
gzip -c "$T/one" | vocab -i "$T/two" - -o - >"$T/v" 2>"$T/err"
same "$T/v" "$T/both" "a file and packed standard input"
printf '\357\273\277b a a c\r\nc b a\r\n' >"$T/dos"
exits 0 "a BOM and carriage returns" vocab -i "$T/dos" -o "$T/v"
is "$(words "$T/v")" "$special a c b " "are no words"
is "$(grep -c warning "$T/err")" 2 "one warning each"
printf 'a\302\240b\343\200\200c\342\200\250d\034e\tf' >"$T/blanks"
exits 0 "white space of Unicode" vocab -i "$T/blanks" -o "$T/v"
is "$(words "$T/v")" "$special f e d c b a " "separates words"
: >"$T/empty"
exits 0 "an empty file among others" vocab -i "$T/empty" "$T/one" "$T/two" -o "$T/v"
same "$T/v" "$T/both" "adds nothing"

# --- limits -------------------------------------------------------------------------
exits 0 "--num-words" vocab -i "$T/one" "$T/two" -o "$T/v" --num-words 2
is "$(words "$T/v")" "$special d c " "the most frequent ones"
exits 0 "--num-words 0" vocab -i "$T/one" "$T/two" -o "$T/v" --num-words 0
same "$T/v" "$T/both" "is no limit"
exits 0 "--word-min-count" vocab -i "$T/one" "$T/two" -o "$T/v" --word-min-count 3
is "$(words "$T/v")" "$special d c a " "no rarer ones"
exits 0 "--pad-vocab-to-multiple-of" vocab -i "$T/one" "$T/two" -o "$T/v" --pad-vocab-to-multiple-of 5 --num-words 3
is "$(words "$T/v")" "$special d c a <pad7> <pad8> <pad9> " "filled up"
exits 0 "a multiple already" vocab -i "$T/one" "$T/two" -o "$T/v" --pad-vocab-to-multiple-of 8
same "$T/v" "$T/both" "gets nothing"
exits 64 "one vocabulary has one --num-words" vocab -i "$T/one" -o "$T/v" --num-words 5:6
exits 64 "and one --word-min-count" vocab -i "$T/one" -o "$T/v" --word-min-count 1:2
exits 0 "equal halves" vocab -i "$T/one" "$T/two" -o "$T/v" --num-words 4:4 --word-min-count 1:1
same "$T/v" "$T/both" "are one value"

# --- invalid text, --quiet --------------------------------------------------------------
printf 'a b\nb \377c\n' >"$T/bad"
cp "$T/both" "$T/v"
exits 65 "invalid UTF-8" vocab -i "$T/one" "$T/bad" -o "$T/v"
like "$(cat "$T/err")" 'bad:2: invalid UTF-8 at byte 3' "file, line and byte are named"
same "$T/v" "$T/both" "the old file stays"
exits 0 "--replace-invalid" vocab -i "$T/bad" -o "$T/v" --replace-invalid
is "$(words "$T/v")" "$special b �c a " "U+FFFD stands for it"
like "$(cat "$T/err")" 'warning: .*bad:2: invalid UTF-8' "with a warning"
exits 0 "--quiet" vocab -i "$T/bad" -o "$T/v" --replace-invalid --quiet
is "$(cat "$T/err")" "" "says nothing"
exits 0 "-q" vocab -i "$T/one" -o "$T/v" -q
is "$(cat "$T/err")" "" "likewise"

# --- errors ---------------------------------------------------------------------------------
rm -f "$T/v"
exits 64 "no input" vocab -o "$T/v"
exits 64 "no output" vocab -i "$T/one"
exits 64 "no such threads" vocab -i "$T/one" -o "$T/v" --threads -1
exits 66 "a missing file" vocab -i "$T/one" "$T/missing" -o "$T/v"
like "$(cat "$T/err")" 'missing: No such file' "is named"
exits 66 "a folder to write to that is not there" vocab -i "$T/one" -o "$T/nowhere/v"
exits 66 "a folder as input" vocab -i "$T" -o "$T/v"
exits 65 "no words" vocab -i "$T/empty" -o "$T/v"
exits 65 "only special symbols" sh -c "echo '<s> <pad>' | '$BIN/sk-vocab' -i - -o '$T/v'"
exits 65 "all too rare" vocab -i "$T/one" -o "$T/v" --word-min-count 4
like "$(cat "$T/err")" 'word-min-count' "says why"
head -c 30 "$T/two.gz" >"$T/torn.gz"
exits 65 "a torn gzip file" vocab -i "$T/torn.gz" -o "$T/v"
like "$(cat "$T/err")" 'torn.gz: the gzip file is cut short' "is named"
exits 65 "text called .gz" sh -c "cp '$T/one' '$T/no.gz' && '$BIN/sk-vocab' -i '$T/no.gz' -o '$T/v'"
is "$(find "$T" -name v -o -name '*tmp')" "" "nothing was written"
exits 74 "a full disk" vocab -i "$T/one" -o /dev/full

# --- many words, --threads, bounded memory ------------------------------------------------------
# 300,000 different words in 60,000 lines, in an order that spreads them, and some frequent ones.
awk 'BEGIN { for (i = 0; i < 60000; i++) { s = "the ,"; for (j = 0; j < 6; j++) s = s " w" ((i * 6 + j) * 7919) % 300007; print s } }' \
    >"$T/many"
exits 0 "--threads 1" vocab -i "$T/many" -o "$T/v1" --threads 1
LC_ALL=C awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print n[w], w }' "$T/many" |
    LC_ALL=C sort -k1,1nr -k2,2r | cut -d ' ' -f 2 >"$T/want"
words "$T/v1" | tr ' ' '\n' | sed -e 1,4d -e '/^$/d' >"$T/got"
same "$T/got" "$T/want" "the words that sort finds, in that order"
for n in 2 5; do
    exits 0 "--threads $n" vocab -i "$T/many" -o "$T/v2" --threads $n
    same "$T/v1" "$T/v2" "gives the same"
done
gzip -1 -c "$T/many" >"$T/many.gz"
exits 0 "packed, by three threads" vocab -i "$T/many.gz" -o "$T/v2" --threads 3
same "$T/v1" "$T/v2" "gives the same"
awk 'NR == 40000 { printf "x\377\n"; next } NR == 50000 { printf "\376\n"; next } { print }' "$T/many" >"$T/bad"
exits 65 "the first of two errors" vocab -i "$T/bad" -o "$T/v2" --threads 3
like "$(cat "$T/err")" 'bad:40000: invalid UTF-8 at byte 2' "is reported by its line"

# --- progress ----------------------------------------------------------------------------------
if command -v python3 >/dev/null 2>&1; then
    python3 - "$BIN/sk-vocab" "$T/many" "$T/v2" >"$T/seen" <<'PY'
import os, pty, subprocess, sys, time
# stderr is a terminal; the text comes slowly
master, slave = pty.openpty()
p = subprocess.Popen([sys.argv[1], "-i", "-", "-o", sys.argv[3]], stdin=subprocess.PIPE, stderr=slave,
                     env=dict(os.environ, TERM="xterm"))
os.close(slave)
p.stdin.write(open(sys.argv[2], "rb").read())
p.stdin.flush()
time.sleep(0.4)
p.stdin.close()
seen = b""
while True:
    try:
        more = os.read(master, 65536)
    except OSError:
        break
    if not more:
        break
    seen += more
p.wait()
sys.stdout.write(seen.decode().replace("\r", "\n").replace("\033[K", "<erased>"))
PY
    like "$(cat "$T/seen")" '^counting words: 60000 lines, [0-9]+ lines/s \(standard input\)<erased>' \
        "on a terminal a live line"
    like "$(cat "$T/seen")" '^<erased>Vocabulary: types' "which gives way to messages"
else
    skip "python3 is not installed"
fi
done_testing
