"""Lightning: `configure_optimizers` returns the optimizer of the run, and a callback tells what happens.

surefoot compare with_lightning.py:train --better min --epochs 5
"""

import lightning
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

generator = torch.Generator().manual_seed(0)
x = torch.randn(400, 4, generator=generator)
y = x.sum(dim=1, keepdim=True).sin()


class Model(lightning.LightningModule):
    """A small network."""

    def __init__(self, run):
        super().__init__()
        self.run, self.network = run, nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def training_step(self, batch):
        """Return the loss of a batch."""
        return mse_loss(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        """Return the optimizer that is compared."""
        return self.run.optimizer(self)


class Tell(lightning.Callback):
    """Tells the run of epochs and steps."""

    def __init__(self, run, evaluated):
        self.run, self.epochs, self.evaluated = run, run.epochs(), evaluated

    def on_train_epoch_start(self, *_):
        """Begin an epoch."""
        next(self.epochs)

    def on_train_batch_end(self, trainer, module, outputs, *_):  # noqa: ARG002
        """Tell of a step."""
        self.run.step(outputs["loss"])

    def on_train_epoch_end(self, *_):
        """Report the validation."""
        self.run.report(self.evaluated)


def train(run):
    """Train once."""
    model = Model(run)

    def evaluated(part=slice(256, 320)):
        with torch.no_grad():
            return mse_loss(model.network(x[part].to(model.device)), y[part].to(model.device))

    trainer = lightning.Trainer(
        max_epochs=len(run.epochs()),
        accelerator="cpu" if run.device == "cpu" else "auto",
        callbacks=[Tell(run, evaluated)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(TensorDataset(x[:256], y[:256]), batch_size=32, shuffle=True))
    run.test(lambda: evaluated(slice(320, 400)))
