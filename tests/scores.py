#!/usr/bin/env python3
"""Scores of sk-bleu-eval against those of sacreBLEU 2.6.0 and of Sockeye.

scores.py check SK-BLEU-EVAL FACTS.json DIR      against stored numbers
scores.py live SK-BLEU-EVAL DIR [LINES [SEED]]   against sacreBLEU itself, on text of its own; status 77 if this
                                                 Python has no sacrebleu, or another version
scores.py make CONTRIB PYTHON >FACTS.json        computes the stored numbers: by sacreBLEU, by sockeye_contrib of
                                                 Sockeye 1.18 in CONTRIB, and by a PYTHON that has sacreBLEU 1.3.6

check and live print "1 what" or "0 what" for each comparison. DIR is for
files. Text is generated: words that tokenisers treat in special ways, all
kinds of white space, combining and invisible marks, scripts from right to
left, control characters, empty lines.
"""
import itertools
import json
import os
import random
import subprocess
import sys

SPACES = [" "] * 20 + list("\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u200a\u2028\u2029\u202f\u205f\u3000") + ["  "]
ODD = list("\u0301\u0308\u200b\u200d\u200e\u200f\u202b\ufeff\u00ad\x00\x01\x1b\x7f\u0130\u03a3\u03c3\u1e9e\u0345\u05d0"
           "\u0627\u0660\u06f5\u0966\u2160\u00b2\u00bd\u2460\u4e00\u3042\u30a2\u3002\uff0c\u3001\uff5e\u30fb\uff01"
           "\U0001f600\U0001f1e9\U00010400\U0001d7ce\U0002f800\U000e0041\U0010ffff\u00ab\u00bb\u201c\u201d\u2026\u20ac"
           "\u00a3\u00b0\u2122\u221e\u00a9\ufffd\u3400\u3200\u3f22\u4dbf\u4dc0\ufe30\u2e80\u31c0\u33ff\uff61\uff66")
WORDS = ("the The cat DOG 's it's Mr. 3.5 1,000 x-y 1990-91 - -- ... , . \"q\" &amp; &quot;x&lt; &amp;lt; <skipped> (b) "
         "\u00c9t\u00e9 \u03a3\u039f\u03a3 \u0391\u03a3' \u0391\u03a3. \u65e5\u672c\u3002 5, .5 5. a.b $5 10% hi! "
         "\u00bfqu\u00e9? na\u00efve \u0130stanbul #@! __ {} ~ a b c d e").split(" ")
BLOCKS = [(0x20, 0x250), (0x370, 0x600), (0x2000, 0x3400), (0x10000, 0x20000), (0, 0xd800), (0xe000, 0x110000)]


