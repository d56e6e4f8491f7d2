"""The plain PyTorch loop: torch.nn.Transformer or torch_rnn.py's model, Adam,
batches of about 2,048 target tokens.

torch_train.py [option...] float32|bfloat16 UPDATES THREADS SOURCE TARGET
prints target tokens (without padding) per second of UPDATES updates after two
to warm up, and when the first of all began, in seconds since the epoch;
bfloat16 is autocast.

  --size small|base|big|rnn   3+3 layers of width 256 and 1024, dropout 0.3; 6+6 of
                      512 and 2048, or 1024 and 4096, dropout 0.1; the RNN, 2+2 of 256, dropout 0.2
  --tokens N          target tokens of a batch (2048)
  --device cuda       on a GPU, compiled by torch.compile
  --words N           rows of the embedding at least
  --sorted            batches of sentences of one length, so that next to nothing
                      is padded. Without it they are made as Sockeye makes them:
                      sentences of up to 8, 16, 24 ... words, padded to that
  --vocab FILE        identities of words, as sk-vocab writes them
  --save N DIR        after each N updates the parameters as DIR/params.UPDATES,
                      in sk's form; prints UPDATES and the seconds of training
"""
import argparse
import json
import random
import struct
import time
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import torch_rnn

PAD, UNK, BOS, EOS = range(4)
LONGEST, WARM_UP, LEARNING_WARM_UP = 99, 2, 200
SIZES = {"small": (256, 4, 3, 1024, 0.3), "base": (512, 8, 6, 2048, 0.1), "big": (1024, 16, 6, 4096, 0.1)}


def read(source, target, vocab):
    sides = [[line.split() for line in open(path, encoding="utf8")] for path in (source, target)]
    if vocab:
        with open(vocab, encoding="utf8") as f:
            ids = json.load(f)
    else:
        counts = Counter(word for side in sides for line in side for word in line)
        ids = {"<pad>": 0, "<unk>": 1, "<s>": 2, "</s>": 3}
        ids.update((word, i + 4) for i, (word, _) in enumerate(counts.most_common()))
    return [([ids.get(w, UNK) for w in s] + [EOS], [ids.get(w, UNK) for w in t]) for s, t in zip(*sides)
            if s and t and len(s) <= LONGEST and len(t) <= LONGEST], len(ids)


