"""RNN: its sizes, its parameters, what goes in and what comes out."""

import torch

import elman.nn

torch.manual_seed(42)
rnn = elman.nn.RNN(input_size=2, hidden_size=4)
print(rnn)

print("\nParameters:")
for name, parameter in rnn.named_parameters():
    print(f"  {name:<13} {tuple(parameter.shape)}")

x = torch.rand(3, 1, 2)
with torch.no_grad():
    output, h_n = rnn(x)

print("\nIn and out:")
print("  input  (steps, batch, input_size)       ", tuple(x.shape))
print("  output (steps, batch, hidden_size)      ", tuple(output.shape))
print("  h_n    (num_layers, batch, hidden_size) ", tuple(h_n.shape))
print("\noutput, the hidden state after every step:")
print(output)
print("h_n, the hidden state after the last step:")
print(h_n)
print("The last row of output is h_n:", torch.equal(output[-1], h_n[0]))

# batch_first swaps the first two axes of input and output. h_n keeps its shape.
torch.manual_seed(42)  # the same seed, so the same weights
rnn = elman.nn.RNN(input_size=2, hidden_size=4, batch_first=True)
x = x.transpose(0, 1)
with torch.no_grad():
    turned, h_n = rnn(x)
print("\nWith batch_first=True:")
print("  input  (batch, steps, input_size)       ", tuple(x.shape))
print("  output (batch, steps, hidden_size)      ", tuple(turned.shape))
print("  h_n    (num_layers, batch, hidden_size) ", tuple(h_n.shape))
print("The same numbers:", torch.equal(turned.transpose(0, 1), output))

# A sequence may come in pieces: hand the state of the first to the second.
with torch.no_grad():
    first, h = rnn(x[:, :2])
    second, h = rnn(x[:, 2:], h)
print("\nRead in two pieces, the same again:", torch.equal(torch.cat([first, second], dim=1), turned))