class Text:
    """Generated hypotheses h[0], h[1] and references r[0..2]."""

    def __init__(self, seed, lines, longest=60, extreme=False):
        self.random, self.longest = random.Random(seed), longest
        self.h, self.r = [[], []], [[], [], []]
        for _ in range(lines):
            line = self.line()
            self.h[0].append(self.join(self.noisy(line) if self.random.random() < .95 else self.line()))
            self.h[1].append(self.join(self.noisy(line)))
            self.r[0].append(self.join(line))
            self.r[1].append(self.join(self.noisy(line)) if self.random.random() < .9 else "")
            self.r[2].append(self.join(self.noisy(line)) or "x")
        if extreme:
            self.add_extreme()

    def add_extreme(self):
        """What limits TER: bands that are narrow or wide, shifts that are far or many."""
        few, many = list("abcd"), [f"w{i}" for i in range(90)]
        moved = many[60:] + many[10:30] + many[:10] + many[30:60]
        some = [self.random.choice(few) for _ in range(70)]
        other = [self.random.choice(few) for _ in range(66)]
        glued = "".join(c + "x" for c in ODD)
        for h, r in ((many[80:83], many + many[:60]), (many + many[:60], many[85:]), (some, other), (many, moved),
                     (many[45:] + many[:45], many), (many[10:20] + many[:10], many[:20]),
                     (["far"] + many[:60], many[:50] + ["far"] + many[50:60]), ([glued], list(glued))):
            for lines_of, words in zip(self.h + self.r, (h, r, r, h, other)):
                lines_of.append(" ".join(words))

    def word(self):
        kind = self.random.random()
        if kind < .75:
            return self.random.choice(WORDS)
        if kind < .88:
            return "".join(self.random.choice(ODD + list("aB.5,-")) for _ in range(self.random.randint(1, 4)))
        if kind < .95:
            word = "".join(chr(self.random.randrange(*self.random.choice(BLOCKS))) for _ in range(2))
            return word.replace("\n", "")
        return "".join(self.random.choice("abcdefghij") for _ in range(self.random.randint(1, 9)))

    def line(self):
        words = self.random.choice([0, 1, 2, 3, 5, 8, 12, 20])
        if self.random.random() < .1:
            words = self.random.randint(20, self.longest)
        return [self.word() for _ in range(words)]

    def noisy(self, line):
        out = []
        for word in line:
            kind = self.random.random()
            if kind < .1:
                out.append(self.word())
            elif kind < .24:
                out += [word, self.word()]
            elif kind < .3:
                out.append(word.swapcase())
            elif kind > .4:
                out.append(word)
        for _ in range(self.random.randint(0, 3) if len(out) > 3 else 0):        # a phrase moves
            at, length = self.random.randrange(len(out)), self.random.randint(1, 6)
            phrase = out[at:at + length]
            del out[at:at + length]
            to = self.random.randint(0, len(out))
            out[to:to] = phrase
        return out

    def join(self, words):
        return "".join(word + self.random.choice(SPACES) for word in words)


def write(folder, text):
    os.makedirs(folder, exist_ok=True)
    for name, files in text.items():
        for i, lines in enumerate(files):
            with open(f"{folder}/{name}{i}", "w", encoding="utf-8", newline="") as f:
                f.write("".join(line + "\n" for line in lines))


# --- what is compared: options, as sk-bleu-eval has them; "lines": sentences too ------------------------------


def settings():
    for tokenizer, case in itertools.product(("13a", "none", "intl", "char"), ("", " --lowercase")):
        for references in (1, 3):
            yield {"options": f"-m bleu --tokenize {tokenizer}{case}", "references": references, "lines": not case}
    for method in ("floor", "add-k", "none", "floor --smooth-value 0.3", "add-k --smooth-value 2.5"):
        yield {"options": f"-m bleu --smooth-method {method}", "references": 2, "lines": True}
    yield {"options": "-m bleu --effective-order", "references": 1}
    yield {"options": "-m bleu --variable-references", "references": 3, "lines": True}
    for options in ("", " --chrf-word-order 2", " --chrf-lowercase", " --chrf-whitespace", " --chrf-eps-smoothing",
                    " --chrf-beta 1 --chrf-char-order 3", " --chrf-word-order 3 --chrf-whitespace --chrf-lowercase"):
        for references in (1, 3):
            yield {"options": f"-m chrf{options}", "references": references, "lines": references == 3 or not options}
    yield {"options": "-m chrf --variable-references", "references": 3}
    for options in ("", " --ter-normalized", " --ter-no-punct", " --ter-case-sensitive",
                    " --ter-normalized --ter-asian-support", " --ter-no-punct --ter-asian-support",
                    " --ter-normalized --ter-no-punct --ter-asian-support --ter-case-sensitive"):
        for references in (1, 3):
            yield {"options": f"-m ter{options}", "references": references, "lines": references == 1}
    yield {"options": "-m ter --variable-references", "references": 3}


RESAMPLED = [{"options": "-m bleu chrf ter --confidence", "systems": 1}, {"options": "-m bleu chrf ter --paired", "systems": 2},
             {"options": "-m bleu --paired --samples 200 --seed 7", "systems": 2}]


def parse(options):
    words, found, name = options.split(), {}, None
    for word in words:
        if word.startswith("-"):
            name = word.lstrip("-")
            found[name] = True
        else:
            found[name] = word if found[name] is True else found[name] + " " + word
    return found


