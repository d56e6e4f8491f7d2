#!/bin/sh
# make bench: its text is the same at every call, its scripts are sound, and what
# they are asked for is there.
. "$(dirname "$0")/tap.sh"

for f in tests/bench/run tests/bench/*.py; do
    ok "$f is Python" python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$f"
done
exits 64 "a part that is not there" tests/bench/run train nonsense
like "$(cat "$T/err")" "no part nonsense; parts are train, base, rnn, translate" "is named, with those that are"
exits 0 "help" tests/bench/run --help
like "$(cat "$T/out")" "--results" "names the options"

mkdir "$T/a"
ok "text is generated" python3 tests/bench/text.py pairs "$T/a"
is "$(wc -l <"$T/a/train.src" | tr -d ' ') $(wc -l <"$T/a/train.trg" | tr -d ' ') $(wc -l <"$T/a/test.src" | tr -d ' ')" \
    "29000 29000 1000" "as many pairs as promised"
is "$(awk '{ n += NF } END { print n }' "$T/a/test.src")" "$(awk '{ n += NF } END { print n }' "$T/a/test.trg")" \
    "a word for each word"
ok "lines" python3 tests/bench/text.py lines 500 "$T/lines"
ok "again" python3 tests/bench/text.py lines 500 "$T/again"
same "$T/again" "$T/lines" "are the same"
is "$(wc -l <"$T/lines" | tr -d ' ') $(wc -w <"$T/lines" | tr -d ' ')" "500 6500" "of 13 words"
ok "translations to score" python3 tests/bench/text.py noise "$T/lines" "$T/noise"
is "$(wc -l <"$T/noise" | tr -d ' ')" 500 "have as many lines"
ok "and are others" sh -c "! cmp -s '$T/noise' '$T/lines'"
done_testing
