"""harness.py - what the parts of the bench share: peers, text, measuring, the
table of results."""
import datetime
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK, ENV = ".build/bench", ".build/bench-env"
HERE = "tests/bench/"
PEERS = {"torch": ["torch==2.8.0"], "ctranslate2": ["ctranslate2==4.8.5"], "sacrebleu": ["sacrebleu==2.6.0"],
         # What it asks for is an older torch, which is slower and wants an older Python.
         "sockeye": ["--no-deps", "sockeye==3.1.34", "pyyaml", "sacrebleu==2.6.0", "portalocker", "regex", "tabulate",
                     "colorama", "lxml"]}


class Failed(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def call(command, quiet=False, env=None):
    """Runs a command that is not measured: its standard output and error."""
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       env=dict(os.environ, **(env or {})), check=False)
    if p.returncode and not quiet:
        raise Failed(f"{' '.join(command)}: exit {p.returncode}\n{p.stderr[-2000:]}")
    return p.stdout, p.stderr


class Run:
    """A measured process: began, seconds, out, err. Its memory goes to the bench."""

    def __init__(self, bench, command, stdin=None, stdout=None, env=None, talk=None):
        with tempfile.NamedTemporaryFile() as times, tempfile.TemporaryFile("w+") as err, \
                tempfile.TemporaryFile("w+") as out:
            full = [*bench.under, sys.executable, "-S", "-E", HERE + "measure.py", times.name, *command]
            environment = dict(os.environ, **(env or {}))
            if talk:
                with subprocess.Popen(full, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, bufsize=1, env=environment) as p:
                    self.said = talk(p)
                    if not p.stdin.closed:
                        p.stdin.close()
                    p.stderr.read()
            else:
                p = subprocess.run(full, stdin=stdin, stdout=stdout or out, stderr=err, text=True, env=environment,
                                   check=False)
                out.seek(0)
                err.seek(0)
                self.out, self.err = out.read(), err.read()
            if p.returncode:
                raise Failed(f"{' '.join(command)}: exit {p.returncode}\n{'' if talk else self.err[-2000:]}")
            self.began, self.seconds, memory = map(float, times.read().split())
            bench.memory = max(bench.memory, memory / 1024)