def metric_of(name, o, sentence=False):
    from sacrebleu.metrics import BLEU, CHRF, TER
    if name == "bleu":
        value = o.get("smooth-value")
        return BLEU(lowercase="lowercase" in o, tokenize=o.get("tokenize", "13a"), force=True,
                    smooth_method=o.get("smooth-method", "exp"), smooth_value=float(value) if value else None,
                    effective_order=sentence or "effective-order" in o)
    if name == "chrf":
        return CHRF(char_order=int(o.get("chrf-char-order", 6)), word_order=int(o.get("chrf-word-order", 0)),
                    beta=int(o.get("chrf-beta", 2)), lowercase="chrf-lowercase" in o,
                    whitespace="chrf-whitespace" in o, eps_smoothing="chrf-eps-smoothing" in o)
    return TER(normalized="ter-normalized" in o, no_punct="ter-no-punct" in o,
               asian_support="ter-asian-support" in o, case_sensitive="ter-case-sensitive" in o)


def truth(case, text):
    """sacreBLEU's numbers for one setting."""
    o = parse(case["options"])
    stripped = [[line.rstrip() for line in lines] for lines in text["r"][:case["references"]]]
    hypotheses = [line.rstrip() for line in text["h"][0]]
    if "variable-references" in o:
        stripped = [[line or None for line in lines] for lines in stripped]
    metric = metric_of(o["m"], o)
    score = metric.corpus_score(hypotheses, stripped)
    result = dict(case, score=f"{score.score:.6f}",
                  signature=f"{score.name}|{metric.get_signature()}".rpartition("|")[0])
    if case.get("lines"):
        metric = metric_of(o["m"], o, sentence=True)
        each = metric._extract_corpus_statistics(hypotheses, stripped)
        result["lines"] = [f"{metric._aggregate_and_compute([list(s)]).score:.4f}" for s in each]
    return result


def truth_resampled(case, text):
    from sacrebleu.significance import PairedTest
    o = parse(case["options"])
    os.environ["SACREBLEU_SEED"] = o.get("seed", "12345")
    systems = [(f"h{i}", [line.rstrip() for line in lines]) for i, lines in enumerate(text["h"][:2])]
    references = [[line.rstrip() for line in text["r"][0]]]
    metrics = {name.upper(): metric_of(name, o) for name in o["m"].split()}
    _, scores = PairedTest(systems, metrics, references, test_type="bs", n_samples=int(o.get("samples", 1000)))()
    rows = []
    for i in range(case["systems"]):
        for name in list(scores)[1:]:
            s = scores[name][i]
            rows.append([name, f"{s.score:.3f}"] + ([f"h{i}"] if case["systems"] > 1 else []) +
                        [f"mean={s.mean:.3f}", f"ci={s.ci:.3f}"] + ([f"p={s.p_value:.4f}"] if i > 0 else []))
    return dict(case, rows=["\t".join(row) for row in rows])


# --- comparing ------------------------------------------------------------------------------------------------


def run(program, folder, case, systems, references, *more):
    command = [program, "-i"] + [f"{folder}/h{i}" for i in range(systems)]
    command += ["-r"] + [f"{folder}/r{i}" for i in range(references)] + case["options"].split() + list(more)
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stdout.replace(folder + "/", ""), done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


def verdict(good, what, *detail):
    print(int(good), what + ("" if good else ": " + ", ".join(detail)))


def compare(program, folder, case):
    what = f"{case['options']}, {case['references']} references"
    out, err = run(program, folder, case, 1, case["references"], "-w", "6")
    got = out.rstrip("\n").split("\t")
    verdict(got[-1] == case["score"], what, f"got {out!r}, expected {case['score']} {err}")
    if "signature" in case:
        verdict(case["signature"] + "|version:sk-" in err, what + ": signature", f"got {err!r}")
        verdict(got[0] == case["signature"].partition("|")[0], what + ": name", f"got {got[0]!r}")
    if isinstance(case.get("lines"), list):
        got = run(program, folder, case, 1, case["references"], "-w", "4", "--sentence")[0].split("\n")[:-1]
        wrong = [f"line {i + 1}: {g} for {w}" for i, (g, w) in enumerate(zip(got, case["lines"])) if g != w]
        verdict(not wrong and len(got) == len(case["lines"]), what + ": each line", f"{len(got)} lines", *wrong[:5])


