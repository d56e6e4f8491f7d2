"""CTranslate2 on models that contrib/convert/to-ctranslate2 made.

ct2.py batch MODEL TYPE THREADS BATCH INPUT OUTPUT   sentences per second, model loaded
ct2.py pipe MODEL TYPE THREADS INPUT OUTPUT          the same one by one

TYPE is float32 or int8. Beams of 5, the score divided by the length, as
sk-translate does it.
"""
import sys
import time

import ctranslate2


def translate(how, model, kind, threads, *rest):
    one = how == "pipe"
    threads = int(threads)
    translator = ctranslate2.Translator(model, device="cpu", compute_type=kind, inter_threads=1 if one else threads,
                                        intra_threads=threads if one else 1)
    batch = 1 if one else int(rest[0])
    with open(rest[-2], encoding="utf8") as f:
        text = [line.split() for line in f]
    options = {"beam_size": 5, "max_batch_size": batch, "max_decoding_length": 100, "length_penalty": 1.0}
    translator.translate_batch(text[:1 if one else 16], **options)
    start = time.perf_counter()
    found = [translator.translate_batch([line], **options)[0] for line in text] if one else \
        translator.translate_batch(text, **options)
    print(len(text) / (time.perf_counter() - start))
    with open(rest[-1], "w", encoding="utf8") as f:
        f.writelines(" ".join(r.hypotheses[0]) + "\n" for r in found)


if __name__ == "__main__":
    translate(*sys.argv[1:])
