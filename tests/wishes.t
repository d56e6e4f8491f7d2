#!/bin/sh
# What can be asked of a translation besides: prefixes, phrases that must or must not
# be in it, samples; alone and in company.
# sanitized
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/toy.sh"

command -v python3 >/dev/null || skip_all "python3 is not installed"
toy_model 6
m=$T/model
ask() { translate --json-input --output-type json "$@"; }

# ask.py KIND [N] makes JSON of lines of source, TAB, translation; check.py looks at what came.
cat >"$T/ask.py" <<'END'
import json, random, sys
kind, r = sys.argv[1], random.Random(3)
words = ["b%d" % i for i in range(8)] + ["c3"]
for line in sys.stdin:
    source, found = line.rstrip("\n").split("\t")
    o, found = {"text": source}, found.split()
    if kind == "prefix": o["target_prefix"] = " ".join(found[:r.randrange(len(found) + 1)])
    if kind == "other": o["target_prefix"] = " ".join(r.sample(words, r.randrange(1, 4)))
    if kind == "whole": o["constraints"] = ["<s> " + " ".join(found) + " </s>"]
    if kind == "strange": o["constraints"] = [" ".join(r.sample(words, 3)) + " </s>", "<s> " + r.choice(words)]
    if kind == "absent": o["avoid"] = [w for w in words if w not in found] + [a + " " + b for a in words for b in words
                                      if " %s %s " % (a, b) not in " " + " ".join(found) + " "]
    if kind in ("avoid", "all"):
        k = r.randrange(len(found)) if found else 0
        o["avoid"] = [" ".join(found[k:k + r.randrange(1, 3)]), r.choice(words) + " </s>", "<s> " + r.choice(words)]
    if kind in ("constraints", "all"):
        o["constraints"] = [" ".join(r.choice(words) for i in range(r.randrange(1, 4))) for k in range(r.randrange(4))]
    if kind == "mixed": o.update([{}, {"avoid": [found[0]]}, {"constraints": ["c3 b1", "b0"]}, {"target_prefix": "b7"}][r.randrange(4)])
    print(json.dumps(o))
END
cat >"$T/check.py" <<'END'
import json, sys
asked, got = open(sys.argv[1]), open(sys.argv[2])
unmet = n = 0
for number, (a, g) in enumerate(zip(asked, got), 1):
    a, g = json.loads(a), json.loads(g)
    text = " <s> " + g["translation"].replace("  ", " ") + " </s> "
    n += 1
    if "error" in g: print(number, g["error"])
    missing = [c for c in a.get("constraints", []) if " %s " % c not in text]
    if sorted(set(missing)) != sorted(set(g.get("unmet_constraints", []))): print(number, "lacks", missing, g)
    unmet += len(missing)
    for p in a.get("avoid", []):
        if p and p not in a.get("constraints", []) and " %s " % p in text: print(number, "has", p, g)
    if not (text + " ").startswith((" <s> " + a.get("target_prefix", "")).rstrip() + " "): print(number, "begins otherwise")
print("unmet", unmet, "of", n)
END

