"""dropout: zeros between the layers, while training only."""

import warnings

import torch

import elman.nn

torch.manual_seed(42)
rnn = elman.nn.RNN(2, 4, num_layers=2, dropout=0.5)
x = torch.rand(3, 1, 2)


def run() -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        output, h_n = rnn(x)
    return output[-1, 0], h_n[0, 0]


print(rnn)
print("\nrnn.train(): every call drops other values. output[-1] of three calls:")
rnn.train()
for _ in range(3):
    print(" ", run()[0])

print("\nSeed the generator and the same values are dropped:")
for _ in range(2):
    torch.manual_seed(7)
    print(" ", run()[0])

print("\nrnn.eval(): nothing is dropped, every call is the same. Predict like this:")
rnn.eval()
for _ in range(2):
    print(" ", run()[0])

print("\nWhere it acts: on what layer 1 reads of layer 0, and nowhere else.")
output_eval, layer_0_eval = run()
rnn.train()
output_train, layer_0_train = run()
print("  the state of layer 0 is the same in both modes:", torch.equal(layer_0_train, layer_0_eval))
print("  the output of layer 1 is the same in both modes:", torch.equal(output_train, output_eval))
print("  values of the output that dropout set to zero:", int((output_train == 0).sum()))

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    elman.nn.RNN(2, 4, num_layers=1, dropout=0.5)
print("\nA single layer has nothing between layers: to ask for dropout there only warns:")
print(" ", caught[0].category.__name__)
