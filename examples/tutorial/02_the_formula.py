"""The formula, by hand in NumPy and by the layer.

h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),    h_0 = 0
"""

import numpy as np
import torch

import elman.nn

np.set_printoptions(precision=4, floatmode="fixed", suppress=True)

torch.manual_seed(42)
rnn = elman.nn.RNN(2, 4)
x = torch.rand(3, 1, 2)  # (steps, batch, input_size)

# The layer's own weights, so that both compute the same thing. _l0: of layer 0.
weights = {name: tensor.numpy() for name, tensor in rnn.state_dict().items()}
w_ih, w_hh = weights["weight_ih_l0"], weights["weight_hh_l0"]
b_ih, b_hh = weights["bias_ih_l0"], weights["bias_hh_l0"]

h = np.zeros(4, dtype=np.float32)  # the initial state: nothing has been read yet
by_hand = []
for t in range(3):
    x_t = x[t, 0].numpy()
    from_input = w_ih @ x_t + b_ih
    from_past = w_hh @ h + b_hh
    h = np.tanh(from_input + from_past)
    by_hand.append(h)
    print(f"step {t + 1}:  x = {x_t}")
    print(f"  from the input  W_ih x + b_ih = {from_input}")
    print(f"  from the past   W_hh h + b_hh = {from_past}")
    print(f"  new state       h = tanh(sum) = {h}")

with torch.no_grad():
    output, h_n = rnn(x)

print("\nThe layer's output, one row a step:")
print(output[:, 0].numpy())
print("Equal to the hand computation:", np.allclose(output[:, 0].numpy(), by_hand, rtol=0, atol=1e-6))
