"""Hugging Face Trainer: `optimizer_cls_and_kwargs` makes the optimizer once the model is where it will be trained."""

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, set_seed

import surefoot.torch


class Sums(Dataset):
    """Rows of four numbers, and their sums."""

    def __init__(self):
        self.x = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "labels": self.x[index].sum(dim=0, keepdim=True)}


class Model(nn.Module):
    """A small network that returns its loss, as the Trainer expects."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x, labels):
        """Return the loss and the prediction."""
        prediction = self.network(x)
        return {"loss": mse_loss(prediction, labels), "logits": prediction}


set_seed(0)
model, data = Model(), Sums()
first = model(data.x, data.x.sum(dim=1, keepdim=True))["loss"].item()
arguments = TrainingArguments(
    output_dir="trainer",
    num_train_epochs=30,
    per_device_train_batch_size=64,
    learning_rate=1e-2,  # for its schedules; the optimizer's own rate is below
    report_to="none",
    save_strategy="no",
    disable_tqdm=True,
    use_cpu=not torch.cuda.is_available(),
)
trainer = Trainer(
    model,
    arguments,
    train_dataset=data,
    optimizer_cls_and_kwargs=(surefoot.torch.AdaBound, {"lr": 1e-2}),
)
trainer.train()
model.cpu()
print(f"loss {first:.4f} -> {model(data.x, data.x.sum(dim=1, keepdim=True))['loss'].item():.4f}")
