# page.sh - results/MODEL.SETTINGS.html: what was trained, how it went, what came
# out; one file that needs nothing else.
# shellcheck shell=sh disable=SC2034,SC2154

# What is not of our own making goes through this.
escape() { tr -d '\000-\010\013-\037' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }
escaped() { printf '%s' "$*" | escape; }

# Of the best checkpoint, the last one, and the end.
of_metrics() { # CHECKPOINT NAME
    awk -v checkpoint="$1" -v name="$2" '$1 == checkpoint && match($0, "\t" name "=[^\t]*") {
        print substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 2) }' "$model_dir/metrics"
}
of_finished() { sed -n "s/^$1$tab//p" "$model_dir/finished"; }
duration() {
    awk -v s="$1" 'BEGIN {
        if (s < 90) printf "%d s", s + 0.5; else if (s < 5400) printf "%d min", s / 60 + 0.5
        else if (s < 172800) printf "%.1f hours", s / 3600; else printf "%.1f days", s / 86400 }'
}
thousands() { awk -v x="$1" 'BEGIN { x = sprintf("%d", x); while (x ~ /[0-9][0-9][0-9][0-9]/) sub(/[0-9][0-9][0-9]($|,)/, ",&", x); print x }'; }
millions() { awk -v x="$1" 'BEGIN { if (x < 1e6) printf "%d thousand", x / 1e3 + 0.5; else printf "%.1f million", x / 1e6 }'; }
# score_of TEST FORM METRIC
score_of() { awk -F '\t' -v form="$2" -v metric="$3" '$1 == form && $2 == metric { print $3 }' "$results/$model.$settings.$1.scores"; }
rounded() { [ -z "$1" ] || awk -v x="$1" -v digits="$2" 'BEGIN { printf "%.*f", digits, x }'; }
number_in() { # VALUE LABEL
    [ -z "$1" ] || printf '<li><b>%s</b>%s</li>\n' "$(escaped "$1")" "$2"
}

head_of_page() {
    cat <<EOF
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>$(escaped "$system_name: $source_language to $target_language, $model")</title>
<style>
$(cat "$here/page.css")
</style>
</head>
<body>
<header>
<h1>$(escaped "$source_language") <span>→</span> $(escaped "$target_language")</h1>
<p>$(escaped "$system_name: $(of_task 7)"). Model <b>$model</b>$([ -z "$test_mode" ] || echo ', in test mode: it has learned nothing'),
$([ -z "$parameters" ] || echo "$(millions "$parameters") parameters, ")trained on $(thousands "$train_pairs") pairs.</p>
</header>
<ul class="figures">
EOF
    number_in "$(rounded "$(score_of "$first" $main_form BLEU)" 1)" "BLEU of $first"
    number_in "$(rounded "$(score_of "$first" $main_form chrF2)" 1)" chrF2
    number_in "$(rounded "$(score_of "$first" $main_form TER)" 1)" "TER, less is better"
    number_in "$(rounded "$(of_metrics "$best" perplexity-val)" 2)" "validation perplexity"
    number_in "$(thousands "$(of_finished updates)")" updates
    number_in "$(duration "$(of_metrics "$last" time-elapsed)")" "of training"
    echo '</ul>'
}
chart() { # OPTION...
    awk -v frequency="$frequency" -v last="$last" -v updates="$(of_finished updates)" "$@" -f "$here/chart.awk" "$model_dir/metrics"
}
curves() {
    # Apart, so that one that fails ends us.
    perplexity=$(chart -v name=perplexity-val -v second=perplexity-train -v log_scale=1 -v least=1)
    bleu=$(chart -v name=bleu-val -v factor=100)
    case $(of_finished reason) in
    converged) why="because the validation perplexity no longer improved" ;;
    diverged) why="because the validation perplexity diverged" ;;
    *) why="at the limit in $(of_finished reason)" ;;
    esac
    cat <<EOF
<h2>How training went</h2>
<p class="note">$last checkpoints; the best one is number $best. Training ended $(escaped "$why").
Below the updates stands the time. Translations are by the mean of the best checkpoints.</p>
<div class="charts">
<figure><figcaption><b>Perplexity</b><i></i>validation<i class="second"></i>training</figcaption>
$perplexity
</figure>
<figure><figcaption><b>BLEU</b> of the validation text, in pieces</figcaption>
$bleu
</figure>
</div>
EOF
}
examples() { # TEST
    out=$results/$model.$settings.$1
    case $type in
    raw) set -- "$1" "$out.detok" "$text/$1.src" "$text/$1.trg" ;;
    tok) set -- "$1" "$out.tok" "$text/$1.src" "$text/$1.trg" ;;
    bpe)
        join "$text/$1.src" "$results/$1.tok.src"
        set -- "$1" "$out.tok" "$results/$1.tok.src" "$results/$1.tok.trg"
        ;;
    esac
    sk-bleu-eval --hypotheses "$2" --references "$4" --sentence --metrics chrf >"$out.lines.part" 2>/dev/null
    paste "$out.lines.part" "$3" "$2" "$4" | LC_ALL=C sort -t "$tab" -k 1,1gr -s >"$out.sorted.part"
    cat <<EOF
