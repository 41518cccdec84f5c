"""DeepOBS's network "2c2d" for Fashion-MNIST (Schneider et al., ICLR 2019), with published runs of ten seeds.

Two 5 x 5 convolutions that keep the size, each with ReLU and 2 x 2 max-pooling; a dense layer of 1,024 with ReLU; ten
outputs. Weights are drawn from a normal distribution of deviation 0.05, cut off at two deviations as TensorFlow cuts
it; biases are 0.05. 3,274,634 numbers. Pixels are divided by 255, and nothing else is done to them. The order in which
the pixels are flattened is not TensorFlow's, which changes nothing: all weights of a layer are drawn alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surefoot.tasks.models.parts import classified, pixels, uninitialized

DEVIATION = 0.05
CUT = 2 * DEVIATION
BIAS = 0.05


def make_model(seed: int) -> nn.Module:
    """Return the network with the initial weights of a seed. Torch's global random numbers stay as they are."""
    model = nn.Sequential(
        uninitialized(nn.Conv2d(1, 32, 5, padding=2, device="meta")),
        nn.ReLU(),
        nn.MaxPool2d(2),
        uninitialized(nn.Conv2d(32, 64, 5, padding=2, device="meta")),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        uninitialized(nn.Linear(7 * 7 * 64, 1024, device="meta")),
        nn.ReLU(),
        uninitialized(nn.Linear(1024, 10, device="meta")),
    )
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(parameter, BIAS)
        else:
            nn.init.trunc_normal_(parameter, std=DEVIATION, a=-CUT, b=CUT, generator=generator)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def measure(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the accuracy of a batch of raw images and labels."""
    return classified(model(pixels(batch[0].unsqueeze(1))), batch[1])