class Base:
    def __init__(self, args):
        self.args, self.rows, self.installed, self.memory = args, [], {}, 0
        self.threads, self.under = str(args.threads), args.under.split()
        self.python = ENV + "/bin/python"
        os.makedirs(WORK, exist_ok=True)

    # --- what is needed ---------------------------------------------------------

    def peer(self, name):
        """The peer's name and version, installed if it was not; raises Failed."""
        if name not in self.installed:
            if not os.path.exists(self.python):
                call([sys.executable, "-m", "venv", ENV])
            probe = [self.python, "-c", f"import {name}; print({name}.__version__)"]
            out, _ = call(probe, quiet=True)
            if not out.strip():
                if name == "sockeye":
                    self.peer("torch")
                say(f"bench: installing {PEERS[name][-1 if len(PEERS[name]) == 1 else 1]} into {ENV}")
                call([self.python, "-m", "pip", "install", "-q", "numpy", *PEERS[name]], quiet=True)
                out, err = call(probe, quiet=True)
            self.installed[name] = out.strip() or None
            if not out.strip():
                say(f"bench: {name} could not be installed: {err.strip().splitlines()[-1:]}")
        if not self.installed[name]:
            raise Failed(f"there is no {name}")
        return f"{name} {self.installed[name]}"

    def text(self):
        """Names of the corpus's files without .src and .trg."""
        if not os.path.exists(WORK + "/text/done"):
            os.makedirs(WORK + "/text", exist_ok=True)
            names = (("train", "train"), ("val", "val"), ("test_2016_flickr", "test"))
            if os.path.exists(f"{self.args.data}/train.bpe8000.de.gz"):
                for name, to in names:
                    for language, side in (("de", "src"), ("en", "trg")):
                        with gzip.open(f"{self.args.data}/{name}.bpe8000.{language}.gz") as f, \
                                open(f"{WORK}/text/{to}.{side}", "wb") as out:
                            shutil.copyfileobj(f, out)
                source = "Multi30k"
            else:
                say(f"bench: there is no {self.args.data}/train.bpe8000.de.gz: taking generated text")
                call([sys.executable, HERE + "text.py", "pairs", WORK + "/text"])
                source = "generated text"
            for side in ("src", "trg"):      # a validation that takes no time
                with open(f"{WORK}/text/val.{side}") as f, open(f"{WORK}/text/short.{side}", "w") as short:
                    short.writelines(f.readlines()[:20])
            with open(WORK + "/text/done", "w") as f:
                f.write(source)
        return WORK + "/text/"

    def lines(self, n):
        path = f"{WORK}/lines.{n}"
        if not os.path.exists(path):
            call([sys.executable, HERE + "text.py", "lines", str(n), path + ".new"])
            os.rename(path + ".new", path)
        return path

    def repeated(self, n):
        """Files as text() has, of n pairs: its first 10,000 over and over, so that all have the same words."""
        path = f"{WORK}/pairs.{n}"
        for side in ("src", "trg"):
            if os.path.exists(f"{path}.{side}"):
                continue
            with open(f"{self.text()}train.{side}") as f:
                lines = f.readlines()[:10000]
            with open(f"{path}.{side}.new", "w") as out:
                for begin in range(0, n, len(lines)):
                    out.write("".join(lines[:n - begin]))
            os.rename(f"{path}.{side}.new", f"{path}.{side}")
        return path

    # --- measuring ----------------------------------------------------------------

    def run(self, command, **options):
        return Run(self, command, **options)

    def compare(self, part, what, unit, ours, peer_name, theirs, rounds=None, seconds=False, goal=None):
        """ours and theirs: functions that measure once. seconds: less is better."""
        got, memory = ([], []), [0, 0]
        for _ in range(rounds or self.args.rounds):
            for i, measured in enumerate((ours, theirs)):
                self.memory = 0
                got[i].append(measured())
                memory[i] = max(memory[i], self.memory)
        ratios = [b / a if seconds else a / b for a, b in zip(*got)]
        row = dict(part=part, what=what, unit=unit, sk=statistics.median(got[0]), peer=peer_name,
                   value=statistics.median(got[1]), ratio=statistics.median(ratios), least=min(ratios),
                   greatest=max(ratios), rounds=len(ratios), goal=goal, memory=memory[0], peer_memory=memory[1])
        self.rows.append(row)
        say(f"bench: {what}: {row['sk']:.4g} {unit}, {peer_name} {row['value']:.4g}: {row['ratio']:.2f} times "
            f"({row['least']:.2f} to {row['greatest']:.2f}); {memory[0]:.0f} and {memory[1]:.0f} MiB")

    # --- results --------------------------------------------------------------------

    def report(self, file):
        if not self.rows:
            return
        machine = describe_machine()
        text = "text: " + open(WORK + "/text/done").read() if os.path.exists(WORK + "/text/done") else "text: generated"
        print(f"{machine}; {self.threads} threads; {text}\n")
        print(f"{'':46} {'sk':>8} {'peer':>8}  {'ratio':<21} {'goal':<7} {'MiB':>5} {'peer':>5}  peer")
        for r in self.rows:
            label, ratio = f"{r['what']}, {r['unit']}", f"{r['ratio']:.2f} ({r['least']:.2f} to {r['greatest']:.2f})"
            goal = "" if r["goal"] is None else f"{r['goal']:.3g} " + ("ok" if r["ratio"] >= r["goal"] else "-")
            cells = [f"{r[m]:.0f}" if r[m] else "" for m in ("memory", "peer_memory")]
            print(f"{label:<46} {r['sk']:>8.4g} {r['value']:>8.4g}  {ratio:<21} {goal:<7} {cells[0]:>5} {cells[1]:>5}  "
                  f"{r['peer']}")
        version = call(["git", "describe", "--always", "--dirty"], quiet=True)[0].strip() or "?"
        columns = ("part", "what", "unit", "sk", "peer", "value", "ratio", "least", "greatest", "rounds", "goal", "memory",
                   "peer_memory")
        new = not os.path.exists(file)
        with open(file, "a") as f:
            if new:
                print("time", "machine", "threads", "version", *columns, sep="\t", file=f)
            for r in self.rows:
                cells = [f"{r[c]:.6g}" if isinstance(r[c], float) else "" if r[c] is None else r[c] for c in columns]
                print(datetime.datetime.now().isoformat(timespec="seconds"), machine, self.threads, version, *cells,
                      sep="\t", file=f)
        print(f"\nappended to {file}")


def cpu_info(key):
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "")


def cpu_flags():
    return cpu_info("flags").split()


def describe_machine():
    isa = [name for flag, name in (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "bf16"), ("amx_tile", "AMX"))
           if flag in cpu_flags()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return f"{cpu_info('model name')} ({' '.join(isa)}), {os.cpu_count()} CPUs, {memory:.0f} GiB, " \
           f"Linux {os.uname().release}, load {load:.1f}"
