"""The GNMT-like RNN as one writes it with PyTorch: the encoder is torch.nn.LSTM
over packed sequences, the decoder a loop over LSTMCells, with dot attention
asked by the first layer, its context read by the layers above, and input
feeding. torch_train.py trains it (--size rnn)."""
import torch
import torch.nn.functional as F
from torch import nn

PAD = 0


class Model(nn.Module):
    def __init__(self, words, width, layers, dropout):
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(words, width)
        nn.init.uniform_(self.embed.weight, -0.07, 0.07)
        self.first = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.rest = nn.LSTM(width, width, layers - 1, batch_first=True) if layers > 1 else None
        self.cells = nn.ModuleList(nn.LSTMCell(2 * width, width) for _ in range(layers))
        self.start = nn.ModuleList(nn.Linear(width, width) for _ in range(2 * layers))
        self.hidden = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(words))
        self.dropout = nn.Dropout(dropout)

    def encode(self, source):
        lengths = (source != PAD).sum(1)
        x = nn.utils.rnn.pack_padded_sequence(self.embed(source), lengths, batch_first=True, enforce_sorted=False)
        x, _ = self.first(x)
        if self.rest:
            x, _ = self.rest(x)
        x, _ = nn.utils.rnn.pad_packed_sequence(x, batch_first=True, total_length=source.shape[1])
        return x, x[torch.arange(len(lengths)), lengths - 1]

    def forward(self, source, target):
        memory, last = self.encode(source)
        keys, away = memory.transpose(1, 2), (source == PAD).unsqueeze(1)
        state = [torch.tanh(layer(last)) for layer in self.start]
        state = [(state[2 * i], state[2 * i + 1]) for i in range(len(self.cells))]
        y, s, tops = self.embed(target), torch.zeros_like(last), []
        for t in range(target.shape[1]):
            x, context = torch.cat((y[:, t], s), 1), None
            for i, cell in enumerate(self.cells):
                state[i] = cell(x if i == 0 else torch.cat((x, context), 1), state[i])
                x = state[i][0]
                if i == 0:
                    scores = torch.bmm(x.unsqueeze(1), keys).masked_fill(away, float("-inf"))
                    context = torch.bmm(F.softmax(scores, 2), memory).squeeze(1)
            s = torch.tanh(self.hidden(self.dropout(torch.cat((x, context), 1))))
            tops.append(s)
        return F.linear(torch.stack(tops, 1), self.embed.weight, self.bias)
