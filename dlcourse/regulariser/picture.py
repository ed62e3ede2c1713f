"""The panel of lesson 08: the paths of the weights, and the penalty that they pay."""

from __future__ import annotations

from typing import Any, Literal

from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import live, style
from dlcourse.film import Show
from dlcourse.regulariser.paths import MODELS, PS, SCALES, Path, path

NAMES = ("1", "2, twin of 1", "3", "4, noise")
COLOURS = [colormaps["cividis"](shade) for shade in (0.0, 0.3, 0.55, 0.8)]


def scene(figure: Figure, seed: int, model: str, scale: float) -> Show:
    """Draw the path of four weights, and the loss without dropout and averaged over all masks."""
    found = path(seed, model, scale)
    show_weights = _weights(figure.add_axes((0.075, 0.255, 0.42, 0.61)), found)
    show_losses = _losses(figure.add_axes((0.585, 0.255, 0.40, 0.61)), found, model)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        i = round(100 * p)
        caption.set_text(numbers(found, i))
        return [*show_weights(i), *show_losses(i), caption]

    return show


def numbers(found: Path, i: int) -> str:
    """Put the weights, the loss and the penalty at PS[i] into one line.

    Examples
    --------
    >>> numbers(path(0, "linear", 1), 100).split(": ")[1].split("; ")[0]
    'weights 0.00, 0.00, 0.00, 0.00'
    """
    weights = ", ".join(f"{w + 0.0:.{2 if size > 0.5 else 1}f}" for w, size in _rounded(found, i))
    loss = f"loss {found.loss[i]:.2f} + penalty {found.penalty[i]:.3f}"
    line = f"p = {PS[i]:.2f}: weights {weights}; {loss} (formula {found.formula[i]:.3f})"
    return line.replace("-", "−")


def _rounded(found: Path, i: int) -> list[tuple[float, float]]:
    """Return each weight, without the sign of what is rounded to 0, beside its input's size."""
    pairs = zip(found.weights[i], found.size, strict=True)
    return [(round(w, 2 if size > 0.5 else 1), size) for w, size in pairs]


def _weights(ax: Axes, found: Path) -> Any:
    """Draw the paths; return what marks the present p on them."""
    style.tidy(
        ax,
        "the weights on their way (dashed: plain ridge)",
        "p, probability of dropping",
        "weight × size of its input",
    )
    paths = found.weights * found.size
    low, high = 1.15 * min(paths.min(), -1.2), 1.45 * max(paths.max(), 1.5)
    ax.set(xlim=(-0.02, 1.02), ylim=(low, high), xticks=[0, 0.5, 1])
    ax.locator_params(axis="y", nbins=6)
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    ax.axhline(0, color=style.OUTLINE, linewidth=0.8)
    dots = []
    for x, name, colour, w, ridge in zip(
        (0.02, 0.155, 0.54, 0.69),
        NAMES,
        COLOURS,
        paths.T,
        (found.ridge * found.size).T,
        strict=True,
    ):
        ax.plot(PS, ridge, color=colour, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.plot(PS, w, color=colour, linewidth=2.4)
        line: dict[str, Any] = {"color": colour, "linewidth": 4, "solid_capstyle": "butt"}
        ax.plot([x + 0.01, x + 0.06], [0.94, 0.94], transform=ax.transAxes, **line)
        place = style.text_style(10, va="center")
        ax.text(x + 0.075, 0.94, name, transform=ax.transAxes, **place)
        (dot,) = ax.plot([], [], "o", color=colour, markersize=8, markeredgecolor="white")
        dots.append((dot, w))

    def show(i: int) -> list[Artist]:
        for dot, w in dots:
            dot.set_data([PS[i]], [w[i]])
        return [dot for dot, _ in dots]

    return show


def _losses(ax: Axes, found: Path, model: str) -> Any:
    """Draw the loss with and without the penalty; return what marks the penalty at this p."""
    exact = model == "linear"
    title = "the gap is the penalty of the formula" if exact else "the formula is near the gap"
    unit = "squared error" if exact else "loss"
    style.tidy(ax, title, "p, probability of dropping", f"{unit}, per example")
    total = found.loss + found.penalty
    low, top = 0.0, 1.62 * float(max(total.max(), (found.loss + found.formula).max()))
    ax.set(xlim=(-0.02, 1.02), ylim=(low, top), xticks=[0, 0.5, 1])
    ax.locator_params(axis="y", nbins=5)
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= top])
    looks: dict[str, dict[str, Any]] = {
        "averaged over all masks": {"color": style.KEPT, "linewidth": 3},
        "nothing dropped": {"color": style.WITHOUT, "linewidth": 2},
        "nothing dropped + formula": {
            "color": style.WITHOUT,
            "linewidth": 1.2,
            "linestyle": (0, (4, 3)),
        },
    }
    ax.fill_between(PS, found.loss, total, color=style.KEPT, alpha=0.25, linewidth=0)
    curves = (total, found.loss, found.loss + found.formula)
    for y, (name, look), curve in zip((0.94, 0.85, 0.76), looks.items(), curves, strict=True):
        ax.plot(PS, curve, **look)
        ax.plot([0.02, 0.12], [y, y], transform=ax.transAxes, **look)
        place = style.text_style(10, va="center")
        ax.text(0.15, y, name, transform=ax.transAxes, **place)
    (bar,) = ax.plot([], [], color=style.RESCALED, linewidth=4, solid_capstyle="butt")
    (ends,) = ax.plot([], [], "o", color=style.RESCALED, markersize=7)

    def show(i: int) -> list[Artist]:
        bar.set_data([PS[i]] * 2, [found.loss[i], total[i]])
        ends.set_data([PS[i]] * 2, [found.loss[i], total[i]])
        return [bar, ends]

    return show


def panel(
    p: float = 0.5,
    seed: int = 0,
    model: Literal["linear", "logistic"] = "linear",
    scale: float = 1,
) -> live.Panel:
    """Return a live panel: what regression learns with dropout on its inputs, and the penalty.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping an input
    seed : int >= 0, of the examples
    model : "linear" or "logistic"
    scale : 0.1, 1 or 10, by which the numbers of input 1 are multiplied, as by another unit

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(model="logistic", scale=10)
    >>> small
    regulariser.panel(p=0.5, seed=0, model='logistic', scale=10)
    >>> small.close()
    """
    controls = {
        "model": live.choice("regression", {name: name for name in MODELS}, model),
        "scale": live.choice("input 1 times", {f"{each:g}": each for each in SCALES}, scale),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="regulariser.panel")
