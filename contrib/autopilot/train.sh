# train.sh - training by sk-train, and the average of its checkpoints.
# shellcheck shell=sh disable=SC2034,SC2154

# options NAME KIND: of the file models, one a line.
options() { awk -v name="$1" -v kind="$2" '$1 == name && $2 == kind { for (i = 3; i <= NF; i++) print $i }' "$here/models"; }

# Shows the checkpoints that `metrics` tells of and that were not shown yet;
# logs/seen has the number of the last one with a perplexity, and with BLEU.
news() {
    [ -e "$model_dir/metrics" ] || return 0
    # Where training ended between two checkpoints, the last one has fewer updates.
    awk -v frequency="$frequency" -v seen="$system/logs/seen" \
        -v updates="$(sed -n "s/^updates$tab//p" "$model_dir/progress" 2>/dev/null)" '
        function value(name) { return match($0, "\t" name "=[^\t]*") ? \
            substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 2) : "" }
        BEGIN { getline line <seen; close(seen); split(line, last, " ") }
        $1 > last[1] + 0 && value("perplexity-val") != "" {
            last[1] = $1
            u = $1 * frequency
            if (updates != "" && u > updates + 0) u = updates
            printf "   checkpoint %3d  update %7d  %6d s  validation perplexity %8.2f\n", $1, u,
                value("time-elapsed"), value("perplexity-val")
        }
        $1 > last[2] + 0 && value("bleu-val") != "" {
            last[2] = $1
            printf "   checkpoint %3d  BLEU of pieces %39.2f\n", $1, 100 * value("bleu-val")
        }
        END { print last[1] + 0, last[2] + 0 >seen }' "$model_dir/metrics"
}
# On a terminal also how far it is.
watch_training() {
    while kill -0 $$ 2>/dev/null; do
        sleep 1
        [ ! -t 2 ] || printf '\r\033[K' >&2
        news >&2
        [ ! -t 2 ] || [ ! -e "$model_dir/progress" ] || awk -F '\t' '
            { v[$1] = $2 }
            END { printf "   update %d, epoch %d, %d s%s", v["updates"], v["epoch"], v["time-elapsed"],
                (v["time-elapsed"] > 0 ? sprintf(", %.1f updates a second", v["updates"] / v["time-elapsed"]) : "") }' \
            "$model_dir/progress" >&2
    done
}
# The words of all options of the training, one a line.
training_options() {
    options "$model" train
    [ -z "$test_mode" ] || options "$model" test
    [ -z "$extra" ] || printf '%s\n' "$extra"
    if [ "$gpus" -eq 0 ]; then echo --use-cpu; else printf '%s\n' --device-ids "-$gpus"; fi
}

# sk-train knows by itself whether it is to begin, to go on, or has nothing to do.
step_train() {
    title "Training $model: $system/$model_dir"
    IFS='
'
    # shellcheck disable=SC2046
    set -- sk-train --source data/bpe/train.src --target data/bpe/train.trg \
        --validation-source data/bpe/dev.src --validation-target data/bpe/dev.trg \
        --output "$model_dir" $(training_options) --quiet
    unset IFS
    frequency=$(training_options | awk '/^--checkpoint-(frequency|interval)$/ { getline; n = $1 } END { print n ? n : 4000 }')
    tell "$@"
    [ -e "$model_dir/finished" ] || say "Ctrl-C stops it, the same command goes on; sk-status -f $system/$model_dir shows more"
    rm -f "$system/logs/seen"
    news >/dev/null
    watch_training 9>&- &
    watcher=$!
    status=0
    beside "$@" || status=$?
    rest
    news >&2
    [ $status -eq 0 ] || {
        died=$status
        say "sk-train ended with $status; its log is $system/$model_dir/log"
        exit $status
    }
}

step_average() {
    title "The mean of checkpoints translates better than any of them"
    [ -e "$model_dir/finished" ] || die 66 "$system/$model_dir is not trained yet: the step train does it"
    recipe="$(cat "$model_dir/finished") $(options "$model" average | tr '\n' ' ')"
    made "average.$model" "$model_dir/params.average" "$recipe" && return
    # shellcheck disable=SC2046  # words of our own table
    log sk-average "$model_dir" $(options "$model" average) --output "$model_dir/params.average" --quiet
    done_with "average.$model" "$recipe"
}
