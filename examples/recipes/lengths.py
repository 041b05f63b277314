"""Sequences of different lengths: Japanese vowels, 7 to 29 steps long, told apart by who says them.

python examples/recipes/lengths.py
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

import elman.nn

DATA = Path(__file__).parents[2] / "data"


def read(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Sequences (steps, batch, 12), padded with zeros to the longest; their lengths; their speakers, 0 to 8."""
    lines = (DATA / name).read_text(encoding="utf-8").partition("@data\n")[2].splitlines()
    *rows, speakers = zip(*(line.split(":") for line in lines), strict=True)
    features = zip(*rows, strict=True)
    sequences = [torch.tensor([[*map(float, row.split(","))] for row in of_one]).T for of_one in features]
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return pad_sequence(sequences), lengths, torch.tensor([int(speaker) - 1 for speaker in speakers])


torch.manual_seed(0)
gru, head = elman.nn.GRU(12, 16, bidirectional=True), nn.Linear(32, 9)
input, lengths, speakers = read("japanese_vowels_train.ts")

with torch.no_grad():
    output, h_n = gru(input, lengths=lengths)
    packed_output, packed_h_n = gru(pack_padded_sequence(input, lengths, enforce_sorted=False))
    unpacked = pad_packed_sequence(packed_output)[0]
    input[torch.arange(len(input))[:, None] >= lengths] = torch.nan  # and so it stays: training reads none of it either
    beside_nan = gru(input, lengths=lengths)[0]

print(f"{input.shape[1]} sequences of {lengths.min()} to {lengths.max()} steps")
print(f"  input {(*input.shape,)}, output {(*output.shape,)}, h_n {(*h_n.shape,)}")
print("Equal to the packed form to the last bit:", torch.equal(output, unpacked) and torch.equal(h_n, packed_h_n))
print("After a sequence's end come zeros:", not output[lengths[0] :, 0].any())
print("NaN there makes no difference:", torch.equal(beside_nan, output))

optimizer = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=0.02)
for _ in range(30):
    _, h_n = gru(input, lengths=lengths)  # h_n: each sequence's own last step, and the reverse direction's first
    loss = nn.functional.cross_entropy(head(torch.cat([*h_n], dim=1)), speakers)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

input, lengths, speakers = read("japanese_vowels_test.ts")
with torch.no_grad():
    for said, h_n in (("with", gru(input, lengths=lengths)[1]), ("without", gru(input)[1])):
        answers = head(torch.cat([*h_n], dim=1)).argmax(dim=1)
        print(f"{said} lengths: {(answers == speakers).sum()} of {len(speakers)} test sequences right")
