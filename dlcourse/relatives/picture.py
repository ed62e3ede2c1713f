"""What lesson 09 draws: one input, and what dropout and its relatives make of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import digits, live, style
from dlcourse._validate import quoted, real_array
from dlcourse.film import Show
from dlcourse.functional import dropout, dropout_mask
from dlcourse.relatives.family import RELATIVES, overall
from dlcourse.relatives.noise import (
    alpha_constants,
    alpha_dropout,
    channel_dropout,
    gaussian_dropout,
)
from dlcourse.relatives.tiles import KEEPS, WORDS, Tile, number

INPUTS = {"a digit": "digit", "four feature maps": "maps", "normal units": "normal"}
COLUMNS, ROWS = (10, 285, 560), (218, 62)


@lru_cache
def example(shown: str) -> np.ndarray:
    """Return the panel's input, read-only, of shape (1, maps, 8, 8).

    Parameters
    ----------
    shown : "digit", the first test image of a 3; "maps", four edge detectors of it, rectified;
        or "normal", 64 normal numbers, brought to mean 0 and standard deviation 1

    Raises
    ------
    ValueError
        If `shown` is none of these.

    Examples
    --------
    >>> example("maps").shape, example("normal").std().round(9)
    ((1, 4, 8, 8), np.float64(1.0))
    """
    if shown not in INPUTS.values():
        raise ValueError(f"shown must be one of {list(INPUTS.values())}, got {shown!r}")
    if shown == "normal":
        units = np.random.default_rng(0).standard_normal((1, 1, 8, 8))
        made = (units - units.mean()) / units.std()
    else:
        data = digits.load()
        made = data.X_test[data.y_test == 3][:1].reshape(1, 1, 8, 8).astype(np.float64)
        if shown == "maps":
            made = _edges(made[0, 0])[None]
    made.flags.writeable = False
    return made


def _edges(image: np.ndarray) -> np.ndarray:
    """Return four maps: where the image brightens to the right, left, down and up."""
    framed = np.pad(image, 1)
    right = (framed[:, 2:] - framed[:, :-2])[1:-1]
    down = (framed[2:] - framed[:-2])[:, 1:-1]
    maps = np.maximum(np.stack([right, -right, down, -down]), 0)
    return np.asarray(maps / maps.max())


@lru_cache
def neighbours() -> np.ndarray:
    """Return a linear layer of 64 units, weights (outputs, inputs): each averages its neighbours.

    Examples
    --------
    >>> layer = neighbours()
    >>> layer.shape, (layer > 0).sum(), layer.sum(axis=1).round(9).max()
    ((64, 64), np.int64(484), np.float64(1.0))
    """
    rows, columns = np.divmod(np.arange(64), 8)
    near = np.maximum(abs(rows - rows[:, None]), abs(columns - columns[:, None])) <= 1
    made = near / near.sum(axis=1, keepdims=True)
    made.flags.writeable = False
    return made


def draw_spreads(ax: Axes, spreads: Mapping[str, np.ndarray]) -> None:
    """Draw the spread of the outputs, layer by layer: the mean over networks, and a band ± 1 std.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spreads : mapping of "without dropout", "dropout" and "alpha dropout" to arrays
        Each of shape (networks, layers), the standard deviation of a layer's outputs.

    Raises
    ------
    TypeError, ValueError
        If there is another name, or an array has not two axes.

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> draw_spreads(ax, {"dropout": np.ones((8, 20))})
    >>> ax.get_xlabel()
    'layer'
    """
    colours = {
        "without dropout": style.WITHOUT,
        "dropout": style.KEPT,
        "alpha dropout": style.RESCALED,
    }
    for name, values in spreads.items():
        if name not in colours:
            raise ValueError(f"a name must be one of {list(colours)}, got {quoted(name)}")
        rows = real_array(values, name)
        if rows.ndim != 2 or rows.size == 0:
            raise ValueError(f"{name} must have the axes (networks, layers), got {rows.shape}")
        mean, std, layers = rows.mean(axis=0), rows.std(axis=0), np.arange(1, rows.shape[1] + 1)
        ax.fill_between(layers, mean - std, mean + std, color=colours[name], alpha=0.25, lw=0)
        below = name == "without dropout"
        ax.plot(layers, mean, color=colours[name], linewidth=1 if below else 2.5, zorder=2 + below)
        place = layers[-1] + 0.2, mean[-1] + (-0.45 if below else 0.35 * (name != "dropout"))
        ax.text(*place, name, **style.text_style(11, ha="left", va="center"))
    ax.set(xlim=(1, 24.5), ylim=(0, None))
    ax.set_xticks([1, 5, 10, 15, 20])
    title = "behind SELU, alpha dropout keeps the spread at 1, dropout lets it grow"
    style.tidy(ax, title, "layer", "spread of the outputs")


def scene(figure: Figure, seed: int, shown: str) -> Show:
    """Draw the input, and beside it what five layers make of it under one draw each."""
    x, layer = example(shown), neighbours()
    limit = 2 * abs(x).max()
    corners = [(column, row) for row in ROWS for column in COLUMNS]
    tiles = [Tile(figure, *corner, x.shape[1], limit) for corner in corners]
    given, *moving = tiles
    given.name.set_text("the input, nothing dropped")
    given.show(x)
    for line, value, word in zip(given.lines[1:], (x.mean(), x.std()), WORDS, strict=True):
        line.set_text(f"{word} {number(value)}")
    given.lines[0].set_text(f"{x[0].size} values")
    names = "dropout", "Gaussian dropout", "alpha dropout", "channel dropout: whole maps"
    for tile, name in zip(moving, (*names, "DropConnect: weights of a blur"), strict=True):
        tile.name.set_text(name)
    key = "blue > 0, black < 0, × dropped"
    figure.text(0.988, 0.935, key, **style.text_style(10, ha="right", va="bottom"))
    title = figure.text(0.012, 0.935, "", **style.text_style(12, ha="left", va="bottom"))
    caption = style.caption(figure)

    flat = x.reshape(x.shape[1], 64)
    blurred = flat @ layer.T
    noise = np.random.default_rng([seed, 1]).standard_normal(x.shape)
    before, blurred_before = (x.mean(), x.std()), (blurred.mean(), blurred.std())

    def moved(name: str, p: float) -> tuple[float, float]:
        return overall(RELATIVES[name].mean(x, p), RELATIVES[name].variance(x, p))

    def show(p: float) -> list[Artist]:
        kept = dropout_mask(x.shape, p, rng=seed)
        gone, dropped_to = (~kept).sum(), alpha_constants(p)[2]
        by_dropout, by_gaussian, by_alpha, by_channel, by_weights = moving

        by_dropout.show(dropout(x, p, mask=kept), ~kept)
        by_dropout.tell(f"{gone} of {kept.size} to 0", before, moved("dropout", p))
        if p < 1:
            by_gaussian.show(gaussian_dropout(x, p, noise=noise))
            by_gaussian.tell("noise, none to 0", before, moved("Gaussian dropout", p))
        else:
            by_gaussian.show(np.zeros(x.shape), np.ones(x.shape, bool))
            by_gaussian.tell("needs p below 1")
        by_alpha.show(alpha_dropout(x, p, mask=kept), ~kept)
        by_alpha.tell(f"{gone} to {number(dropped_to)}", before, moved("alpha dropout", p))

        maps = dropout_mask(x.shape[:2], p, rng=np.random.default_rng([seed, 5]))
        maps_gone = np.broadcast_to(~maps[..., None, None], x.shape)
        by_channel.show(channel_dropout(x, p, mask=maps), maps_gone)
        by_channel.tell(f"{(~maps).sum()} of {maps.size} to 0", before, moved("channel dropout", p))

        weights, weights_gone = _dropped_weights(layer, len(flat), p, seed)
        by_weights.show((weights @ flat[..., None])[..., 0].reshape(x.shape))
        mean, variance = RELATIVES["dropout"].mean(flat, p), RELATIVES["dropout"].variance(flat, p)
        after = overall(mean @ layer.T, variance @ (layer**2).T)
        by_weights.tell(weights_gone, blurred_before, after)

        title.set_text(_finding(p, before, moved("alpha dropout", p)))
        caption.set_text(_numbers(p))
        return [*(artist for tile in moving for artist in tile.artists), title, caption]

    return show


def _dropped_weights(
    layer: np.ndarray, examples: int, p: float, seed: int
) -> tuple[np.ndarray, str]:
    """Return the layer's weights, dropped anew for each example, and how many went."""
    there = layer > 0
    draws = np.random.default_rng([seed, 3])
    kept = dropout_mask((examples, int(there.sum())), p, rng=draws)
    weights = np.zeros((examples, *layer.shape))
    weights[:, there] = dropout(np.broadcast_to(layer[there], kept.shape), p, mask=kept)
    return weights, f"{(~kept).sum()} of {kept.size} to 0"