<h2>Translations of $(escaped "$1")</h2>
<p class="note">Twelve of $(thousands "$(lines "$out.sorted.part")") sentences, from the best to the worst in equal steps by chrF.
Words that the reference does not have are underlined.</p>
EOF
    LC_ALL=C awk -v count=12 -v lines="$(lines "$out.sorted.part")" -v source="$source_language" -v target="$target_language" \
        -f "$here/examples.awk" "$out.sorted.part"
    rm -f "$out.lines.part" "$out.sorted.part"
}
scores_table() {
    cat <<EOF
<h2>Scores</h2>
<div class="wide"><table><tr><th>test set</th><th>counted in</th><th>BLEU</th><th>chrF2</th><th>TER</th></tr>
EOF
    each_test scores_rows
    echo '</table></div>'
    [ "$type" != raw ] || echo '<p class="note">text: as sacreBLEU counts, with its tokeniser 13a; words: of the international tokeniser
of mteval-v14; pieces: subwords, against the reference cut into subwords.</p>'
    [ "$type" = raw ] || echo '<p class="note">words: as the text has them; pieces: subwords, against the reference cut into subwords.</p>'
}
scores_rows() { # TEST
    for form in detok tok bpe; do
        [ -n "$(score_of "$1" $form BLEU)" ] || continue
        case $form in detok) in=text ;; tok) in=words ;; bpe) in=pieces ;; esac
        printf '<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n' "$(escaped "$1")" $in \
            "$(score_of "$1" $form BLEU)" "$(score_of "$1" $form chrF2)" "$(score_of "$1" $form TER)"
    done
}
text_table() {
    cat <<EOF
<h2>Text</h2>
<div class="wide"><table><tr><th>set</th><th>pairs</th><th>words of $(escaped "$source_language")</th><th>words of $(escaped "$target_language")</th></tr>
EOF
    while IFS=$tab read -r set pairs source_words target_words; do
        printf '<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n' "$(escaped "$set")" "$(thousands "$pairs")" \
            "$(thousands "$source_words")" "$(thousands "$target_words")"
    done <"$text/counts"
    echo '</table></div>'
}
go_on() {
    pieces="spm_encode --model=$codes/pieces.model | " words=" | spm_decode --model=$codes/pieces.model"
    [ "$type" != bpe ] || pieces='' words=" | sed 's/@@ //g; s/@@\$//'"
    # Variables of the reader's shell, not of ours.
    cat <<EOF
<h2>Going on</h2>
<p>Translate lines of your own:</p>
<pre>cd $(escaped "$(quote "$system")")
$(escaped "$pieces")sk-translate -m $model_dir -c $model_dir/params.average$([ "$gpus" -ne 0 ] || echo ' --use-cpu')$(escaped "$words")</pre>
<details><summary>Options of the training</summary>
<pre>$(escape <"$model_dir/args" | awk -F '\t' '{ printf "%-44s %s\n", $1, $2 }')</pre></details>
<details><summary>All commands</summary>
<pre>cd $(escaped "$(quote "$system")")
$(escape <"$system/commands")</pre></details>
<footer>$(escaped "$(sk-train --version | sed -n '1s/^sk-train/sk/p')"), $(date '+%Y-%m-%d %H:%M')</footer>
</body>
</html>
EOF
}
step_page() {
    page=$results/$model.$settings.html
    first=$(each_test echo | head -n 1)
    [ -e "$results/$model.$settings.$first.scores" ] || die 66 "there are no scores of $first yet: the step score makes them"
    source_language=$(of_task 3) target_language=$(of_task 4)
    train_pairs=$(awk -F '\t' '$1 == "train" { print $2 }' "$text/counts")
    frequency=$(sed -n "s/^checkpoint-frequency$tab//p" "$model_dir/args")
    parameters=$(sed -n 's/.*Total # of parameters: \([0-9]*\).*/\1/p' "$model_dir/log" | tail -n 1)
    best=$(of_finished best) last=$(of_finished checkpoint)
    main_form=tok
    [ "$type" != raw ] || main_form=detok
    {
        head_of_page
        curves
        each_test examples
        scores_table
        text_table
        go_on
    } >"$page.part"
    mv "$page.part" "$page"
    title "The page: $system/$page"
}
