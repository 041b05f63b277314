"""A few small layers, forward and back, on a GPU: a process for compute-sanitizer (tools/cuda_check.sh)."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence

from elman import nn
from elman.cells import LayerNormGRU


def main() -> None:
    assert nn.use_cuda_engine(), "elman's kernels are not in use"
    for layer_class in (nn.RNN, nn.GRU, nn.LSTM):
        for hidden_size in (5, 33, 130):
            layer = layer_class(7, hidden_size, bidirectional=True).cuda()
            output, _ = layer(torch.randn(4, 3, 7, device="cuda", requires_grad=True))
            output.sum().backward()
        # an odd number of rows, two to a block: more than there is room for at once
        rows = 4 * torch.cuda.get_device_properties(0).multi_processor_count + 1
        packed = pack_padded_sequence(torch.randn(2, rows, 7, device="cuda"), [2] * (rows - 3) + [1] * 3)
        output, _ = layer_class(7, 260).cuda()(packed)
        output.data.sum().backward()
    layer = nn.Recurrent(LayerNormGRU(), 7, 33, bidirectional=True).cuda()
    output, _ = layer(torch.randn(4, 3, 7, device="cuda", requires_grad=True))
    output.sum().backward()
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
