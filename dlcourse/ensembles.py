"""Lesson 03: all 2ⁿ thinned networks of a small net, their averages, and averages of a few.

`p` is the probability of dropping, and True in a mask means kept. Dropout is vanilla here: members
are not rescaled, and the weight-scaling network multiplies its n units by 1 - p. With inverted
dropout both are divided by 1 - p, so what is equal stays equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import gcd, log10
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import _validate as validate
from dlcourse import digits, live, style
from dlcourse.answers import as_array, call, returned_by
from dlcourse.checks import Expectation, number
from dlcourse.film import Show
from dlcourse.functional import dropout
from dlcourse.network import ThreeLayerNet, softmax

if TYPE_CHECKING:
    import torch

KINDS = ("linear", "softmax", "relu")
SIZES = (4, 8, 12)  # of the panel
MOST = 12  # units whose masks are listed
CLASSES, HIDDEN = 3, 16
SCALE = {"linear": 1, "softmax": 4, "relu": 2}  # of the weights, times 1/√n

# --- what is computed: every member


@lru_cache
def all_masks(n: int) -> np.ndarray:
    """List the masks of n units; the first drops all, the last keeps all.

    Parameters
    ----------
    n : int from 1 to 12

    Returns
    -------
    bool array (2**n, n), True = kept, read-only

    Raises
    ------
    TypeError, ValueError
        If n is no such int; the message says how many masks there would be and what to do.

    Notes
    -----
    The 2**n thinned networks of Srivastava et al. 2014, JMLR 15, section 1.

    Examples
    --------
    >>> all_masks(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> all_masks(20)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: n must be an int from 1 to 12, got 20: that would be 1,048,576 masks; draw some ...
    """
    rule = f"n must be an int from 1 to {MOST}, got {validate.quoted(n)}"
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise TypeError(rule)
    if n > MOST:
        digits_of_it = int(n * log10(2)) + 1
        many = f"{2 ** int(n):,}" if n <= 64 else f"a number of {digits_of_it} digits of"
        raise ValueError(
            f"{rule}: that would be {many} masks; draw some hundred of them with "
            "dropout_mask((masks, n), p) and average these (Monte-Carlo averaging)"
        )
    if n < 1:
        raise ValueError(rule)
    masks = np.arange(2**n)[:, None] >> np.arange(n) & 1 == 1
    masks.flags.writeable = False
    return masks


def mask_probabilities(n: int, p: float) -> np.ndarray:
    """Return how likely each of the masks of `all_masks(n)` is: (1 - p)^kept · p^dropped.

    Returns
    -------
    array of float (2**n,), which sums to 1

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 4: independent Bernoulli numbers.

    Examples
    --------
    >>> mask_probabilities(2, 0.25)
    array([0.0625, 0.1875, 0.1875, 0.5625])
    """
    p, kept = validate.probability(p), _number_kept(n)
    return np.array([(1 - p) ** k * p ** (n - k) for k in range(n + 1)])[kept]


@lru_cache
def _number_kept(n: int) -> np.ndarray:
    return all_masks(n).sum(axis=1)


@dataclass(frozen=True)
class Network:
    """A small net with dropout on its n units: linear, softmax, or with a ReLU layer between.

    Examples
    --------
    >>> network("softmax", n=4).W.shape
    (4, 3)
    """

    kind: str
    x: np.ndarray  # (n,), what the units with dropout hold
    W: np.ndarray  # (n, next layer)
    b: np.ndarray
    V: np.ndarray | None = None  # (hidden ReLU units, classes)


def network(kind: str = "softmax", n: int = 8, seed: int = 0) -> Network:
    """Draw a net; with the same seed a larger n adds units to the same net.

    Parameters
    ----------
    kind : "linear" (one output), "softmax" (3 classes) or "relu" (16 ReLU units, 3 classes)
    n : int from 1 to 12, the units with dropout
    seed : int >= 0, of the weights and of what the units hold

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The weights are drawn from normal distributions, the units hold numbers >= 0, as after a ReLU.

    Examples
    --------
    >>> bool((network("linear", n=4).x == network("linear", n=12).x[:4]).all())
    True
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {validate.quoted(kind)}")
    all_masks(n)  # complains about n
    rng, width = validate.generator(seed), {"linear": 1, "softmax": CLASSES, "relu": HIDDEN}[kind]
    x = np.abs(rng.normal(size=MOST))
    W = rng.normal(0, SCALE[kind], (MOST, width))[:n] / n**0.5
    b = rng.normal(0, 0.3, width)
    V = rng.normal(0, 1.5, (HIDDEN, CLASSES)) / HIDDEN**0.5 if kind == "relu" else None
    return Network(kind, x[:n], W, b, V)


def outputs(net: Network, units: np.ndarray) -> np.ndarray:
    """Return what the net gives when its units hold these numbers.

    Parameters
    ----------
    net : Network
    units : array of float (m, n), such as masks * net.x

    Returns
    -------
    array of float (m, 1) for a linear net, else probabilities (m, 3)

    Examples
    --------
    >>> outputs(network("softmax", n=4), np.zeros((2, 4))).shape
    (2, 3)
    """
    z = _product(units, net.W) + net.b
    if net.kind == "linear":
        return np.asarray(z)
    return softmax(z if net.V is None else _product(np.maximum(z, 0), net.V))


def _product(rows: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return rows @ W, some rows at a time.

    BLAS takes several threads for a larger product, and on a machine that is busy these wait for
    each other, ten times as long as one alone would take.
    """
    slabs = rows.reshape(-1, gcd(len(rows), 60 if W.size > 256 else 1024), rows.shape[1])
    return (slabs @ W).reshape(len(rows), -1)


def _mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weights @ values, on one thread as well."""
    return np.asarray(np.einsum("m,mk->k", weights, values))


@dataclass(frozen=True)
class Ensemble:
    """What 2**n members give, how likely each is, and their averages beside weight scaling.

    Examples
    --------
    >>> found = ensemble(network("softmax", n=8), p=0.5)
    >>> np.allclose(found.geometric, found.weight_scaling, atol=1e-10)
    True
    """

    outputs: np.ndarray  # (2**n, k)
    probabilities: np.ndarray  # (2**n,)
    arithmetic: np.ndarray  # (k,)
    geometric: np.ndarray | None  # (k,), normalised; None where outputs are no probabilities
    variance: np.ndarray  # (k,)
    weight_scaling: np.ndarray  # (k,)


def members(net: Network) -> np.ndarray:
    """Return the outputs (2**n, k) of all members, in the order of `all_masks`.

    Examples
    --------
    >>> members(network("linear", n=4)).shape
    (16, 1)
    """
    return outputs(net, all_masks(len(net.x)) * net.x)


def ensemble(net: Network, p: float, given: np.ndarray | None = None) -> Ensemble:
    """Enumerate all members with their exact probabilities and average them.

    Parameters
    ----------
    net : Network
    p : float in [0, 1], the probability of dropping
    given : array (2**n, k), the `members` of the net if they are there already

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The weight-scaling network: Srivastava et al. 2014, JMLR 15, section 4. The normalised geometric
    mean: Hinton et al. 2012, arXiv:1207.0580.

    Examples
    --------
    >>> found = ensemble(network("linear", n=12), p=0.3)
    >>> np.allclose(found.arithmetic, found.weight_scaling, atol=1e-10)
    True
    """
    weights = mask_probabilities(len(net.x), p)
    out = members(net) if given is None else given
    mean = _mean(weights, out)
    return Ensemble(
        out,
        weights,
        mean,
        None if net.kind == "linear" else normalised_geometric_mean(out, weights),
        _mean(weights, (out - mean) ** 2),
        outputs(net, (1 - p) * net.x[None])[0],
    )


def normalised_geometric_mean(out: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the logarithms of probabilities, and make the result sum to one again.

    Parameters
    ----------
    out : array (m, k), a distribution over k classes from each of m members, all > 0
    weights : array (m,), which sums to 1

    Returns
    -------
    array (k,), which sums to 1

    Notes
    -----
    Hinton et al. 2012, arXiv:1207.0580; Baldi and Sadowski 2014, Artificial Intelligence 210.

    Examples
    --------
    >>> normalised_geometric_mean(np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([0.66666667, 0.33333333])
    """
    return softmax(_mean(weights, np.log(out))[None])[0]


def plain_ensemble(net: Network, p: float) -> Ensemble:
    """Enumerate the members the readable way, one mask at a time: what `ensemble` must equal.

    Parameters, result, errors and source are those of `ensemble`.

    Examples
    --------
    >>> plain_ensemble(network("linear", n=4), 0.5).probabilities.sum().item()
    1.0
    """
    out, weights = [], []
    for reverse in product([False, True], repeat=len(net.x)):
        mask = np.array(reverse[::-1])
        weights.append(np.prod(np.where(mask, 1 - p, p)))
        out.append(outputs(net, (mask * net.x)[None])[0])
    mean = sum(w * o for w, o in zip(weights, out, strict=True))
    variance = sum(w * (o - mean) ** 2 for w, o in zip(weights, out, strict=True))
    geometric = None
    if net.kind != "linear":
        geometric = np.prod([o**w for w, o in zip(weights, out, strict=True)], axis=0)
        geometric /= geometric.sum()
    scaled = outputs(net, (1 - p) * net.x[None])[0]
    return Ensemble(np.array(out), np.array(weights), mean, geometric, variance, scaled)


def gaps(net: Network, ps: Any) -> np.ndarray:
    """Return how far weight scaling is from the means of all members, in the first output.

    Parameters
    ----------
    net : Network
    ps : array of float (m,), probabilities of dropping

    Returns
    -------
    array (2, m): |weight scaling - arithmetic mean|, and the same for the geometric mean, which is
    nan for a linear net

    Examples
    --------
    >>> bool(gaps(network("softmax", n=4), [0.0, 0.5, 1.0])[1].max() < 1e-10)
    True
    """
    given = members(net)
    found = [ensemble(net, p, given) for p in ps]
    means = [(e.arithmetic[0], np.nan if e.geometric is None else e.geometric[0]) for e in found]
    return np.abs(np.array(means) - [[e.weight_scaling[0]] for e in found]).T


# --- what is computed: a few members of a network trained on the digits


@dataclass(frozen=True)
class Averaging:
    """Test errors of averages over masks, and of weight scaling, as fractions of the test images.

    Examples
    --------
    >>> errors = np.array([[[0.3, 0.1], [0.2, 0.2]]])
    >>> Averaging(errors, np.array([0.1])).caught_up()
    2
    """

    errors: np.ndarray  # (networks, repeats, masks), the average over the first k masks at k - 1
    weight_scaling: np.ndarray  # (networks,)

    @property
    def excess(self) -> np.ndarray:
        """How much larger the error of an average is than that of weight scaling.

        An array (networks, masks), each the mean of the repeats.
        """
        return np.asarray(self.errors.mean(axis=1) - self.weight_scaling[:, None])

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation between the repeats of each network, an array (networks, masks)."""
        return np.asarray(self.errors.std(axis=1, ddof=1))

    def caught_up(self, chosen: Any = slice(None)) -> int:
        """Return the smallest k at which the excess is at most one standard deviation.

        The excess is the mean over the networks chosen, the standard deviation that between the
        repeats of one network, root mean square. Where no k is enough: one more than the masks.
        """
        excess = self.excess[chosen].mean(axis=0)
        spread = np.sqrt((self.spread[chosen] ** 2).mean(axis=0))
        within = np.flatnonzero(excess <= spread)
        return int(within[0]) + 1 if within.size else self.errors.shape[2] + 1

    def interval(self, samples: int = 2000, seed: int = 0) -> tuple[int, int]:
        """Return a 95 % interval of `caught_up` from resampling the networks (bootstrap)."""
        networks = len(self.weight_scaling)
        draws = np.random.default_rng(seed).integers(networks, size=(samples, networks))
        low, high = np.percentile([self.caught_up(chosen) for chosen in draws], [2.5, 97.5])
        return round(low), round(high)


def small_data_network(seed: int, images: int = 300) -> ThreeLayerNet:
    """Train a network with p = 0.5 on so few digits that its test error can be seen.

    Parameters
    ----------
    seed : int >= 0, of the images, the first weights, the order and the masks
    images : int, how many of the training images it sees

    Examples
    --------
    >>> net, data = small_data_network(0), digits.load()
    >>> 0.8 < digits.accuracy(net, data.X_test, data.y_test) < 0.97
    True
    """
    data, rng = digits.load(), np.random.default_rng(seed)
    few = rng.permutation(len(data.y_train))[:images]
    net = ThreeLayerNet((64, 64, 64, 10), p=0.5, rng=rng)
    digits.train(net, data.X_train[few], data.y_train[few], epochs=60, rng=rng)
    return net


def monte_carlo_errors(
    net: ThreeLayerNet, X: np.ndarray, y: np.ndarray, masks: int, repeats: int, rng: Any = None
) -> np.ndarray:
    """Return the test error of the average over the first 1, 2, … masks, repeated.

    Parameters
    ----------
    net : ThreeLayerNet
    X, y : arrays (rows, inputs) and (rows,)
    masks, repeats : int >= 1
    rng : None, int seed or numpy.random.Generator

    Returns
    -------
    array (repeats, masks), fractions of the rows

    Raises
    ------
    TypeError, ValueError
        If rng is none of these, or the network is a vanilla one.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 7.5 and figure 11. Every row has masks of its own.

    Examples
    --------
    >>> data = digits.load()
    >>> X, y = data.X_test[:40], data.y_test[:40]
    >>> monte_carlo_errors(digits.trained_network(), X, y, masks=5, repeats=3, rng=0).shape
    (3, 5)
    """
    P, rng = _inverted(net).params, validate.generator(rng)
    first = np.tile(np.maximum(X @ P["W1"] + P["b1"], 0), (repeats, 1))  # the same for all masks
    total = np.zeros((len(first), net.sizes[-1]))
    wrong = np.empty((repeats, masks))
    for k in range(masks):
        h1 = dropout(first, net.p, rng=rng)
        h2 = dropout(np.maximum(_product(h1, P["W2"]) + P["b2"], 0), net.p, rng=rng)
        total += softmax(_product(h2, P["W3"]) + P["b3"])
        wrong[:, k] = (total.argmax(axis=1).reshape(repeats, -1) != y).mean(axis=1)
    return wrong


def _inverted(net: ThreeLayerNet) -> ThreeLayerNet:
    if net.kind != "inverted":
        raise ValueError(f"net must be an inverted network, got kind={validate.quoted(net.kind)}")
    return net


@lru_cache
def averaging(networks: int = 16, repeats: int = 3, masks: int = 200) -> Averaging:
    """Hold averages over masks against weight scaling, on networks trained on 300 digits each.

    Takes some seconds the first time.

    Examples
    --------
    >>> averaging(networks=2, repeats=3, masks=4).errors.shape
    (2, 3, 4)
    """
    data = digits.load()
    nets = [small_data_network(seed) for seed in range(networks)]
    errors = [
        monte_carlo_errors(net, data.X_test, data.y_test, masks, repeats, rng=100 + seed)
        for seed, net in enumerate(nets)
    ]
    full = [1 - digits.accuracy(net, data.X_test, data.y_test) for net in nets]
    return Averaging(np.array(errors), np.array(full))


# --- Monte-Carlo dropout in PyTorch


@dataclass(frozen=True)
class Reached:
    """The dropout that `mc_dropout` switched on, and the dropout it saw but cannot reach.

    Examples
    --------
    >>> Reached(on=("1",), missed=())
    dropout on: 1; seen but not reached: none
    """

    on: tuple[str, ...]  # paths of layers
    missed: tuple[str, ...]  # paths of modules that drop by themselves

    def __repr__(self) -> str:
        """One line of plain text."""
        on, missed = (", ".join(paths) or "none" for paths in (self.on, self.missed))
        return f"dropout on: {on}; seen but not reached: {missed}"


@contextmanager
def mc_dropout(model: torch.nn.Module) -> Iterator[Reached]:
    """Inside the `with`, only the dropout layers of a model drop; after it all is as before.

    Everything else, such as batch norm, is in eval mode. A dropout layer is any subclass of
    PyTorch's `_DropoutNd`: `nn.Dropout`, `Dropout2d`, `AlphaDropout`, `dlcourse.Dropout`, …

    **It cannot see** `F.dropout` in the code of a `forward`: that is no layer, and the report says
    nothing of it. Whatever follows `self.training` stays off, and whatever is written with
    `F.dropout(x)` alone is always on. What is seen but not reached is reported: the dropout inside
    `nn.MultiheadAttention`, and between the layers of `nn.RNN`, `nn.LSTM` and `nn.GRU`.

    The fast path of `nn.TransformerEncoderLayer`, which leaves its dropout layers out, is switched
    off inside the `with`, for the whole process.

    Parameters
    ----------
    model : torch.nn.Module

    Yields
    ------
    Reached
        The module paths of both kinds.

    Raises
    ------
    TypeError
        If the model is no module.

    Notes
    -----
    Gal and Ghahramani 2016, arXiv:1506.02142.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Dropout(0.5))
    >>> with mc_dropout(model) as reached:
    ...     draws = torch.stack([model(torch.ones(1, 2)) for _ in range(20)])
    >>> reached, bool(draws.std(dim=0).max() > 0)
    (dropout on: 1; seen but not reached: none, True)
    """
    import torch
    from torch.nn.modules.dropout import _DropoutNd

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {validate.quoted(model)}")
    modes = {module: module.training for module in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    # The flags are set one by one, because `train` and `eval` go down to all that is below.
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for module in modes:
            module.training = isinstance(module, _DropoutNd)
        named = list(model.named_modules())
        yield Reached(
            tuple(path or "the model" for path, module in named if module.training),
            tuple(path or "the model" for path, module in named if _drops_by_itself(module)),
        )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes.items():
            module.training = mode


def _drops_by_itself(module: torch.nn.Module) -> bool:
    import torch

    if isinstance(module, torch.nn.RNNBase):  # drops between layers only
        return module.dropout > 0 and module.num_layers > 1
    return isinstance(module, torch.nn.MultiheadAttention) and module.dropout > 0


def torch_network(net: ThreeLayerNet) -> torch.nn.Sequential:
    """Return an inverted three-layer network as a PyTorch model in float64, in eval mode.

    Raises
    ------
    ValueError
        If the network is a vanilla one, which PyTorch's dropout is not.

    Examples
    --------
    >>> torch_network(ThreeLayerNet((2, 3, 3, 2), rng=0))[2]
    Dropout(p=0.5, inplace=False)
    """
    import torch

    _inverted(net)
    parts: list[torch.nn.Module] = []
    for i in (1, 2, 3):
        W, b = (torch.tensor(net.params[f"{name}{i}"]) for name in "Wb")
        layer = torch.nn.Linear(W.shape[0], W.shape[1], dtype=torch.float64)
        layer.load_state_dict({"weight": W.T, "bias": b})
        parts += [layer] if i == 3 else [layer, torch.nn.ReLU(), torch.nn.Dropout(net.p)]
    return torch.nn.Sequential(*parts).eval()


# --- what is drawn

BINS = 40
ROWS = {"weight scaling": 1.62, "arithmetic mean": 1.42, "geometric mean": 1.22}
COLOURS = {
    "weight scaling": style.RESCALED,
    "arithmetic mean": style.KEPT,
    "geometric mean": style.WITHOUT,
}
# The first is drawn first, so that equal ones can be seen on top of each other.
LINES: dict[str, dict[str, Any]] = {
    "weight scaling": {"linewidth": 5, "markersize": 11},
    "arithmetic mean": {"linewidth": 2, "markersize": 8},
    "geometric mean": {"linewidth": 1.3, "markersize": 6, "linestyle": (0, (4, 3))},
}


def scene(figure: Figure, seed: int, network: str, n: int) -> Show:
    """Draw all members of a net with three averages, and the gaps to weight scaling over p."""
    net = _draw_network(network, n, seed)
    given = members(net)
    show_members = _members(figure.add_axes((0.165, 0.255, 0.44, 0.6)), net, given)
    show_gaps = _gaps(figure.add_axes((0.71, 0.255, 0.275, 0.6)), net)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        found = ensemble(net, p, given)
        caption.set_text(f"p = {p:.2f}: {numbers(found)}")
        return [*show_members(found, finding(network, p)), *show_gaps(p), caption]

    return show


_draw_network = network  # the panel's control has this name too


def finding(kind: str, p: float) -> str:
    """Say what the averages do, as a title.

    Examples
    --------
    >>> finding("linear", 0.5)
    'linear: weight scaling = arithmetic mean'
    """
    if p in (0, 1):
        return "only one member is left: all averages agree"
    return {
        "linear": "linear: weight scaling = arithmetic mean",
        "softmax": "softmax: weight scaling = geometric mean",
        "relu": "a ReLU layer between: close, not equal",
    }[kind]


def numbers(found: Ensemble) -> str:
    """Put the averages of the first output into one line.

    Examples
    --------
    >>> numbers(ensemble(network("linear", n=4), p=1)).split("; ")[1]
    '16 members ± 0.00'
    """
    geometric = "" if found.geometric is None else f"geometric {found.geometric[0]:.3f}, "
    sd = float(np.sqrt(found.variance[0]))
    return (
        f"arithmetic {found.arithmetic[0]:.3f}, {geometric}"
        f"weight scaling {found.weight_scaling[0]:.3f}; {len(found.outputs):,} members ± {sd:.2f}"
    )


def _members(ax: Axes, net: Network, given: np.ndarray) -> Any:
    """Draw an axes for the members' outputs; return what shows them and their averages."""
    first, linear = given[:, 0], net.kind == "linear"
    low, high = (first.min() - 0.1, first.max() + 0.1) if linear else (0.0, 1.0)
    edges = np.linspace(low, high, BINS + 1)
    bins = np.clip(np.searchsorted(edges, first, side="right") - 1, 0, BINS - 1)
    what = "the output" if linear else "probability of class 1 of 3"
    title = style.tidy(ax, "", what, "")
    ax.set_ylabel("how likely", loc="bottom", labelpad=4, **style.text_style(11))
    margin = 0.03 * (high - low)
    ax.set(xlim=(low - margin, high + margin), ylim=(0, 1.75), yticks=[])
    ax.set_xticks([tick for tick in ax.get_xticks() if low - margin <= tick <= high + margin])
    steps = ax.stairs(np.zeros(BINS), edges, fill=True, color=style.KEPT, alpha=0.35)
    lines = {}
    for name, look in LINES.items():
        exists = not (linear and name == "geometric mean")
        words = name if exists else "geometric: none"
        place = style.text_style(10, ha="right", va="center")
        ax.text(-0.02, ROWS[name] / 1.75, words, transform=ax.transAxes, **place)
        (lines[name],) = ax.plot([], [], marker="o", color=COLOURS[name], markevery=[0], **look)

    def show(found: Ensemble, words: str) -> list[Artist]:
        heights = np.bincount(bins, found.probabilities, BINS)
        steps.set_data(heights / heights.max())
        averages = {
            "weight scaling": found.weight_scaling,
            "arithmetic mean": found.arithmetic,
            "geometric mean": found.geometric,
        }
        for name, average in averages.items():
            if average is not None:
                lines[name].set_data([average[0]] * 2, [ROWS[name], 0])
        title.set_text(words)
        return [steps, *lines.values(), title]

    return show


def _gaps(ax: Axes, net: Network) -> Any:
    """Draw the gaps over p; return what marks the present p."""
    ps = np.arange(101) / 100
    found = gaps(net, ps)
    style.tidy(ax, "gap to weight scaling", "p, probability of dropping")
    top = max(0.01, 1.45 * float(np.nanmax(found)))
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.03 * top, top), xticks=[0, 0.5, 1])
    ax.locator_params(axis="y", nbins=4)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
    dots = []
    for y, name, gap in zip(
        (0.94, 0.85), ("arithmetic mean", "geometric mean"), found, strict=True
    ):
        if np.isnan(gap).any():
            continue
        line = {k: v for k, v in LINES[name].items() if k != "markersize"}
        line["color"] = COLOURS[name]
        ax.plot(ps, gap, **line)
        ax.plot([0.03, 0.13], [y, y], transform=ax.transAxes, **line)
        ax.text(
            0.16, y, f"of the {name}", transform=ax.transAxes, **style.text_style(10, va="center")
        )
        size = LINES[name]["markersize"]
        (dot,) = ax.plot([], [], "o", color=COLOURS[name], markersize=size, clip_on=False)
        dots.append((dot, gap))

    def show(p: float) -> list[Artist]:
        for dot, gap in dots:
            dot.set_data([p], [gap[round(100 * p)]])
        return [dot for dot, _ in dots]

    return show


def draw_gaps(ax: Axes, ns: Any, mean: np.ndarray, error: np.ndarray, ps: Any) -> None:
    """Draw a curve for each p over the number of units, its standard error as a pale band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ns : ints (m,), the numbers of units
    mean, error : arrays (m, k), one column for each p
    ps : floats (k,)

    Examples
    --------
    >>> draw_gaps(Figure().subplots(), [4, 8], np.ones((2, 1)), np.ones((2, 1)), [0.5])
    """
    for p, m, e in zip(ps, mean.T, error.T, strict=True):
        colour = colormaps["cividis"](0.9 * p)
        ax.fill_between(ns, m - e, m + e, color=colour, alpha=0.25, linewidth=0)
        ax.plot(ns, m, color=colour, linewidth=2)
        ax.text(ns[-1] + 0.15, m[-1], f"p = {p:g}", **style.text_style(va="center"))
    ax.set(xlim=(ns[0], ns[-1] + 1.2), ylim=(0, None))


def draw_averaging(ax: Axes, found: Averaging) -> None:
    """Draw the excess over k: its mean over networks, and the spread of one run's error.

    Examples
    --------
    >>> draw_averaging(Figure().subplots(), averaging(networks=2, repeats=3, masks=4))
    """
    k = np.arange(1, found.errors.shape[2] + 1)
    mean = 100 * found.excess.mean(axis=0)
    sd = 100 * np.sqrt((found.spread**2).mean(axis=0))
    ax.fill_between(k, mean - sd, mean + sd, color=style.KEPT, alpha=0.25, linewidth=0)
    ax.plot(k, mean, color=style.KEPT, linewidth=2)
    ax.axhline(0, color=style.RESCALED, linewidth=3)
    right: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "right"}
    ax.text(0.98, -0.75, "weight scaling", va="center", **right, **style.text_style())
    ax.set(xlim=(0, len(k)), ylim=(-1.5, 6))


# --- the panel

_MENU = {"linear": "linear", "softmax layer": "softmax", "ReLU layer, then softmax": "relu"}


def panel(
    p: float = 0.5, seed: int = 0, network: str = "softmax", n: Literal[4, 8, 12] = 8
) -> live.Panel:
    """Return a live panel: all members of a small net, their averages, and weight scaling.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the net
    network : "linear", "softmax" or "relu"
    n : 4, 8 or 12, the units with dropout

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(network="relu", n=4)
    >>> small
    ensembles.panel(p=0.5, seed=0, network='relu', n=4)
    >>> small.close()
    """
    if isinstance(n, int) and not isinstance(n, bool) and n > MOST:
        all_masks(n)  # says how many masks that would be
    # 4.0 and True are equal to an option, and are none.
    sizes = {f"{size} ({2**size:,} members)": size for size in SIZES}
    controls = {
        "network": live.choice("network", _MENU, network),
        "n": live.choice("n, units", sizes, n if type(n) is int else repr(n)),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="ensembles.panel")


# --- what the exercises expect

number_of_members = number(
    1024,
    slips={
        20: "that is 2 · n: every further unit doubles the number, so 2 · 2 · … · 2",
        100: "that is n²: every unit has two states, so 2ⁿ",
        10: "that is the number of units, or of members that drop just one",
        11: "that is how many different numbers of units can be kept: which ones matters too",
        252: "that is the members that keep exactly half: a mask may keep any number",
        512: "that is 2⁹: is one unit forgotten?",
        1023: "one is forgotten: the one that drops all, or the one that drops none, counts too",
        1022: "the member that drops all and the one that drops none count too",
        2048: "that is 2¹¹: is p or the output counted as a unit?",
        3628800: "that is 10!, the orders of the units: a mask has no order",
        5: "that is the mean number of units kept",
    },
    right="2¹⁰ = 1,024, and p only says how likely each is",
)


def _compare(found: np.ndarray, right: np.ndarray, slips: dict[str, Any], at: str) -> str | None:
    """Return None if the numbers are right, else the slip whose numbers they are."""
    if np.allclose(found, right, atol=1e-5):
        return None
    for words, wrong in slips.items():
        if np.shape(wrong) == found.shape and np.allclose(found, wrong, atol=1e-5):
            return words
    return f"{found[0]:.4g} in the first place {at}, expected {right[0]:.4g}"


def _mean_slip(answer: Any) -> str | None:
    rng, masks = np.random.default_rng(5), all_masks(4)[np.random.default_rng(6).permutation(16)]
    out = rng.normal(2, 1, (16, 3))
    for p in (0.3, 0.8):
        got = call(answer, outputs=out, masks=masks, p=p)
        kept = masks.sum(axis=1)
        keep, drop = (1 - p) ** kept, p ** (4 - kept)
        weights, swapped = keep * drop, p**kept * (1 - p) ** (4 - kept)
        if np.shape(got) == (16, 3):
            return f"{returned_by(answer)} every member: add them up, over axis 0"
        if np.shape(got) == ():
            return f"{returned_by(answer)} one number: there is a mean for each of the 3 outputs"
        slips = {
            "every member counts alike: give each the probability of its mask": out.mean(axis=0),
            "p and 1 − p swapped? p belongs to the units dropped": swapped @ out,
            "divided by the number of members too: the probabilities do that": weights @ out / 16,
            "a sum, not a mean: give each member the probability of its mask": out.sum(axis=0),
            "dropped units count too: each brings a factor p": keep @ out,
            "dropped units count too: each brings a factor p, also in the total": keep
            @ out
            / keep.sum(),
            "kept units count too: each brings a factor 1 − p": drop @ out,
            "kept units count too: each brings a factor 1 − p, also in the total": drop
            @ out
            / drop.sum(),
            "weighted by the number of units kept, not by the probability": kept @ out / kept.sum(),
            "multiplied by 1 − p: members are averaged as they are": (1 - p) * (weights @ out),
            "divided by 1 − p: members are averaged as they are": (weights @ out) / (1 - p),
        }
        found = as_array(got, (3,), returned_by(answer))
        if slip := _compare(found, weights @ out, slips, f"at p = {p}"):
            return slip
    return None


def _geometric_slip(answer: Any) -> str | None:
    rng = np.random.default_rng(7)
    out, weights = softmax(rng.normal(0, 2, (16, 3))), mask_probabilities(4, 0.3)
    got = call(answer, outputs=out, weights=weights)
    if np.shape(got) == (16, 3):
        return f"{returned_by(answer)} every member: add or multiply them, over axis 0"
    mean = np.exp(weights @ np.log(out))
    alike, plain = softmax(np.log(out).mean(axis=0)[None])[0], np.exp(np.log(out).mean(axis=0))
    unweighted = "every member counts alike: use the weights"
    product_of_all = softmax(np.log(out).sum(axis=0)[None])[0]
    slips = {
        "is it made to sum to one? Divide by its sum": mean,
        "that is the arithmetic mean: average the logarithms, then take exp": weights @ out,
        unweighted: alike,
        f"{unweighted}, and divide by the sum": plain,
        "those are logarithms: take exp, then divide by the sum": np.log(mean),
        "those are logarithms still: exp comes before dividing by the sum": np.log(mean)
        / np.log(mean).sum(),
        "a product of all members without exponents: raise each to the power of its weight": (
            product_of_all
        ),
        "a product of all members without exponents: raise each to its weight": out.prod(axis=0),
        "divided by the number of classes: divide by the sum instead": mean / 3,
        "the weights multiply the outputs: they belong in the exponent": softmax(
            np.log(weights[:, None] * out).sum(axis=0)[None]
        )[0],
    }
    found = as_array(got, (3,), returned_by(answer))
    return _compare(found, mean / mean.sum(), slips, "of the result")


mean_function = Expectation(_mean_slip, "every member counts as much as its mask is likely")
geometric_function = Expectation(_geometric_slip, "logarithms averaged, exp taken, sum made 1")
