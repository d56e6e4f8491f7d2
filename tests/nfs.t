#!/bin/sh
# Two real NFS clients: the trainer on one, watchers on the other, which it
# waits for; kills on both. Only with large counts (SK_LONG), and where
# user-mode Linux can be started.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/nfs.sh"
needs_nfs_clients "a minute"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
cat >"$T/train" <<END
#!/bin/sh
echo \$\$ >"$T/trainer.pid"
dir=\$1
shift
exec "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/text" -vt "$T/text" -o "\$dir" --use-cpu --threads 1 \\
    --num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 \\
    --transformer-feed-forward-num-hidden 16 --batch-size 200 --checkpoint-frequency 5 --initial-learning-rate 0.02 \\
    --learning-rate-reduce-num-not-improved 2 --optimized-metric bleu --max-updates 60 --keep-last-params 2 -q "\$@"
END
cat >"$T/watch" <<END
#!/bin/sh
echo \$\$ >"$T/watcher.pid"
exec "$BIN/sk-bleu-eval" "\$1" --watch --use-cpu --threads 1 -q --poll-interval 0.5
END
chmod +x "$T/train" "$T/watch"
# Inside: what each prints, and how it ends, goes to files of $T.
cat >"$T/inside" <<END
cd "$T" || exit 1
export UML_MODULES="$T/modules"
. "$SHARED/tools/nfs-two-clients.sh"
on 2 "$T/watch" /mnt/c2/calm >"$T/calm.out" 2>"$T/calm.err" & watcher=\$!
on 1 "$T/train" /mnt/c1/calm --monitor-bleu 0 2>"$T/calm.train"
echo \$? >"$T/calm.rc"
wait \$watcher; echo \$? >"$T/calm.watch.rc"
cp -r /mnt/export/calm "$T/calm"
# A watcher that is killed while it works, another that takes over, a trainer
# that is killed and started again.
for kill in 1 2 3 4 5 6; do
    on 2 "$T/watch" /mnt/c2/rough >>"$T/rough.out" 2>>"$T/rough.err" &
    on 1 "$T/train" /mnt/c1/rough --monitor-bleu 0 2>>"$T/rough.train" &
    sleep 2.\$kill
    kill -KILL \$(cat "$T/watcher.pid"); sleep 0.\$kill; kill -KILL \$(cat "$T/trainer.pid"); wait
done
on 2 "$T/watch" /mnt/c2/rough >>"$T/rough.out" 2>>"$T/rough.err" & watcher=\$!
on 1 "$T/train" /mnt/c1/rough --monitor-bleu 0 2>>"$T/rough.train"
echo \$? >"$T/rough.rc"
wait \$watcher; echo \$? >"$T/rough.watch.rc"
cp -r /mnt/export/rough "$T/rough"
END
LD_PRELOAD="$ROOT/.build/tests/preload_xstate.so" bash "$SHARED/tools/uml-run.sh" "$T/inside" 300 >"$T/uml" 2>&1
ok "user-mode Linux came up" test -e "$T/calm.rc" || diag "$(tail -n 20 "$T/uml")"

outcome() {
    (
        cd "$1" || exit
        sed -E 's/	(time-elapsed|used-[a-z-]*|decode-walltime-val|avg-sec-per-sent-val)=[^	]*//g' metrics
        cksum params.0* eval/*.out
        readlink params.best
    )
}
exits 0 "the same on this machine" "$T/train" "$T/here"
is "$(cat "$T/calm.rc" "$T/calm.watch.rc" | tr '\n' ' ')" "0 0 " "trainer and watcher end"
is "$(cut -f 3 "$T/calm.out" | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 10 11 12 " "each checkpoint is scored, in order"
is "$(outcome "$T/calm")" "$(outcome "$T/here")" "the result is the same"
# From the end of a translation on one client to the decision on the other.
diag "a checkpoint: $(awk -F '	' '{ for (i = 2; i <= NF; i++) if (sub(/^time-elapsed=/, "", $i)) { if (n++) d[n] = $i - t; t = $i } }
    END { for (i = 2; i <= n; i++) printf "%.2f ", d[i] }' "$T/calm/metrics") seconds, a poll being 0.5 there and 1 here"
ok "within the polls of both" awk -F '	' '{ for (i = 2; i <= NF; i++) if (sub(/^time-elapsed=/, "", $i)) t = $i; n++ }
    END { exit !(t / n < 3) }' "$T/calm/metrics"
is "$(cat "$T/rough.rc" "$T/rough.watch.rc" | tr '\n' ' ')" "0 0 " "killed six times on both sides they end"
is "$(cut -f 3 "$T/rough.out" | sort -n | uniq -d)" "" "no checkpoint was scored twice"
is "$(outcome "$T/rough")" "$(outcome "$T/here")" "the result is the same"
done_testing
