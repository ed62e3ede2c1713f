"""A grid of networks trained at once, beside a loop over ordinary PyTorch networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from benchmarks.operation import side_by_side
from benchmarks.rows import Row
from dlcourse.data import Dataset, digits
from dlcourse.grid import train_grid

PS, SEEDS, EPOCHS, BATCH, LR, MOMENTUM = (0.0, 0.2, 0.5, 0.8), 8, 10, 50, 0.1, 0.9
TARGETS = {(64, 64): ">= 6", (256, 256): ">= 2"}


def rows() -> list[Row]:
    """Measure 32 networks on 1,000 digits, both scored after every epoch, on all threads."""
    data = digits(train_size=1000)
    return [row(data, hidden, target) for hidden, target in TARGETS.items()]


def row(data: Dataset, hidden: tuple[int, ...], target: str) -> Row:
    """Measure networks of one shape."""

    def at_once() -> None:
        train_grid(
            data,
            hidden,
            PS,
            SEEDS,
            epochs=EPOCHS,
            batch_size=BATCH,
            lr=LR,
            momentum=MOMENTUM,
            progress=None,
        )

    what = f"{SEEDS} seeds × {len(PS)} p of 64-{hidden[0]}-{hidden[1]}-10, looped nn.Sequential"
    return side_by_side(what, at_once, lambda: loop(data, hidden), target, repeats=5)


def loop(data: Dataset, hidden: Sequence[int]) -> None:
    """Train the same networks the usual way, one after the other."""
    X, y = torch.tensor(data.X_train).float(), torch.tensor(data.y_train)
    X_test, y_test = torch.tensor(data.X_test).float(), torch.tensor(data.y_test)
    loss_of = nn.CrossEntropyLoss()
    for p in PS:
        for _ in range(SEEDS):
            model = network(hidden, p)
            optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
            for _ in range(EPOCHS):
                model.train()
                for batch in torch.randperm(len(y)).split(BATCH):
                    optimizer.zero_grad()
                    loss = loss_of(model(X[batch]), y[batch])
                    loss.backward()
                    optimizer.step()
                model.eval()
                with torch.no_grad():
                    for inputs, labels in ((X, y), (X_test, y_test)):
                        logits = model(inputs)
                        loss_of(logits, labels).item()
                        (logits.argmax(dim=1) == labels).float().mean().item()


def network(hidden: Sequence[int], p: float) -> nn.Sequential:
    """Return a network with a dropout layer after each hidden one."""
    sizes = [64, *hidden]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))
