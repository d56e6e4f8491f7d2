#!/bin/sh
# Two real NFS clients with a shard on each: they train together, one client is
# cut off from the network, the other goes on, the first one is taken back. Only
# with large counts (SK_LONG), and where user-mode Linux can be started.
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/nfs.sh"
needs_nfs_clients "two minutes"

awk 'BEGIN { srand(7); for (i = 0; i < 400; i++) { n = 1 + int(9 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(30 * rand()); print substr(s, 2) } }' >"$T/text"
head -n 40 "$T/text" >"$T/val"
# UCX looks for network devices in sysfs, which shows those of who mounted it.
cat >"$T/train" <<END
#!/bin/sh
echo \$\$ >"\$1"
dir=\$2
shift 2
[ "\${SK_HERE:-}" ] || mount -t sysfs sysfs /sys || exit 99
exec "$BIN/sk-train-shard" -s "$T/text" -t "$T/text" -vs "$T/val" -vt "$T/val" -o "\$dir" --use-cpu --threads 1 \\
    --num-layers 1 --transformer-model-size 32 --transformer-attention-heads 2 --transformer-dropout-prepost 0.1 \\
    --transformer-feed-forward-num-hidden 64 --batch-size 400 --checkpoint-frequency 50 --initial-learning-rate 0.003 \\
    --max-num-checkpoint-not-improved -1 --keep-last-params 3 --virtual-shards 4 --shard-timeout 6 "\$@"
END
chmod +x "$T/train"
# Inside. "cut 1" and "mend 1" are the client's network, no tool.
cat >"$T/inside" <<END
cd "$T" || exit 1
export UML_MODULES="$T/modules"
. "$SHARED/tools/nfs-two-clients.sh"
sysctl -qw net.ipv4.ip_forward=1
# shard NAME K OPTION...: shard K on client K + 1
shard() {
    name=\$1 k=\$2
    shift 2
    on \$((k + 1)) unshare -m "$T/train" "$T/pid.\$k" /mnt/c\$((k + 1))/\$name --num-shards 2 --shard \$k "\$@" \\
        >>"$T/\$name.\$k.out" 2>&1
    echo \$? >>"$T/\$name.\$k.rc"
}
updates() { sed -n 's/^updates	//p' "/mnt/export/\$1/progress" 2>/dev/null; }
# comes SECONDS COMMAND...: until that is true
comes() {
    seconds=\$1
    shift
    for i in \$(seq \$((5 * seconds))); do
        "\$@" && return
        sleep 0.2
    done
    echo "not within \$seconds s: \$*"
    return 1
}
together() { grep -l "^member	1 " \$(ls -d /mnt/export/\$1/shards/0* | tail -n 1)/members 2>/dev/null | xargs -r grep -q "^member	0 "; }
alone() { members=\$(ls -d /mnt/export/\$1/shards/0* | tail -n 1)/members; [ -e \$members ] && ! grep -q "^member	\$2 " \$members; }
beyond() { u=\$(updates \$1); [ "\${u:-0}" -gt \$2 ]; }

shard calm 0 --max-updates 300 & shard calm 1 --max-updates 300 &
wait
cp -r /mnt/export/calm "$T/calm"

# Client 1 is cut off: once while its shard leads, once while it does not.
for round in 1 2; do
    shard cut 0 --max-updates 1000000 & shard cut 1 --max-updates 1000000 &
    comes 30 together cut || exit
    now=\$(updates cut)
    comes 30 beyond cut \$((\${now:-0} + 100)) || exit
    [ \$round = 1 ] && cat \$(ls -d /mnt/export/cut/shards/0* | tail -n 1)/members
    cut 1
    began=\$(date +%s)
    comes 40 alone cut 0 || exit
    echo "without it after \$((\$(date +%s) - began)) s" >>"$T/times"
    now=\$(updates cut)
    comes 20 beyond cut \$((now + 300)) || exit
    sleep 12
    mend 1
    began=\$(date +%s)
    # Its locks were given away meanwhile.
    comes 120 together cut || exit
    echo "taken back after \$((\$(date +%s) - began)) s" >>"$T/times"
    now=\$(updates cut)
    comes 30 beyond cut \$((now + 100)) || exit
    kill \$(cat "$T/pid.0" "$T/pid.1")
    wait
done
end=\$((\$(updates cut) / 50 + 2))
shard cut 0 --max-checkpoints \$end & shard cut 1 --max-checkpoints \$end &
wait
cp -r /mnt/export/cut "$T/cut"
END
LD_PRELOAD="$ROOT/.build/tests/preload_xstate.so" bash "$SHARED/tools/uml-run.sh" "$T/inside" 400 >"$T/uml" 2>&1
export SK_HERE=1
[ -e "$T/cut" ] || diag "$(tail -n 20 "$T/uml"; for f in "$T"/*.out; do echo "$f"; grep -v '^Model\|^Epoch\|^Check' "$f" | tail -n 12; done)"

outcome() {
    (
        cd "$1" || exit
        sed -E 's/	(time-elapsed|used-[a-z-]*)=[^	]*//g' metrics
        cksum params.0*
        readlink params.best
    )
}
exits 0 "one process" "$T/train" "$T/pid" "$T/here" --max-updates 300
is "$(cat "$T/calm.0.rc" "$T/calm.1.rc" | tr '\n' ' ')" "0 0 " "shards on two clients end"
like "$(cat "$T/calm.0.out")" "shards 0 \(client1\), 1 \(client2\)" "they trained together"
is "$(outcome "$T/calm")" "$(outcome "$T/here")" "with the result of one process"
diag "$(cat "$T/times")"
is "$(grep -c without "$T/times")" 2 "one is cut off: the other goes on"
is "$(grep -c taken "$T/times")" 2 "it is taken back"
is "$(tail -qn 1 "$T/cut.0.rc" "$T/cut.1.rc" | tr '\n' ' ')" "0 0 " "both end"
last=$(find "$T/cut" -name 'params.0*' | sed 's/.*params\.0*//' | sort -n | tail -n 1)
"$T/train" "$T/pid" "$T/whole" --max-checkpoints "$last" >"$T/out" 2>&1
is "$(outcome "$T/cut")" "$(outcome "$T/whole")" "with the result of one process ($last checkpoints)"
done_testing
