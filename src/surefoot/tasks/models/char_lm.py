"""A small causal transformer that predicts the next character: two pre-norm blocks of width 96, four heads.

241,982 weights, without dropout. They start as GPT-2's do (Radford et al. 2019): normal with deviation 0.02, those that
lead back into the residual stream smaller by the root of the number of such layers, biases zero.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.tasks.models.characters import CONTEXT, VOCABULARY
from surefoot.tasks.models.parts import uninitialized

WIDTH, HEADS, BLOCKS = 96, 4, 2
DEVIATION = 0.02
BACK = DEVIATION / math.sqrt(2 * BLOCKS)  # for the layers that add to the residual stream: two in each block


class TransformerBlock(nn.Module):
    """A pre-norm block: causal attention, then a layer of four times the width, both residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attend = uninitialized(nn.Linear(WIDTH, 3 * WIDTH, device="meta"))
        self.back1 = uninitialized(nn.Linear(WIDTH, WIDTH, device="meta"))
        self.widen = uninitialized(nn.Linear(WIDTH, 4 * WIDTH, device="meta"))
        self.back2 = uninitialized(nn.Linear(4 * WIDTH, WIDTH, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        """N x places x width, to the same."""
        query, key, value = (self._heads(part) for part in self.attend(self.norm1(x)).chunk(3, dim=-1))
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.back1(seen.transpose(1, 2).flatten(2))
        added: Tensor = x + self.back2(functional.gelu(self.widen(self.norm2(x))))
        return added

    @staticmethod
    def _heads(x: Tensor) -> Tensor:
        """N x places x width to N x heads x places x (width / heads)."""
        return x.view(*x.shape[:-1], HEADS, -1).transpose(1, 2)


class Transformer(nn.Module):
    """Codes of characters, N x places with at most `CONTEXT` places, to N x `VOCABULARY` x places."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = (
            nn.Embedding(count, WIDTH, _weight=torch.empty(count, WIDTH)) for count in (VOCABULARY, CONTEXT)
        )
        self.blocks = nn.Sequential(*(TransformerBlock() for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = uninitialized(nn.Linear(WIDTH, VOCABULARY, device="meta"))

    def forward(self, codes: Tensor) -> Tensor:
        """Return the logits of what comes after each place."""
        x = self.letters(codes) + self.places.weight[: codes.shape[1]]
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits.transpose(1, 2)


def make_model(seed: int) -> nn.Module:
    """Return the transformer with the initial weights of a seed; torch's global random numbers are neither used nor
    moved.
    """
    model, generator = Transformer(), torch.Generator().manual_seed(seed)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            deviation = BACK if "back" in name else DEVIATION
            nn.init.normal_(module.weight, std=deviation, generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return model


def measure(model: nn.Module, batch: tuple[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of a batch of rows in nats a character, and the same in bits."""
    codes = batch[0].long()
    loss = functional.cross_entropy(model(codes[:, :-1]), codes[:, 1:])
    return loss, loss.detach().double() / math.log(2)
