#!/bin/sh
# Scores of sk-bleu-eval are those of sacreBLEU 2.6.0 and of Sockeye 1.18, on
# text that tokenisers find difficult. SK_SACREBLEU names a Python that has
# sacreBLEU, if python3 does not.
# sanitized
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

report() {
    while read -r good text; do
        is "$good" 1 "$text"
    done <"$1"
}
ok "stored numbers are compared" sh -c "tests/scores.py check '$BIN/sk-bleu-eval' tests/data/scores.json '$T/stored' >'$T/checks'"
report "$T/checks"
ok "all of them" test "$(wc -l <"$T/checks")" -ge 200

# How many lines, and how many texts.
lines=15
seeds=1
[ -z "${SK_LONG-}" ] || { lines=300; seeds="1 2 3 4 5 6 7 8 9 10"; }
for seed in $seeds; do
    status=0
    "${SK_SACREBLEU:-python3}" tests/scores.py live "$BIN/sk-bleu-eval" "$T/live" "$lines" "$seed" >"$T/checks" 2>"$T/err" ||
        status=$?
    if [ "$status" -eq 77 ]; then
        skip "python3 has no sacrebleu 2.6.0: pip install sacrebleu==2.6.0"
        break
    fi
    if [ "$status" -eq 0 ]; then
        pass "scores of new text are compared ($seed)"
    else
        fail "scores of new text are compared ($seed)" "exit status $status" "$(tail -n 5 "$T/err")"
    fi
    report "$T/checks"
    ok "all of them" test "$(wc -l <"$T/checks")" -ge 190
done
done_testing
