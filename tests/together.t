#!/bin/sh
# Started at the same instant on one place: of trainers one trains, the others say
# who does; of programs that write one file each writes it whole.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then TMPDIR=/dev/shm; fi
. "$(dirname "$0")/tap.sh"

awk 'BEGIN { srand(7); for (i = 0; i < 60; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
head -n 6 "$T/text" >"$T/few"
# train OUT [OPTION...] : waits at the gate, for a line
cat >"$T/train" <<EOF
#!/bin/sh
read -r _ <"$T/gate"
exec "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/few" -vt "$T/few" -o "\$1" --use-cpu --threads 1 -q \\
    --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 --keep-last-params 2 \\
    --transformer-feed-forward-num-hidden 8 --batch-size 100 --checkpoint-frequency 400 --max-updates 2400 \$2 \$3
EOF
chmod +x "$T/train"
mkfifo "$T/gate"
# at_once N COMMAND... : pids of them in $pids, which have just been let go
at_once() {
    n=$1
    shift
    pids=
    i=0
    exec 8<>"$T/gate"
    while [ $i -lt "$n" ]; do
        i=$((i + 1))
        "$@" 8<&- >"$T/out.$i" 2>"$T/err.$i" &
        pids="$pids $!"
    done
    # A line for each.
    while [ $i -gt 0 ]; do
        i=$((i - 1))
        echo >&8
    done
}
result() { (cd "$1" && cksum params.0* && sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics); }

at_once 1 "$T/train" "$T/alone"
# shellcheck disable=SC2086
wait $pids
result "$T/alone" >"$T/want"
at_once 1 "$T/train" "$T/half" --max-updates 900
# shellcheck disable=SC2086
wait $pids
# Longer than a trainer waits for one that was killed just now.
trials=$([ -n "${SK_LONG:-}" ] && echo 200 || echo 6)
bad=
refused=0
trial=0
while [ $trial -lt "$trials" ]; do
    rm -rf "$T/m"
    # Every third time there is a run to go on with.
    [ $((trial % 3)) -ne 0 ] || { cp -R "$T/half" "$T/m"; }
    at_once 3 "$T/train" "$T/m"
    i=0
    trained=
    for pid in $pids; do
        i=$((i + 1))
        status=0
        wait "$pid" || status=$?
        case $status in
        0) trained="$trained $pid" ;;
        75) ;;
        *) bad="$bad $trial(status $status: $(tail -n 1 "$T/err.$i"))" ;;
        esac
    done
    # Who comes when all is done finds it done.
    [ -n "$trained" ] || bad="$bad $trial(nobody trained)"
    for i in 1 2 3; do
        [ -s "$T/err.$i" ] || continue
        refused=$((refused + 1))
        who=$(sed -n 's/.* by sk-train-shard, pid \([0-9]*\) on .*/\1/p' "$T/err.$i")
        case " $trained " in
        *" ${who:-nobody} "*) ;;
        *) bad="$bad $trial(said: $(cat "$T/err.$i"))" ;;
        esac
    done
    result "$T/m" | cmp -s - "$T/want" || bad="$bad $trial(differs)"
    left=$(find "$T/m" -name '.*.tmp')
    [ -z "$left" ] || bad="$bad $trial(left $left)"
    trial=$((trial + 1))
done
is "$bad" "" "three trainers at once, $trials times"
ok "of which others were told who trains ($refused)" [ "$refused" -gt 0 ]

# --- one file ---------------------------------------------------------------------
cat >"$T/vocab" <<EOF
#!/bin/sh
read -r _ <"$T/gate"
exec "$BIN/sk-vocab" -q -i "$T/much" -o "$T/place/vocab.json" --threads 1
EOF
chmod +x "$T/vocab"
mkdir "$T/place"
awk 'BEGIN { for (i = 0; i < 200000; i++) print "word" i % 5000, i % 777 }' >"$T/much"
"$BIN/sk-vocab" -q -i "$T/much" -o "$T/vocab.json"
bad=
kills=0
trial=0
while [ $trial -lt $((5 * trials)) ]; do
    at_once 5 "$T/vocab"
    # shellcheck disable=SC2086
    set -- $pids
    sleep "0.0$((trial % 4))"
    kill -KILL "$2" "$3" 2>/dev/null && kills=$((kills + 1))
    for pid; do
        status=0
        wait "$pid" 2>/dev/null || status=$?
        case $status in 0 | 137) ;; *) bad="$bad $trial(status $status: $(cat "$T"/err.*))" ;; esac
    done
    cmp -s "$T/place/vocab.json" "$T/vocab.json" || bad="$bad $trial(differs)"
    trial=$((trial + 1))
done
at_once 1 "$T/vocab"
wait "$!"
is "$bad" "" "five writers of one file at once, of which two are killed ($kills times)"
is "$(ls -A "$T/place")" vocab.json "nothing of the dead lies about"
done_testing
