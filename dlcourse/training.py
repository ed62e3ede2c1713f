"""Training ordinary PyTorch networks: the loop a learner would write, and what it leaves behind.

`dlcourse.grid` trains many networks at once and gives the same numbers.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from dlcourse import _validate as check
from dlcourse.monte_carlo import same_modes

if TYPE_CHECKING:
    from dlcourse.data import Dataset

Progress = Callable[..., Iterable[int]]

# A container may see many cores and be given one, as on Binder; joblib knows what it is given.
torch.set_num_threads(min(torch.get_num_threads(), joblib.cpu_count()))


@dataclass(frozen=True)
class Curves:
    """What was measured after every epoch: arrays (..., epochs), losses in nats.

    `running_loss` and `running_accuracy` are means over the epoch's batches as they were trained
    on, with dropout on and weights that were still moving; this is what most loops print. The
    others are taken after the epoch with dropout off, over all training and all test images.

    Examples
    --------
    >>> curves = Curves(*np.array([[0.9, 0.5], [0.7, 0.8], [0.6, 0.3], [0.8, 0.9],
    ...                            [0.7, 0.4], [0.75, 0.8]]))
    >>> curves.gap.round(2)
    array([0.05, 0.1 ])
    """

    running_loss: np.ndarray
    running_accuracy: np.ndarray
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Accuracy on the training images minus accuracy on the test images."""
        return np.asarray(self.train_accuracy - self.test_accuracy)

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return self.test_accuracy.shape[-1]

    @classmethod
    def from_epochs(cls, rows: Sequence[Sequence[Any]], shape: tuple[int, ...] = ()) -> Curves:
        """Turn a list with six numbers, or arrays of them, for every epoch into curves."""
        values = np.array(rows, dtype=float).reshape(len(rows), len(fields(cls)), *shape)
        return cls(*np.moveaxis(values, 0, -1))


@dataclass(frozen=True)
class Trained:
    """A trained network, in eval mode, and its curves."""

    model: nn.Module
    curves: Curves


def train(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int = 20,
    batch_size: int = 50,
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    max_norm: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = tqdm,
) -> Trained:
    """Train a copy of a network by gradient descent with momentum on reshuffled mini-batches.

    The network that is given stays as it is, so a second call starts where the first one did.
    To go on training, give the trained copy.

    Parameters
    ----------
    model : torch.nn.Module, rows of pixels in, logits out
    data : Dataset
    epochs : int >= 1, how often every training image is used
    batch_size : int >= 1, images in a mini-batch
    lr, momentum : floats, the learning rate > 0 and the momentum in [0, 1)
    weight_decay : float >= 0, times the weights and biases is added to their gradient
    max_norm : float > 0, the largest norm that the weights into a hidden unit may have after a
        step; None for no limit
    seed : int >= 0, of the order of the images and of the masks
    device : "cpu" or "cuda"
    progress : callable, such as tqdm, that gets the epochs and hands them on; None for silence

    Returns
    -------
    Trained, on that device; after an interrupt, what the finished epochs gave

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or a label is none of the network's classes.
    KeyboardInterrupt
        If it is interrupted before the first epoch is finished.

    Notes
    -----
    Stochastic gradient descent with momentum, and max-norm regularisation: Srivastava et al. 2014,
    JMLR 15, section 5.1.

    Examples
    --------
    >>> from dlcourse import data
    >>> model = mlp(64, (32,), 10, p=0.5, seed=0)
    >>> done = train(model, data.digits(), epochs=3, progress=None)
    >>> bool(done.curves.test_accuracy[-1] > 0.8)
    True
    """
    plan = Plan(epochs, batch_size, lr, momentum, weight_decay, max_norm)
    check.instance(model, nn.Module, "model", "a torch.nn.Module")
    check_dataset(data)
    seed = check.seed(seed)
    check_progress(progress)
    where = checked_device(device)
    if not any(weights.requires_grad for weights in model.parameters()):
        raise ValueError(f"model must have weights to train, got {check.quoted(model)}")
    model = copy.deepcopy(model).to(where)
    X, y, X_test, y_test = tensors(data, where)
    with torch.no_grad():
        check_labels(data, classes=_logits_of(model, X[:1]).shape[1])
    optimizer = torch.optim.SGD(
        model.parameters(), lr=plan.lr, momentum=plan.momentum, weight_decay=plan.weight_decay
    )
    linear = [part for part in model.modules() if isinstance(part, nn.Linear)]
    orders = batch_orders(len(y), seed)

    def one_epoch() -> list[float]:
        model.train()
        losses, right = 0.0, 0
        for rows in next(orders).split(plan.batch_size):
            logits = model(X[rows])
            loss = nn.functional.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for layer in linear[:-1]:
                limit_norm(layer.weight.data.T, plan.max_norm)
            losses += loss.item() * len(rows)
            right += int((logits.argmax(dim=1) == y[rows]).sum())
        return [losses / len(y), right / len(y), *score(model, X, y), *score(model, X_test, y_test)]

    with seeded(seed, where):  # for the masks of nn.Dropout, which takes no generator
        rows = run_epochs(plan.epochs, progress, one_epoch, model.state_dict, model.load_state_dict)
    return Trained(model.eval(), Curves.from_epochs(rows))


