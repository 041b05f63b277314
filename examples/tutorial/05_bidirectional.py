"""bidirectional: one network reads from the left, another from the right."""

import torch

import elman.nn

torch.manual_seed(42)
rnn = elman.nn.RNN(2, 3, bidirectional=True)
x = torch.rand(3, 1, 2)
with torch.no_grad():
    output, h_n = rnn(x)

print(rnn)
print("\nParameters (_reverse: those of the network that reads from the right):")
for name, parameter in rnn.named_parameters():
    print(f"  {name:<21} {tuple(parameter.shape)}")

print("\noutput", tuple(output.shape), "has forward in columns 0 to 2 and reverse in 3 to 5:")
print(output)
print("h_n", tuple(h_n.shape), "is where each direction ended, forward first:")
print(h_n)
print("Forward ends at the last step,  output[-1, :, :3] == h_n[0]:", torch.equal(output[-1, :, :3], h_n[0]))
print("Reverse ends at the first step, output[0, :, 3:]  == h_n[1]:", torch.equal(output[0, :, 3:], h_n[1]))

# The same by hand: a one-directional RNN with the reverse weights, over the steps turned round.
backwards = elman.nn.RNN(2, 3)
backwards.load_state_dict({name: rnn.state_dict()[name + "_reverse"] for name in backwards.state_dict()})
with torch.no_grad():
    from_right = backwards(x.flip(0))[0].flip(0)
print("\nOne RNN over the steps turned round gives the same:", torch.equal(from_right, output[:, :, 3:]))