def padded(rows, width):
    width = width or max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def bucket(pair):
    return -(-max(len(pair[0]), len(pair[1]) + 1) // 8) * 8


def epoch(pairs, by_length, most):
    """Batches out of all lengths, in random order: width (0: of the longest), pairs."""
    random.shuffle(pairs)
    if by_length:
        key, groups = (lambda p: (len(p[1]), len(p[0]))), {0: pairs}
    else:
        key, groups = (lambda p: 0), {}
        for p in pairs:
            groups.setdefault(bucket(p), []).append(p)
    cut = []
    for width, group in groups.items():
        begin, tokens = 0, 0
        group.sort(key=key)
        for i, (_, target) in enumerate(group):
            if tokens + len(target) + 1 > most:
                cut.append((width, group[begin:i]))
                begin, tokens = i, 0
            tokens += len(target) + 1
        if not by_length and begin < len(group):
            cut.append((width, group[begin:]))
    random.shuffle(cut)
    return cut


def batches(pairs, by_length, wanted, most):
    while wanted > 0:
        for width, batch in epoch(pairs, by_length, most)[:wanted]:
            wanted -= 1
            yield (padded([s for s, _ in batch], width), padded([[BOS] + t for _, t in batch], width),
                   padded([t + [EOS] for _, t in batch], width), sum(len(t) + 1 for _, t in batch))


class Model(nn.Module):
    def __init__(self, words, size):
        super().__init__()
        self.width, heads, layers, hidden, dropout = SIZES[size]
        self.embed = nn.Embedding(words, self.width)
        nn.init.normal_(self.embed.weight, std=self.width ** -0.5)
        angle = np.arange(LONGEST + 8)[:, None] / np.power(10000, 2.0 * np.arange(self.width // 2) / self.width)
        self.positions = nn.Parameter(torch.tensor(np.concatenate((np.sin(angle), np.cos(angle)), 1),
                                                   dtype=torch.float32), requires_grad=False)
        self.transformer = nn.Transformer(self.width, heads, layers, layers, hidden, dropout, batch_first=True,
                                          norm_first=True)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def forward(self, source, target):
        x, y = (self.dropout(self.embed(t) * self.width ** 0.5 + self.positions[:t.shape[1]])
                for t in (source, target))
        later = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device), 1)
        out = self.transformer(x, y, tgt_mask=later, src_key_padding_mask=source == PAD,
                               memory_key_padding_mask=source == PAD)
        return F.linear(out, self.embed.weight, self.bias)

    def freeze(self):
        """Leaves out what sk's model does not have: biases of attention."""
        for name, p in self.named_parameters():
            if "attn" in name and name.endswith("bias"):
                p.data.zero_()
                p.requires_grad = False

    def tensors(self):
        """By sk's names."""
        found = {"source_target_embed_weight": self.embed.weight, "target_output_bias": self.bias}

        def norm(name, module):
            found[name + "_norm_gamma"], found[name + "_norm_beta"] = module.weight, module.bias
        for side, coder in (("encoder", self.transformer.encoder), ("decoder", self.transformer.decoder)):
            norm(f"{side}_transformer_final_process", coder.norm)
            for i, layer in enumerate(coder.layers):
                name = f"{side}_transformer_{i}_"
                norm(name + "att_self_pre", layer.norm1)
                found[name + "att_self_i2h_weight"] = layer.self_attn.in_proj_weight
                found[name + "att_self_h2o_weight"] = layer.self_attn.out_proj.weight
                norm(name + "ff_pre", layer.norm2 if side == "encoder" else layer.norm3)
                for to, linear in (("i2h", layer.linear1), ("h2o", layer.linear2)):
                    found[f"{name}ff_{to}_weight"], found[f"{name}ff_{to}_bias"] = linear.weight, linear.bias
                if side == "decoder":
                    norm(name + "att_enc_pre", layer.norm2)
                    for to, part in zip("qkv", layer.multihead_attn.in_proj_weight.chunk(3)):
                        found[f"{name}att_enc_{to}2h_weight"] = part
                    found[name + "att_enc_h2o_weight"] = layer.multihead_attn.out_proj.weight
        return {name: t.detach().numpy().astype("<f4") for name, t in found.items()}

    def save(self, path):
        header, at, tensors = {}, 0, self.tensors()
        for name, t in tensors.items():
            header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
            at += t.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values()))


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", choices=[*SIZES, "rnn"], default="small")
    p.add_argument("--tokens", type=int, default=2048)
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--words", type=int, default=0)
    p.add_argument("--sorted", action="store_true")
    p.add_argument("--vocab")
    p.add_argument("--save", nargs=2)
    p.add_argument("--rate", type=float, default=2e-4)
    p.add_argument("dtype", choices=("float32", "bfloat16"))
    p.add_argument("updates", type=int)
    p.add_argument("threads", type=int)
    p.add_argument("source")
    p.add_argument("target")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    random.seed(1)
    pairs, words = read(args.source, args.target, args.vocab)
    words = max(words, args.words)
    model = (torch_rnn.Model(words, 256, 2, 0.2) if args.size == "rnn" else Model(words, args.size)).train()
    run = model.to(args.device)
    if args.device == "cuda":
        run = torch.compile(model, dynamic=True)
    every = 0
    if args.save:
        every = int(args.save[0])
        model.freeze()
    adam = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=args.rate)
    first = time.time()
    tokens, start, saving = 0, time.perf_counter(), 0.0
    updates = args.updates + (0 if every else WARM_UP)
    for i, (s, t, labels, n) in enumerate(batches(pairs, args.sorted, updates, args.tokens)):
        if i == WARM_UP and not every:
            wait(args.device)
            start = time.perf_counter()
        if every:
            for group in adam.param_groups:
                group["lr"] = args.rate * min(1.0, (i + 1) / LEARNING_WARM_UP)
        adam.zero_grad(set_to_none=True)
        s, t, labels = (x.to(args.device, non_blocking=True) for x in (s, t, labels))
        with torch.autocast(args.device, torch.bfloat16, enabled=args.dtype == "bfloat16"):
            logits = run(s, t)
        loss = F.cross_entropy(logits.float().view(-1, words), labels.view(-1), ignore_index=PAD, label_smoothing=0.1)
        loss.backward()
        adam.step()
        if args.device == "cpu":
            loss.item()
        tokens += n if i >= WARM_UP or every else 0
        if every and (i + 1) % every == 0:
            now = time.perf_counter()
            print(i + 1, now - start - saving, flush=True)
            model.save(f"{args.save[1]}/params.{i + 1}")
            saving += time.perf_counter() - now
    wait(args.device)
    print(tokens / (time.perf_counter() - start - saving), first)


main()
