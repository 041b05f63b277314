"""A few small layers, forward and back, on a GPU: a process for compute-sanitizer (tools/cuda_check.sh)."""

import torch

from elman import nn
from elman.cells import LayerNormGRU


def main() -> None:
    assert nn.use_cuda_engine(), "elman's kernels are not in use"
    for layer_class in (nn.RNN, nn.GRU, nn.LSTM):
        for hidden_size in (5, 33, 130):
            layer = layer_class(7, hidden_size, bidirectional=True).cuda()
            output, _ = layer(torch.randn(4, 3, 7, device="cuda", requires_grad=True))
            output.sum().backward()
    layer = nn.Recurrent(LayerNormGRU(), 7, 33, bidirectional=True).cuda()
    output, _ = layer(torch.randn(4, 3, 7, device="cuda", requires_grad=True))
    output.sum().backward()
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
