"""CTranslate2 on models of sk.

ct2.py convert MODEL_DIR OUT
ct2.py batch OUT TYPE THREADS BATCH INPUT OUTPUT   sentences per second, model loaded
ct2.py pipe OUT TYPE THREADS INPUT OUTPUT          the same one by one

TYPE is float32 or int8. Beams of 5, the score divided by the length, as
sk-translate does it.
"""
import json
import os
import shutil
import struct
import sys
import time

import ctranslate2
import numpy as np
from ctranslate2.specs import TransformerSpec


def tensors(path):
    """Of a safetensors file of float32 values: arrays by name."""
    with open(path, "rb") as f:
        data = f.read()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8:8 + size]), memoryview(data)[8 + size:]
    header.pop("__metadata__", None)
    return {name: np.frombuffer(body[t["data_offsets"][0]:t["data_offsets"][1]], "<f4").reshape(t["shape"])
            for name, t in header.items()}


def positions(rows, width):
    """Sines in the first half, cosines in the second (network.c)."""
    angle = np.arange(rows)[:, None] / np.power(10000, 2.0 * np.arange(width // 2) / width)
    return np.concatenate((np.sin(angle), np.cos(angle)), 1).astype(np.float32)


def convert(model_dir, out):
    with open(model_dir + "/config.json") as f:
        config = json.load(f)
    if (config["architecture"], config["preprocess"], config["postprocess"]) != ("transformer", ["n"] * 2, ["dr"] * 2) \
            or config["positional_embedding_type"] != "fixed" or config["activation_type"] != "relu":
        sys.exit("ct2.py: only models with layer norm before and fixed positions can be converted")
    t = tensors(model_dir + "/params.best")
    spec = TransformerSpec.from_config(tuple(config["num_layers"]), config["attention_heads"][0], pre_norm=True)

    def norm(to, name):
        to.gamma, to.beta = t[name + "_gamma"], t[name + "_beta"]

    def linear(to, *names):
        to.weight = np.concatenate([t[n + "_weight"] for n in names]) if len(names) > 1 else t[names[0] + "_weight"]
        # Sockeye's attention has no bias; this format wants one.
        to.bias = t.get(names[0] + "_bias", np.zeros(to.weight.shape[0], np.float32))

    def attention(to, name, own):
        norm(to.layer_norm, name + "_pre_norm")
        if own:
            linear(to.linear[0], name + "_i2h")
        else:
            linear(to.linear[0], name + "_q2h")
            linear(to.linear[1], name + "_k2h", name + "_v2h")
        linear(to.linear[-1], name + "_h2o")

    for side, (coder, stem) in enumerate(((spec.encoder, "encoder"), (spec.decoder, "decoder"))):
        embed = ("source", "target")[side] + "_embed_weight"
        table = t[embed if embed in t else "source_target_embed_weight"]
        (coder.embeddings[0] if side == 0 else coder.embeddings).weight = table
        coder.position_encodings.encodings = positions(max(config["max_positions"]), table.shape[1])
        coder.scale_embeddings = True
        norm(coder.layer_norm, stem + "_transformer_final_process_norm")
        for i, layer in enumerate(coder.layer):
            name = f"{stem}_transformer_{i}_"
            attention(layer.self_attention, name + "att_self", True)
            if side == 1:
                attention(layer.attention, name + "att_enc", False)
            norm(layer.ffn.layer_norm, name + "ff_pre_norm")
            linear(layer.ffn.linear_0, name + "ff_i2h")
            linear(layer.ffn.linear_1, name + "ff_h2o")
    project = spec.decoder.projection
    project.weight = t["target_output_weight"] if "target_output_weight" in t else spec.decoder.embeddings.weight
    project.bias = t["target_output_bias"]
    for side, register in (("src", spec.register_source_vocabulary), ("trg", spec.register_target_vocabulary)):
        with open(f"{model_dir}/vocab.{side}.0.json", encoding="utf8") as f:
            words = json.load(f)
        names = sorted(words, key=words.get)
        register(["<blank>" if w == "<pad>" else w for w in names])
    spec.config.add_source_eos = True
    spec.config.layer_norm_epsilon = 1e-6
    spec.validate()
    spec.optimize()
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    spec.save(out)


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
    if sys.argv[1] == "convert":
        convert(*sys.argv[2:])
    else:
        translate(*sys.argv[1:])