def _logits_of(model: nn.Module, X: torch.Tensor) -> torch.Tensor:
    """Return the logits, dropout off, or say that the network is not for rows of this length."""
    try:
        with same_modes(model):
            logits = model.eval()(X)
    except RuntimeError as error:
        words = f"model must take rows of {X.shape[-1]} numbers, one for each input"
        raise ValueError(f"{words}, got {check.quoted(model)}: {error}") from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(X):
        shape = f"shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else "no tensor"
        words = "model must return logits, a tensor (rows, classes)"
        raise ValueError(f"{words}, got {shape} from {check.quoted(model)}")
    return logits


def score(model: nn.Module, X: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return the mean loss in nats and the accuracy, with dropout off; the model stays as it is.

    Raises
    ------
    TypeError, ValueError
        If the model is none, or not for these rows, or there are not as many labels as rows.

    Examples
    --------
    >>> score(mlp(2, (3,), 1), torch.ones(4, 2), torch.zeros(4, dtype=torch.long))
    (0.0, 1.0)
    """
    check.instance(model, nn.Module, "model", "a torch.nn.Module")
    if len(y) != len(X):
        raise ValueError(f"y must hold a class for each of {len(X)} rows, got {len(y)}")
    with torch.no_grad():
        logits = _logits_of(model, X)
    loss = nn.functional.cross_entropy(logits, y).item()
    return loss, float((logits.argmax(dim=1) == y).double().mean())


def run_epochs(
    epochs: int,
    progress: Progress | None,
    one_epoch: Callable[[], list[Any]],
    state: Callable[[], Any],
    restore: Callable[[Any], Any],
) -> list[list[Any]]:
    """Run epochs; after an interrupt go back to the last finished one and keep what it gave.

    Raises
    ------
    KeyboardInterrupt
        If no epoch is finished yet.
    """
    rows: list[list[Any]] = []
    saved = None
    try:
        for _ in counted(epochs, progress):
            row = one_epoch()
            saved = copy.deepcopy(state())
            rows.append(row)
    except KeyboardInterrupt:
        if not rows:
            raise
        restore(saved)
        print(f"interrupted: the first {len(rows)} of {epochs} epochs are kept", file=sys.stderr)
    return rows


def whole(curves: Curves, epochs: int, seeds: int | Sequence[int] | None = None) -> Curves:
    """Return curves from which no interrupt has kept an epoch or a seed away.

    Networks are compared only if all of them were trained to the end.

    Parameters
    ----------
    curves : Curves, of `train` or of `dlcourse.grid.train_grid`
    epochs, seeds : as they were asked for; no seeds for `train`

    Raises
    ------
    KeyboardInterrupt
        If some are missing.

    Examples
    --------
    >>> whole(Curves(*np.ones((6, 3))), epochs=3).epochs
    3
    """
    asked = [epochs]
    if seeds is not None:
        asked.insert(0, len(seeds) if isinstance(seeds, Sequence | np.ndarray) else seeds)
    if list(curves.test_accuracy.shape[-len(asked) :]) != asked:
        raise KeyboardInterrupt("not all is trained: run this cell again")
    return curves


def mlp(
    inputs: int, hidden: Sequence[int], classes: int, *, p: Any = 0.0, seed: int = 0
) -> nn.Sequential:
    """Return a network of linear layers with ReLU and dropout between them.

    Parameters
    ----------
    inputs, classes : ints >= 1
    hidden : ints >= 1, the widths of the hidden layers
    p : float in [0, 1], or one for each hidden layer, or these with that of the inputs before them
    seed : int >= 0, of PyTorch's usual first weights; they do not depend on p

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> mlp(64, (32,), 10, p=0.5)
    Sequential(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=32, out_features=10, bias=True)
    )
    """
    sizes = [check.integer(inputs, "inputs", 1), *check.widths(hidden)]
    sizes.append(check.integer(classes, "classes", 1))
    of_inputs, *of_hidden = check.layer_ps(p, len(sizes) - 2)
    layers: list[nn.Module] = [nn.Dropout(of_inputs)] if of_inputs else []
    generator = torch.Generator().manual_seed(check.seed(seed))
    for n_in, n_out, p_out in zip(sizes, sizes[1:], [*of_hidden, None], strict=False):
        layers.append(_linear(n_in, n_out, generator))
        layers += [] if p_out is None else [nn.ReLU(), nn.Dropout(p_out)]
    return nn.Sequential(*layers)


def _linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """Return a layer with the first weights that nn.Linear would draw from the global generator.

    Networks are made in several threads, and these share the global generator.
    """
    layer = nn.Linear(n_in, n_out, device="meta")
    # not `nn.utils.skip_init`, which imports sympy to give them memory: 0.3 seconds, 40 MB
    layer.weight = nn.Parameter(torch.empty(n_out, n_in))
    layer.bias = nn.Parameter(torch.empty(n_out))
    for part in (layer.weight, layer.bias):
        nn.init.uniform_(part, -(n_in**-0.5), n_in**-0.5, generator=generator)
    return layer


# --- what both trainers share


def check_progress(progress: Any) -> None:
    """Raise TypeError if this is neither None nor callable."""
    if progress is not None:
        check.function(progress, "progress")


def counted(n: int, progress: Progress | None) -> Iterable[int]:
    """Return the numbers below n as `progress` hands them on.

    Examples
    --------
    >>> list(counted(3, None)), list(counted(3, reversed))
    ([0, 1, 2], [2, 1, 0])
    """
    return range(n) if progress is None else progress(range(n))


@contextmanager
def seeded(seed: int, where: torch.device | None = None) -> Iterator[None]:
    """Inside the `with` the generators of the CPU and of one GPU are seeded; after it as before.

    Examples
    --------
    >>> with seeded(3):
    ...     a = torch.rand(2)
    >>> with seeded(3):
    ...     torch.equal(a, torch.rand(2))
    True
    """
    gpus = [where] if where is not None and where.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed all GPUs
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def limit_norm(weights: torch.Tensor, max_norm: float | None) -> None:
    """Shorten, in place, the weights (…, units in, units out) into each unit to at most this norm.

    Examples
    --------
    >>> W = torch.tensor([[3.0, 0.3], [4.0, 0.4]])
    >>> limit_norm(W, max_norm=1.0)
    >>> W
    tensor([[0.6000, 0.3000],
            [0.8000, 0.4000]])
    """
    if max_norm is not None:
        norms = weights.norm(dim=-2, keepdim=True)
        weights.mul_((max_norm / norms).clamp(max=1))


@dataclass(frozen=True)
class Plan:
    """How to train; every value is checked."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float = 0.0
    max_norm: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        check.integer(self.epochs, "epochs", 1)
        check.integer(self.batch_size, "batch_size", 1)
        check.positive(self.lr, "lr")
        if check.not_negative(self.momentum, "momentum") >= 1:
            raise ValueError(
                f"momentum must be a number >= 0 and < 1, got {check.quoted(self.momentum)}"
            )
        check.not_negative(self.weight_decay, "weight_decay")
        if self.max_norm is not None:
            check.positive(self.max_norm, "max_norm")


