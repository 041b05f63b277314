"""RNNCell: one step at a time, and equal to RNN bit for bit."""

import torch

import elman.nn

torch.manual_seed(42)
rnn = elman.nn.RNN(4, 6)
x = torch.rand(3, 2, 4)  # three steps of two sequences

torch.manual_seed(42)
cell = elman.nn.RNNCell(4, 6)  # the same seed, so the same weights

print("RNN numbers its layers in the names, RNNCell is one layer and needs no number:")
for (in_rnn, _), (in_cell, parameter) in zip(rnn.named_parameters(), cell.named_parameters(), strict=True):
    print(f"  {in_rnn:<13} {in_cell:<10} {tuple(parameter.shape)}")

with torch.no_grad():
    output, h_n = rnn(x)

    h = torch.zeros(2, 6)
    states = []
    for x_t in x:
        h = cell(x_t, h)  # yours to look at, change or stop before the next step
        states.append(h)
    by_cell = torch.stack(states)

print("\nRNN over the whole sequence:")
print(output)
print("\nRNNCell, step by step:")
print(by_cell)
print("\nEqual to the last bit:", torch.equal(output, by_cell))