def compare_resampled(program, folder, case):
    out, err = run(program, folder, case, case["systems"], 1, "-w", "3")
    verdict(out.split("\n")[:-1] == case["rows"], case["options"], f"got {out!r}, expected {case['rows']} {err}")


def check(program, path, folder):
    with open(path, encoding="utf-8") as f:
        facts = json.load(f)
    write(folder, facts["text"])
    for case in facts["cases"] + facts["sockeye"]:
        compare(program, folder, case)
    for case in facts["resampled"]:
        compare_resampled(program, folder, case)


def has_sacrebleu():
    try:
        import sacrebleu
        import numpy
    except ImportError:
        return False
    return sacrebleu.__version__ == "2.6.0" and numpy.__version__ != ""


def live(program, folder, lines=25, seed=1):
    if not has_sacrebleu():
        sys.exit(77)
    text = Text(int(seed), int(lines))
    text = {"h": text.h, "r": text.r}
    write(folder, text)
    for case in settings():
        compare(program, folder, truth(case, text))
    for case in RESAMPLED:
        compare_resampled(program, folder, truth_resampled(case, text))


# --- the stored numbers ----------------------------------------------------------------------------------------


def sockeye(contrib, python, text):
    """ROUGE, and BLEU as it is stored for checkpoints."""
    sys.path.insert(0, contrib)
    from sockeye_contrib import rouge
    hypotheses = [line.strip() for line in text["h"][0]]
    references = [" ".join(line.split()) for line in text["r"][0]]
    for name in ("rouge1", "rouge2", "rougel"):
        function = getattr(rouge, f"rouge_{name[-1]}")
        yield {"options": f"-m {name}", "references": 1, "score": f"{100 * function(hypotheses, references):.6f}",
               "lines": [f"{100 * function([h], [r]):.4f}" for h, r in zip(hypotheses, references)]}
    code = ("import json, sacrebleu, sys; h, r = json.load(sys.stdin); offset = float(sys.argv[1])\n"
            "score = lambda h, r: sacrebleu.raw_corpus_bleu(h, [r], smooth_value=offset).score\n"
            "print(json.dumps([f'{score(h, r):.6f}'] + [f'{score([a], [b]):.4f}' for a, b in zip(h, r)]))")
    for offset in ("0.01", "0.5"):
        done = subprocess.run([python, "-c", code, offset], input=json.dumps([hypotheses, references]), check=True,
                              capture_output=True, text=True)
        score, *each = json.loads(done.stdout)
        yield {"options": f"-m bleu --tokenize none --offset {offset}", "references": 1, "score": score, "lines": each}


def make(contrib, python):
    import regex
    import sacrebleu
    text = Text(3, 36, 45, extreme=True)
    text = {"h": text.h, "r": text.r}
    facts = {"made by": f"tests/scores.py with sacreBLEU {sacrebleu.__version__}, regex {regex.__version__}, "
                        f"Python {sys.version.split()[0]}; \"sockeye\" with Sockeye 1.18 and sacreBLEU 1.3.6",
             "text": text, "cases": [truth(case, text) for case in settings()],
             "sockeye": list(sockeye(contrib, python, text)),
             "resampled": [truth_resampled(case, text) for case in RESAMPLED]}
    for key in facts:
        if isinstance(facts[key], list):
            print(("{" if key == "made by" else ",") + f"\n {json.dumps(key)}: [")
            print(",\n".join("  " + json.dumps(case, sort_keys=True) for case in facts[key]) + "\n ]", end="")
        else:
            print(("{" if key == "made by" else ",") + f"\n {json.dumps(key)}: {json.dumps(facts[key])}", end="")
    print("\n}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("check", "live", "make"):
        sys.exit(__doc__)
    {"check": check, "live": live, "make": make}[sys.argv[1]](*sys.argv[2:])
