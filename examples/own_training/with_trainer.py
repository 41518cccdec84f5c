"""Hugging Face Trainer: it is given the optimizer of the run, and a callback tells what happens.

surefoot compare with_trainer.py:train --better min --epochs 5
"""

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

generator = torch.Generator().manual_seed(0)
x = torch.randn(400, 4, generator=generator)
y = x.sum(dim=1, keepdim=True).sin()


class Rows(Dataset):
    """Some of the rows."""

    def __init__(self, part):
        self.x, self.y = x[part], y[part]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index], "labels": self.y[index]}


class Model(nn.Module):
    """A small network that returns its loss, as the Trainer expects."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x, labels):
        """Return the loss and the prediction."""
        prediction = self.network(x)
        return {"loss": mse_loss(prediction, labels), "logits": prediction}


class Telling(Trainer):
    """A Trainer that keeps the loss of its last batch."""

    def training_step(self, *arguments, **options):
        """Return the loss of a batch."""
        self.last = super().training_step(*arguments, **options)
        return self.last


class Tell(TrainerCallback):
    """Tells the run of epochs and steps."""

    def __init__(self, run, trainer, evaluated):
        self.run, self.epochs, self.trainer, self.evaluated = run, run.epochs(), trainer, evaluated

    def on_epoch_begin(self, *_, **__):
        """Begin an epoch."""
        next(self.epochs)

    def on_step_end(self, *_, **__):
        """Tell of a step."""
        self.run.step(self.trainer.last)

    def on_epoch_end(self, *_, **__):
        """Report the validation."""
        self.run.report(self.evaluated)


def train(run):
    """Train once."""
    model = Model()
    optimizer = run.optimizer(model)
    arguments = TrainingArguments(
        output_dir="trainer",
        num_train_epochs=len(run.epochs()),
        per_device_train_batch_size=32,
        seed=run.seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=run.device == "cpu",
    )
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)  # the Trainer has a schedule otherwise
    trainer = Telling(model, arguments, train_dataset=Rows(slice(0, 256)), optimizers=(optimizer, constant))

    def evaluated(part=slice(256, 320)):
        with torch.no_grad():
            return model(x[part].to(run.device), y[part].to(run.device))["loss"]

    trainer.add_callback(Tell(run, trainer, evaluated))
    trainer.train()
    run.test(lambda: evaluated(slice(320, 400)))
