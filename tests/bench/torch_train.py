"""The plain PyTorch loop: torch.nn.Transformer of the size SMALL, sentences of
like length in padded batches of about 2,048 target tokens, Adam.

torch_train.py float32|bfloat16 UPDATES THREADS SOURCE TARGET
prints target tokens (without padding) per second of UPDATES updates after two
to warm up, and when the first of all began, in seconds since the epoch;
bfloat16 is autocast.
"""
import random
import sys
import time
from collections import Counter

import torch
import torch.nn.functional as F
from torch import nn

PAD, UNK, BOS, EOS = range(4)
WIDTH, HEADS, LAYERS, HIDDEN, DROPOUT, LONGEST = 256, 4, 3, 1024, 0.3, 99


def read(source, target):
    sides = [[line.split() for line in open(path, encoding="utf8")] for path in (source, target)]
    counts = Counter(word for side in sides for line in side for word in line)
    ids = {word: i + 4 for i, (word, _) in enumerate(counts.most_common())}
    return [([ids[w] for w in s] + [EOS], [ids[w] for w in t]) for s, t in zip(*sides)
            if s and t and len(s) <= LONGEST and len(t) <= LONGEST], len(ids) + 4


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def batches(pairs, wanted):
    """Batches out of all lengths, in random order."""
    pairs = sorted(pairs, key=lambda p: (len(p[1]), len(p[0])))
    cut, begin, tokens = [], 0, 0
    for i, (_, target) in enumerate(pairs):
        if tokens + len(target) + 1 > 2048:
            cut.append(pairs[begin:i])
            begin, tokens = i, 0
        tokens += len(target) + 1
    random.shuffle(cut)
    for batch in cut[:wanted]:
        yield (padded([s for s, _ in batch]), padded([[BOS] + t for _, t in batch]),
               padded([t + [EOS] for _, t in batch]), sum(len(t) + 1 for _, t in batch))


class Model(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.embed = nn.Embedding(words, WIDTH)
        nn.init.normal_(self.embed.weight, std=WIDTH ** -0.5)
        self.positions = nn.Parameter(torch.randn(LONGEST + 1, WIDTH) * 0.02, requires_grad=False)
        self.transformer = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, HIDDEN, DROPOUT, batch_first=True,
                                          norm_first=True)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, source, target):
        x, y = (self.dropout(self.embed(t) * WIDTH ** 0.5 + self.positions[:t.shape[1]]) for t in (source, target))
        later = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), 1)
        out = self.transformer(x, y, tgt_mask=later, src_key_padding_mask=source == PAD,
                               memory_key_padding_mask=source == PAD)
        return F.linear(out, self.embed.weight, self.bias)


def main():
    dtype, updates, threads, source, target = sys.argv[1:]
    updates = int(updates)
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    random.seed(1)
    pairs, words = read(source, target)
    model = Model(words).train()
    adam = torch.optim.Adam(model.parameters(), lr=2e-4)
    first = time.time()
    tokens, start = 0, 0.0
    for i, (s, t, labels, n) in enumerate(batches(pairs, updates + 2)):
        if i == 2:
            start = time.perf_counter()
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            logits = model(s, t)
        loss = F.cross_entropy(logits.float().view(-1, words), labels.view(-1), ignore_index=PAD, label_smoothing=0.1)
        loss.backward()
        adam.step()
        loss.item()
        tokens += n if i >= 2 else 0
    print(tokens / (time.perf_counter() - start), first)


main()