head -n 60 "$T/src" >"$T/in"
translate -b 1 <"$T/in" >"$T/greedy"
translate -b 1 --output-type score <"$T/in" >"$T/greedy.score"
translate <"$T/in" >"$T/best"
paste "$T/in" "$T/greedy" >"$T/greedy.pairs"
paste "$T/in" "$T/best" >"$T/best.pairs"
pick() { python3 -c 'import json, sys
for line in sys.stdin: print(json.loads(line)[sys.argv[1]])' "$1"; }

# --- what the search would do anyway changes nothing -------------------------------------
for kind in prefix absent; do
    python3 "$T/ask.py" $kind <"$T/greedy.pairs" >"$T/asked"
    ask -b 1 <"$T/asked" >"$T/got"
    pick translation <"$T/got" >"$T/other"
    same "$T/other" "$T/greedy" "greedy: what it says anyway as $kind"
    translate -b 1 --json-input --output-type score <"$T/asked" >"$T/other"
    same "$T/other" "$T/greedy.score" "with the same scores"
done
python3 "$T/ask.py" whole <"$T/greedy.pairs" >"$T/asked"
for b in 1 4; do
    ask -b $b <"$T/asked" >"$T/got"
    pick translation <"$T/got" >"$T/other"
    same "$T/other" "$T/greedy" "beam $b: a whole translation that is required"
    translate -b $b --json-input --output-type score <"$T/asked" >"$T/other"
    same "$T/other" "$T/greedy.score" "has its score"
done

# --- what it would not -----------------------------------------------------------------
for kind in other avoid constraints all; do
    python3 "$T/ask.py" $kind <"$T/best.pairs" >"$T/asked"
    for b in 1 5; do
        ask -b $b <"$T/asked" >"$T/got"
        like "$(python3 "$T/check.py" "$T/asked" "$T/got" | tr '\n' '|')" '^unmet [0-9]+ of 60\|$' \
            "beam $b, $kind: each translation has what it must and has not what it must not"
    done
    is "$(wc -l <"$T/got" | tr -d ' ')" 60 "a line for each"
done
python3 "$T/ask.py" constraints <"$T/best.pairs" >"$T/asked"
ask <"$T/asked" >"$T/got"
is "$(python3 "$T/check.py" "$T/asked" "$T/got")" "unmet 0 of 60" "nothing is unmet where it can be met"
python3 "$T/ask.py" strange <"$T/best.pairs" >"$T/asked"
for b in 2 5 20; do
    ask -b $b <"$T/asked" >"$T/got"
    is "$(python3 "$T/check.py" "$T/asked" "$T/got")" "unmet 0 of 60" "beam $b: nor improbable ends"
done
python3 "$T/ask.py" other <"$T/best.pairs" >"$T/asked"
translate --json-input <"$T/asked" >"$T/with"
sed 's/}$/, "keep_target_prefix": false}/' "$T/asked" >"$T/dropped.asked"
translate --json-input <"$T/dropped.asked" >"$T/got"
paste "$T/asked" "$T/got" | python3 -c 'import json, sys
for line in sys.stdin:
    a, g = line.rstrip("\n").split("\t")
    print((json.loads(a)["target_prefix"] + " " + g).strip())' >"$T/other"
same "$T/other" "$T/with" "keep_target_prefix: false leaves the prefix out"

# A beam that loses nothing: never a better score for asking.
translate -b 60 --output-type score <"$T/in" >"$T/free"
python3 "$T/ask.py" all <"$T/best.pairs" | ask -b 60 | pick score >"$T/bound"
is "$(paste "$T/free" "$T/bound" | awk '$2 + 0.002 < $1' | wc -l | tr -d ' ')" 0 "asking never makes a better score"

# --- alone and in company -----------------------------------------------------------------
python3 "$T/ask.py" mixed <"$T/best.pairs" >"$T/asked"
ask --nbest-size 3 <"$T/asked" >"$T/want"
for how in "--batch-size 1" "--chunk-size 1" "--batch-size 7 --chunk-size 11" "--threads 2 --batch-size 5"; do
    # shellcheck disable=SC2086  # several options
    ask --nbest-size 3 $how <"$T/asked" >"$T/other"
    same "$T/other" "$T/want" "the same bytes with $how"
done
sed 's/"score[^]]*\]//; s/"score": [^,]*, //' "$T/want" | grep -c translation >"$T/count"
sed -n 's/^{"text": "\([^"]*\)"}$/\1/p' "$T/asked" >"$T/plain.in"
ok "some ask for nothing" test "$(wc -l <"$T/plain.in")" -gt 5
translate <"$T/plain.in" >"$T/plain"
paste -d '\t' "$T/asked" "$T/want" | python3 -c 'import json, sys
for line in sys.stdin:
    a, g = line.split("\t")
    if len(json.loads(a)) == 1: print(json.loads(g)["translation"])' >"$T/other"
same "$T/other" "$T/plain" "those are translated as without JSON"

# --- long lines ------------------------------------------------------------------------------
long="a1 a2 a3 a4 a5 a6 a7 a0 a1 a2 a3 a4 a5"
echo "{\"text\": \"$long\", \"target_prefix\": \"c3 c3 c3\", \"avoid\": [\"b2\"], \"constraints\": [\"b0 b0\"]}" >"$T/asked"
ask --max-input-len 6 <"$T/asked" | pick translation >"$T/got"
is "$(grep -o 'c3 c3 c3' "$T/got" | wc -l | tr -d ' ') $(grep -c b2 "$T/got") $(grep -o 'b0 b0' "$T/got" | wc -l | tr -d ' ')" "3 0 1" \
    "all pieces have the prefix, none the phrase to avoid, the first one the required phrase"
sed 's/}$/, "use_target_prefix_all_chunks": false}/' "$T/asked" | ask --max-input-len 6 | pick translation >"$T/got"
like "$(cat "$T/got")" "^c3 c3 c3 " "use_target_prefix_all_chunks: false: only the first begins so"
ok "the others need not" test "$(grep -o 'c3 c3 c3' "$T/got" | wc -l)" -lt 3

# --- what cannot be ------------------------------------------------------------------------
cat >"$T/asked" <<'END'
{"text": "a1 a2", "constraints": ["b4 b5"], "avoid": ["b5"]}
{"text": "a1 a2", "constraints": ["b1"], "avoid": ["b1"]}
{"text": "", "constraints": ["b1"]}
{"text": "a1 a2", "constraints": ["b1 nowhere"]}
{"text": "a1 a2", "constraints": ["b1 </s> b2"]}
{"text": "a1 a2", "constraints": "b1"}
{"text": "a1 a2", "avoid": [["b1"]]}
{"text": "a1 a2", "avoid": ["b1 <s>"]}
{"text": "a1 a2", "target_prefix": ["b1"]}
{"text": "a1 a2", "target_prefix": "b1 </s>"}
{"text": "a1 a2", "target_prefix": "b1", "keep_target_prefix": 0}
{"text": "a1 a2", "target_prefix": "b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1 b1"}
{"text": "a1 a2", "source_prefix": "a1"}
{"text": "a1 a2", "constraints": ["", " "], "avoid": ["nowhere b1"], "target_prefix": "", "id": 3}
END
ask <"$T/asked" >"$T/got"
like "$(sed -n 1p "$T/got")" '"unmet_constraints": \["b4 b5"\]' "what cannot be met is named"
like "$(cat "$T/err")" "warning: .*input line 1 is translated without 'b4 b5'" "with a warning"
like "$(cat "$T/err")" "warning: .*2 of 14 lines do not have all their required phrases" "and a count"
ok "the rest of the translation is there" sh -c "sed -n 1p '$T/got' | grep -q '\"translation\": \"[^\"]'"
like "$(sed -n 2p "$T/got")" '"translation": "[^"]*b1' "a phrase that is required need not be avoided"
is "$(sed -n 3p "$T/got")" '{"score": null, "sentence_id": 3, "translation": "", "unmet_constraints": ["b1"]}' "nothing has no phrases"
like "$(sed -n 4p "$T/got")" "error.*'nowhere' is not in the target vocabulary" "unknown words cannot be required"
is "$(grep -c '"error": ' "$T/got")" 10 "what is asked for in a wrong way is an error of that line"
is "$(sed -n '4,13p' "$T/got" | grep -c '"error": ')" 10 "of each of them"
is "$(sed -n 14p "$T/got" | sed 's/"score": [^,]*, //')" "{\"id\": 3, \"sentence_id\": 14, \"translation\": \"$(printf 'a1 a2\n' | translate)\"}" \
    "empty wishes are none"

# --- a list for all --------------------------------------------------------------------------
printf 'b1\n\nb2 b2\nnowhere b3\nb4 </s>\n' | gzip >"$T/avoid.gz"
translate --avoid-list "$T/avoid.gz" <"$T/in" >"$T/got"
ok "many of them" test "$(grep -cE 'b1|b2 b2|b4$' "$T/best")" -gt 10
is "$(grep -cE 'b1|b2 b2|b4$' "$T/got")" 0 "with --avoid-list none has"
ok "b3 may be there" grep -q b3 "$T/got"
for how in "--batch-size 1" "--threads 2 --batch-size 5"; do
    # shellcheck disable=SC2086  # several options
    translate --avoid-list "$T/avoid.gz" $how <"$T/in" >"$T/other"
    same "$T/other" "$T/got" "the same with $how"
done
: >"$T/none"
translate --avoid-list "$T/none" <"$T/in" >"$T/other"
same "$T/other" "$T/best" "an empty list is none"
printf 'b1\nb1 <s> b2\n' >"$T/bad"
exits 65 "a list with what is no phrase" "$BIN/sk-translate" -m "$m" --use-cpu --avoid-list "$T/bad" </dev/null
like "$(cat "$T/err")" "$T/bad: line 2: 'b1 <s> b2' is no phrase" "file, line and phrase are named"
exits 66 "no such list" "$BIN/sk-translate" -m "$m" --use-cpu --avoid-list "$T/absent" </dev/null

# --- samples --------------------------------------------------------------------------------------
translate --sample --seed 3 --nbest-size 3 <"$T/in" >"$T/samples"
for how in "--batch-size 1" "--chunk-size 1" "--threads 2 --batch-size 5"; do
    # shellcheck disable=SC2086  # several options
    translate --sample --seed 3 --nbest-size 3 $how <"$T/in" >"$T/other"
    same "$T/other" "$T/samples" "samples: the same bytes with $how"
done
awk 'NR != 30' "$T/in" | sed '29a\
a0' | translate --sample --seed 3 --nbest-size 3 | sed 30d >"$T/other"
sed 30d "$T/samples" >"$T/want"
same "$T/other" "$T/want" "whatever another line is"
translate --sample --seed 4 --nbest-size 3 <"$T/in" >"$T/other"
ok "another seed draws others" sh -c "! cmp -s '$T/other' '$T/samples'"
is "$(translate --sample 0 --seed 3 --nbest-size 3 <"$T/in" | cksum)" "$(cksum <"$T/samples")" "--sample 0 is --sample"
for how in "" "--sample 1"; do
    # shellcheck disable=SC2086  # several options
    translate $how -b 1 --length-penalty-alpha 0 --output-type translation_with_score <"$T/in" >"$T/one$how"
done
same "$T/one--sample 1" "$T/one" "the one best word drawn is greedy search by probability, with its scores"
translate --sample -b 1 <"$T/in" >"$T/one"
translate --sample -b 1 --output-type score <"$T/in" >"$T/one.score"
"$BIN/sk-score" -m "$m" --use-cpu -s "$T/in" -t "$T/one" >"$T/other" 2>"$T/err"
is "$(paste "$T/one.score" "$T/other" | awk '{ d = $1 - $2; if (d > 0.0011 || d < -0.0011) print }')" "" "a sample's score is what sk-score says"
ok "lines with the same text differ" test "$(sed -n '1p;1p;1p;1p;1p;1p;1p;1p' "$T/in" | translate --sample -b 1 | sort -u | wc -l)" -gt 1
python3 "$T/ask.py" avoid <"$T/best.pairs" >"$T/asked"
ask --sample -b 2 <"$T/asked" >"$T/got"
is "$(python3 "$T/check.py" "$T/asked" "$T/got")" "unmet 0 of 60" "samples avoid phrases"
python3 "$T/ask.py" other <"$T/best.pairs" >"$T/asked"
ask --sample 4 <"$T/asked" >"$T/got"
is "$(python3 "$T/check.py" "$T/asked" "$T/got")" "unmet 0 of 60" "they follow prefixes"
echo '{"text": "a1 a2", "constraints": ["b4"]}' | ask --sample >"$T/got"
like "$(cat "$T/got")" '"error": ".*--sample' "phrases cannot be required of them"
exits 64 "a bad number" "$BIN/sk-translate" -m "$m" --sample x </dev/null

done_testing
