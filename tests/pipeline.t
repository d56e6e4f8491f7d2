#!/bin/sh
# jobs/pipeline.sh, average.sh and crontab.example, run for real.
. "$(dirname "$0")/tap.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS
export SK_GPUS=g0,g1 SK_LOCK_DIR="$T/locks" UCX_NET_DEVICES=lo
PATH=$BIN:$PATH:/usr/sbin:/sbin
JOBS=$ROOT/jobs

mkdir "$T/data"
awk -v dir="$T/data" 'BEGIN {
    srand(5)
    split("300 40 30", size); split("train dev test", name)
    for (part = 1; part <= 3; part++)
        for (i = 0; i < size[part]; i++) {
            n = 1 + int(rand() * 8); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 20); s = s " s" w; t = " t" w t }
            print substr(s, 2) > (dir "/" name[part] ".de")
            print substr(t, 2) > (dir "/" name[part] ".en")
        }
}'
small="--num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \
--transformer-feed-forward-num-hidden 32 --batch-size 100 --max-seq-len 12 --initial-learning-rate 0.003 \
--max-num-checkpoint-not-improved -1"

# --- a shell ----------------------------------------------------------------------------
pipeline() {
    # shellcheck disable=SC2086
    DATA=$T/data WORK=$T/run "$JOBS/pipeline.sh" $small --checkpoint-frequency 20 --max-updates 100 "$@"
}
exits 0 "the pipeline" pipeline
like "$(cat "$T/out")" '^BLEU	[0-9.]+$' "ends with a score"
like "$(cat "$T/err")" '^GPU 0: g0$' "trained on a GPU"
like "$(tail -n 1 "$T/run/model/metrics")" 'bleu-val=' "watched"
cp "$T/out" "$T/score"
exits 0 "again" pipeline
same "$T/out" "$T/score" "the same"
is "$(grep -c 'is there' "$T/err") $(grep -vc 'is there' "$T/err")" "5 0" "nothing is done twice"
# Killed anywhere, and started again.
i=0
rm -rf "$T/run"
while [ $i -lt 12 ]; do
    pipeline --use-cpu >"$T/out" 2>"$T/err" &
    pid=$!
    sleep "0.0$((i + 2))"
    pkill -KILL -P "$pid" 2>/dev/null
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    i=$((i + 1))
done
# The last trainer may still be saving.
finishes() { pipeline --use-cpu >"$T/out" 2>"$T/err"; }
ok "killed twelve times it finishes" wait_for 20 finishes
same "$T/out" "$T/score" "with the same score"
exits 66 "a step that fails" env DATA="$T/none" WORK="$T/run2" "$JOBS/pipeline.sh"
like "$(cat "$T/err")" "none/train.de" "says why"

exits 0 "ways of averaging" "$JOBS/average.sh" "$T/run/model" 3 --beam-size 1
is "$(cut -f 2 "$T/out" | tr '\n' ' ')" "single best last lifespan " "are compared"
winner=$(sort -k 1,1gr -s "$T/out" | sed -n '1s/.*	//p')
like "$(cat "$T/err")" "run/model.average is '$winner'" "the best is kept"
ok "as parameters" sh -c 'sk-translate -m "$1" -c "$1.average" -q <"$2" >/dev/null' - "$T/run/model" "$T/data/test.de"
is "$(find "$T/run" -maxdepth 1 -name 'model.average.*' | grep -c .)" 0 "and nothing else"
exits 64 "no model" "$JOBS/average.sh"
like "$(cat "$T/err")" 'average.sh MODEL_DIR' "shows how"

# --- cron -------------------------------------------------------------------------------
# The lines of the example as cron would run them: its PATH, no other variables.
mkdir -p "$T/home/experiment"
printf 'source\t%s\ntarget\t%s\nvalidation-source\t%s\nvalidation-target\t%s\n' "$T/data/train.de" "$T/data/train.en" \
    "$T/data/dev.de" "$T/data/dev.en" >"$T/home/experiment/options"
echo "$small --checkpoint-frequency 20 --max-updates 60" | tr ' ' '\n' | awk '/^--/ { name = substr($0, 3); next }
    { print name "\t" $0 }' >>"$T/home/experiment/options"
cron() { # PATTERN
    line=$(grep "$1" "$JOBS/crontab.example" | grep -v '^#')
    case $line in @*) n=1 ;; *) n=5 ;; esac
    line=$(printf '%s\n' "$line" | cut -d ' ' -f $((n + 1))-)
    case $line in *%*) echo "a line with %"; return 1 ;; esac
    # What the machine of the test lends: its GPUs, where their locks are, the programs.
    env -i HOME="$T/home" LOGNAME=user SHELL=/bin/sh PATH="$BIN:/usr/bin:/bin" SK_GPUS=$SK_GPUS SK_LOCK_DIR="$SK_LOCK_DIR" \
        /bin/sh -c "$line" </dev/null
}
like "$(sed -n 's/^PATH=//p' "$JOBS/crontab.example")" '(^|:)/usr/local/bin(:|$)' "PATH has the place of make install"
sk-lock -n 2 -- sh -c ': >"$0.has"; while [ ! -e "$0" ]; do sleep 0.02; done' "$T/busy" 2>"$T/err" &
held() { [ -e "$T/busy.has" ]; }
wait_for 10 held
exits 75 "cron: no GPU is free" cron '^\*/10'
ok "nothing is begun" test ! -e "$T/home/experiment/model"
: >"$T/busy"
wait
exits 0 "cron: one is free" cron '^\*/10'
like "$(cat "$T/home/experiment/model/finished")" '^updates	60$' "it trains"
is "$(grep -c . "$T/home/experiment/cron.log") $(grep -c 'not free' "$T/home/experiment/cron.log")" "1 1" \
    "cron.log has what is worth it"
cksum "$T/home/experiment/model/log" >"$T/before"
exits 0 "cron: again" cron '^\*/10'
cksum "$T/home/experiment/model/log" >"$T/after"
same "$T/before" "$T/after" "there is nothing to do"
rm -r "$T/home/experiment/model"
exits 0 "cron: after a reboot" cron '^@reboot'
ok "it trains" test -e "$T/home/experiment/model/finished"
exits 0 "cron: scores" cron '^5 '
like "$(tail -n 1 "$T/home/experiment/model/metrics")" 'bleu-val=' "of all checkpoints"
done_testing