def _finding(p: float, before: tuple[float, float], after: tuple[float, float]) -> str:
    alpha_keeps = [abs(now - was) < KEEPS for was, now in zip(before, after, strict=True)]
    if p == 0:
        return "p = 0: all are the identity"
    if p == 1:
        return "p = 1: nothing comes through"
    if all(alpha_keeps):
        return "only alpha dropout keeps the mean and the spread of these"
    return "alpha dropout moves the mean too, others only the spread"


def _numbers(p: float) -> str:
    if p == 1:
        return "p = 1.00: all is dropped, and there is nothing to scale"
    a, _, dropped = alpha_constants(p)
    return (
        f"p = {p:.2f}: kept × {1 / (1 - p):.2f}, Gaussian × (1 ± {(p / (1 - p)) ** 0.5:.2f}), "
        f"alpha: × {a:.2f}, shifted, dropped ones at {number(dropped)}"
    )


def panel(p: float = 0.5, seed: int = 0, shown: str = "digit") -> live.Panel:
    """Return the live panel of lesson 09: one input, and what five layers make of it.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the draws; the same seed and a larger p drop the same and more
    shown : "digit", "maps" or "normal", the input, see `example`

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> made = panel(p=0.2, shown="maps")
    >>> made
    relatives.panel(p=0.2, seed=0, shown='maps')
    >>> made.close()
    """
    controls = {"shown": live.choice("input", INPUTS, shown)}
    return live.Panel(scene, controls, p=p, seed=seed, name="relatives.panel")
