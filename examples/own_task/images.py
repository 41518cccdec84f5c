"""Pictures of crosses and rings: augmentation, mixup, groups, clipping, an average of the weights, and bfloat16.

surefoot compare images.py:images --only -o sgd -o adamw --epochs 5
"""

import torch
from torch import nn
from torch.nn.functional import one_hot
from torch.utils.data import DataLoader, Dataset

import surefoot

SIZE = 12


def pictures(count, seed):
    """Return pictures of crosses (0) and rings (1) with noise, and which they are."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(2, (count,), generator=generator)
    across = torch.arange(SIZE) - (SIZE - 1) / 2
    distance = (across[:, None].square() + across.square()).sqrt()
    shapes = torch.stack([(across[:, None].abs() < 1) | (across.abs() < 1), (distance - 4).abs() < 1]).float()
    return shapes[kinds][:, None] + torch.randn(count, 1, SIZE, SIZE, generator=generator), kinds


class Augmented(Dataset):
    """Pictures that are moved and turned over at random, each time that they are taken."""

    def __init__(self, pictures, kinds):
        self.pictures, self.kinds = pictures, kinds

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, index):
        picture = self.pictures[index].roll(tuple(torch.randint(-1, 2, (2,)).tolist()), dims=(1, 2))
        return picture.flip(2) if torch.rand(()) < 0.5 else picture, self.kinds[index]


def mixup(batch):
    """Mix each example of a batch with another one; only training batches are given."""
    inputs, targets = batch
    share, order = torch.distributions.Beta(0.2, 0.2).sample(), torch.randperm(len(inputs))
    both = one_hot(targets, 2).float()
    return share * inputs + (1 - share) * inputs[order], share * both + (1 - share) * both[order]


def network():
    """Return a small network with BatchNorm."""
    first = [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(8 * 5 * 5, 2))


def no_decay(named):
    """Return groups of parameters: weights decay, biases and BatchNorm's numbers do not."""
    return [
        {"params": [p for _, p in named if p.ndim > 1]},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


images = surefoot.task(
    model=network,
    data=(DataLoader(Augmented(*pictures(512, 0)), batch_size=32), pictures(256, 1), pictures(256, 2)),
    transform=mixup,
    clip=1.0,
    ema=0.9,
    precision="bf16",
    name="images",
)
optimizers = ["sgd(lr=0.1)", surefoot.Opt("adamw", lr=0.01, groups=no_decay)]

if __name__ == "__main__":
    print(surefoot.compare(images, optimizers=optimizers, epochs=5).table())
