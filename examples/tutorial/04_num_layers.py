"""num_layers: layer 1 reads what layer 0 wrote."""

import torch

import elman.nn

torch.manual_seed(42)
rnn = elman.nn.RNN(2, 4, num_layers=2)
x = torch.rand(3, 1, 2)
with torch.no_grad():
    output, h_n = rnn(x)

print(rnn)
print("\nParameters (_l0: layer 0, _l1: layer 1):")
for name, parameter in rnn.named_parameters():
    print(f"  {name:<13} {tuple(parameter.shape)}")
print("\nweight_ih_l1 is (4, 4): the input of layer 1 is the hidden state of layer 0.")

print("\noutput", tuple(output.shape), "holds the last layer only, all steps:")
print(output)
print("h_n", tuple(h_n.shape), "holds the last step only, all layers:")
print(h_n)
print("They meet in one place, output[-1] == h_n[-1]:", torch.equal(output[-1], h_n[-1]))

# The same by hand: two RNNs of one layer each, with the weights of the two layers.
layer_0, layer_1 = elman.nn.RNN(2, 4), elman.nn.RNN(4, 4)
weights = rnn.state_dict()
layer_0.load_state_dict({name: weights[name] for name in layer_0.state_dict()})
layer_1.load_state_dict({name: weights[name.replace("_l0", "_l1")] for name in layer_1.state_dict()})
with torch.no_grad():
    between, _ = layer_0(x)
    stacked, _ = layer_1(between)
print("\nTwo layers of one, one after the other, give the same output:", torch.equal(stacked, output))
