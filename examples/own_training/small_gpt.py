"""A small GPT-2: batches are dicts, gradients of four batches make a step, and a schedule of its own warms up.

surefoot compare small_gpt.py:train --better min --epochs 3
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

TEXT = "".join(f"{a} plus {b} is {a + b}. " for a in range(10) for b in range(10))
LETTERS = sorted(set(TEXT))
TOKENS = torch.tensor([LETTERS.index(letter) for letter in TEXT])
LENGTH, ACCUMULATE = 32, 4


class SmallGPT(nn.Module):
    """Two blocks that look back."""

    def __init__(self, width=32):
        super().__init__()
        self.tokens, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(LENGTH, width)
        block = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(LETTERS))

    def forward(self, input_ids, labels):
        """Return the loss of predicting each next letter."""
        length = input_ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.tokens(input_ids) + self.places(torch.arange(length))
        logits = self.head(self.blocks(hidden, mask=mask, is_causal=True))
        return cross_entropy(logits.flatten(0, 1), labels.flatten())


def batch(starts):
    """Return one batch, as language models take it."""
    rows = torch.stack([TOKENS[start : start + LENGTH + 1] for start in starts])
    return {"input_ids": rows[:, :-1], "labels": rows[:, 1:]}


def evaluated(model, low, high):
    """Return the loss on a part of the text."""
    model.eval()
    with torch.no_grad():
        loss = model(**batch(range(low, high - LENGTH - 1, LENGTH)))
    model.train()
    return loss


def train(run):
    """Train once."""
    model = SmallGPT()
    optimizer = run.optimizer(model)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10))
    run.save(model=model, warm_up=warm_up)
    for _ in run.epochs():
        for _ in range(10):
            optimizer.zero_grad()
            total = 0.0
            for starts in torch.randint(0, 1000, (ACCUMULATE, 4)):
                loss = model(**batch(starts)) / ACCUMULATE
                loss.backward()
                total += loss.item()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            warm_up.step()
            run.step(total)
        run.report(lambda: evaluated(model, 1100, 1300))
    run.test(lambda: evaluated(model, 1300, len(TOKENS)))
