"""A grid of networks trained at once, beside what one would write in PyTorch instead.

The peers do the same work: as many networks on as many batches, each network in an order of its
own, with the training and the test images scored after every epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.operation import side_by_side
from benchmarks.rows import Row
from dlcourse.data import Dataset, digits
from dlcourse.grid import train_grid

PS, SEEDS, EPOCHS, BATCH, LR, MOMENTUM = (0.0, 0.2, 0.5, 0.8), 8, 3, 50, 0.1, 0.9
WIDTHS = ((64, 64), (256, 256))
Trainer = Callable[[Dataset, Sequence[int]], torch.Tensor]


def rows() -> list[Row]:
    """Measure 32 networks on 1,000 digits, both scored after every epoch."""
    data = digits(train_size=1000)
    return [row for hidden in WIDTHS for row in rows_of(data, hidden)]


def rows_of(data: Dataset, hidden: Sequence[int]) -> list[Row]:
    """Measure networks of one shape, beside the peers on all threads and beside one thread."""
    what = f"{SEEDS} seeds × {len(PS)} p of 64-{hidden[0]}-{hidden[1]}-10"

    def beside(name: str, ours: Trainer, peer: Trainer, target: str, repeats: int) -> Row:
        calls = partial(ours, data, hidden), partial(peer, data, hidden)
        return side_by_side(f"{what}, {name}", *calls, target, repeats=repeats)

    one, two = on_threads(1, grid), on_threads(2, grid)
    return [
        beside("looped nn.Sequential", grid, loop, ">= 1.5", repeats=3),
        beside("batched autograd", grid, batched_autograd, ">= 1", repeats=5),
        beside("two threads, one thread", two, one, ">= 0.8", repeats=5),
    ]


def on_threads(count: int, trainer: Trainer) -> Trainer:
    """Return the trainer on so many threads."""

    def limited(data: Dataset, hidden: Sequence[int]) -> torch.Tensor:
        threads = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            return trainer(data, hidden)
        finally:
            torch.set_num_threads(threads)

    return limited


# --- the trainers: each returns the accuracy on the test images after the last epoch, (ps, seeds)


def grid(data: Dataset, hidden: Sequence[int]) -> torch.Tensor:
    """Train with this package."""
    settings = {"epochs": EPOCHS, "batch_size": BATCH, "lr": LR, "momentum": MOMENTUM}
    trained = train_grid(data, hidden, PS, SEEDS, **settings, progress=None)
    return torch.from_numpy(trained.curves.test_accuracy[..., -1])


def loop(data: Dataset, hidden: Sequence[int]) -> torch.Tensor:
    """Train the usual way, one network after the other."""
    X, y, X_test, y_test = tensors(data)
    loss_of = nn.CrossEntropyLoss()
    accuracies = []
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
                        accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
            accuracies.append(accuracy)
    return torch.tensor(accuracies).view(len(PS), SEEDS)


def network(hidden: Sequence[int], p: float) -> nn.Sequential:
    """Return a network with a dropout layer after each hidden one."""
    sizes = [64, *hidden]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))


def batched_autograd(data: Dataset, hidden: Sequence[int]) -> torch.Tensor:
    """Train all networks as one batch of parameters, with PyTorch's own gradients."""
    X, y, X_test, y_test = tensors(data)
    networks = len(PS) * SEEDS
    keep = 1 - torch.tensor(PS).repeat_interleave(SEEDS)[:, None, None]
    layers = []
    for n_in, n_out in pairwise([64, *hidden, 10]):
        shapes = (networks, n_in, n_out), (networks, 1, n_out)
        layers.append([torch.empty(shape).uniform_(-(n_in**-0.5), n_in**-0.5) for shape in shapes])
    parameters = [part.requires_grad_() for layer in layers for part in layer]
    optimizer = torch.optim.SGD(parameters, lr=LR, momentum=MOMENTUM)

    def logits_of(h: torch.Tensor, dropping: bool) -> torch.Tensor:
        for W, b in layers[:-1]:
            h = torch.baddbmm(b, h, W).relu()
            if dropping:
                h = h * (torch.rand_like(h) < keep) / keep
        W, b = layers[-1]
        return torch.baddbmm(b, h, W)

    for _ in range(EPOCHS):
        orders = torch.stack([torch.randperm(len(y)) for _ in range(networks)])
        for batch in orders.split(BATCH, dim=1):
            optimizer.zero_grad()
            logits = logits_of(X[batch], dropping=True)
            losses = F.cross_entropy(logits.flatten(0, 1), y[batch].flatten(), reduction="sum")
            (losses / batch.shape[1]).backward()  # the sum over networks of each one's mean
            optimizer.step()
        with torch.no_grad():
            for inputs, labels in ((X, y), (X_test, y_test)):
                logits = logits_of(inputs.expand(networks, -1, -1), dropping=False)
                many = labels.expand(networks, -1)
                F.cross_entropy(logits.mT, many, reduction="none").mean(dim=1).tolist()
                accuracy = (logits.argmax(dim=2) == many).float().mean(dim=1)
    return accuracy.view(len(PS), SEEDS)


def tensors(data: Dataset) -> tuple[torch.Tensor, ...]:
    """Return the images in float32 and the labels, training part first."""
    X, y = torch.tensor(data.X_train).float(), torch.tensor(data.y_train)
    return X, y, torch.tensor(data.X_test).float(), torch.tensor(data.y_test)
