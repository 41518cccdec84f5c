"""Lightning: return the optimizer from `configure_optimizers`; a schedule goes with it as usual."""

import lightning
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import surefoot.torch


class Model(lightning.LightningModule):
    """A small network."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def training_step(self, batch):
        """Return the loss of a batch."""
        x, y = batch
        return mse_loss(self.network(x), y)

    def configure_optimizers(self):
        """AdaBound under a cosine schedule, which scales its bounds too."""
        optimizer = surefoot.torch.AdaBound(self.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.trainer.max_epochs)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


lightning.seed_everything(0, verbose=False)
x = torch.randn(256, 4)
y = x.sum(dim=1, keepdim=True)
model = Model()
first = mse_loss(model.network(x), y).item()
trainer = lightning.Trainer(
    max_epochs=30, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
)
trainer.fit(model, DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True))
print(f"loss {first:.4f} -> {mse_loss(model.network(x), y).item():.4f}")