def batch_orders(rows: int, seed: Any) -> Iterator[torch.Tensor]:
    """Yield the order of the training images for each epoch, for ever.

    Examples
    --------
    >>> sorted(next(batch_orders(4, seed=0)).tolist())
    [0, 1, 2, 3]
    """
    rng = np.random.default_rng([1, *np.ravel(seed)])  # the seed alone would be another's too
    while True:
        yield torch.from_numpy(rng.permutation(rows))


def tensors(data: Dataset, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Return the images in float32 and the labels of a data set, training part first."""
    parts = (data.X_train, data.y_train, data.X_test, data.y_test)
    types = (torch.float32, torch.int64) * 2
    return tuple(
        torch.tensor(part, dtype=dtype, device=device)
        for part, dtype in zip(parts, types, strict=True)
    )


def check_dataset(data: Any) -> None:
    """Raise if this is no data set, or its images are no rows, or not all of one length."""
    from dlcourse.data import Dataset

    check.instance(data, Dataset, "data", "a Dataset")
    shapes = np.shape(data.X_train), np.shape(data.X_test)
    if not (len(shapes[0]) == len(shapes[1]) == 2 and shapes[0][1] == shapes[1][1]):
        rule = "X_train and X_test must be arrays (rows, inputs) with as many inputs"
        raise ValueError(f"{rule}, got shapes {shapes[0]} and {shapes[1]}")


def check_labels(data: Dataset, classes: int) -> None:
    """Raise if this is no data set to train on, or a label of it is none of the classes."""
    check_dataset(data)
    check.labels(data.y_train, len(data.X_train), classes)
    check.labels(data.y_test, len(data.X_test), classes)


def checked_device(device: Any) -> torch.device:
    """Return the device if PyTorch has it.

    Raises
    ------
    ValueError
        If it is neither "cpu" nor a CUDA device that is there.

    Examples
    --------
    >>> checked_device("gpu")
    Traceback (most recent call last):
    ...
    ValueError: device must be "cpu", or "cuda" where PyTorch finds one, got 'gpu'
    """
    rule = f'device must be "cpu", or "cuda" where PyTorch finds one, got {check.quoted(device)}'
    if not isinstance(device, str | torch.device) or not str(device).startswith(("cpu", "cuda")):
        raise ValueError(rule)
    if str(device).startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"{rule} (PyTorch finds no CUDA device here)")
    try:
        return torch.empty(0, device=device).device
    except RuntimeError as error:
        raise ValueError(f"{rule} ({str(error).splitlines()[0]})") from error
