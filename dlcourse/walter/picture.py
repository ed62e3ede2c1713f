"""What lesson 05 draws: Walter's picture, the panel's scene, and the panel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import live, style
from dlcourse.film import Show
from dlcourse.walter.formulas import scales
from dlcourse.walter.gauges import Ratio, ratios, rounded
from dlcourse.walter.simulation import WalterResult, draw

SIMULATIONS = 1000  # in the panel
FAN_INS = (10, 30, 100, 300, 1000)
WEIGHT_MEANS = (0.0, 0.1, 0.5)
OUTPUTS = ("unscaled", "inverted", "unscaled, after ReLU", "inverted, after ReLU")
PARTIES = ("mean, given the weights", "standard deviation", "mean after the next ReLU")


def draw_differences(ax: Axes, result: WalterResult) -> None:
    """Draw Walter's picture: fan-in across, the difference up, bars of ± one std.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : WalterResult, with increasing fan-ins

    Examples
    --------
    >>> from dlcourse.walter import walter_simulation
    >>> ax = Figure().subplots()
    >>> draw_differences(ax, walter_simulation([10, 100], [0.2, 0.8], 50, rng=0))
    >>> ax.get_xlabel()
    'N, inputs of the neuron'
    """
    colours = colormaps["cividis"](np.linspace(0, 0.78, len(result.p)))
    right = result.fan_in[-1]
    for i, (p, colour) in enumerate(zip(result.p, colours, strict=True)):
        x = result.fan_in + 0.012 * right * (i - (len(result.p) - 1) / 2)  # side by side
        mean, std = result.mean[i], result.std[i]
        ax.errorbar(x, mean, std, color=colour, linewidth=1, elinewidth=2, marker="o", markersize=3)
        ax.plot(x, std, color=colour, linewidth=1.5)
        ax.plot(x, result.theory.std[i], "--", color=style.WITHOUT, linewidth=1)
        words = f"p = {p:g}" if p == result.p[-1] else f"{p:g}"
        ax.text(1.04 * right, std[-1], words, **style.text_style(11, va="center"))
    ax.set_xlim(-0.03 * right, 1.14 * right)
    style.tidy(ax, "", "N, inputs of the neuron", "output with dropout − without")


def draw_spreads(ax: Axes, unscaled: WalterResult, inverted: WalterResult) -> None:
    """Draw the spread of the output with dropout over that without: p across, one N each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    unscaled, inverted : WalterResult, with increasing p and one fan-in
        Of the simulation with ``scaled=False`` and with ``scaled=True``.

    Examples
    --------
    >>> from dlcourse.walter import walter_simulation
    >>> ps, ax = [0.2, 0.5, 0.8], Figure().subplots()
    >>> made = [walter_simulation(10, ps, 50, scaled=scaled, rng=0) for scaled in (False, True)]
    >>> draw_spreads(ax, *made)
    >>> ax.get_ylabel()
    'std with / without'
    """
    pairs = (unscaled, style.KEPT, "unscaled"), (inverted, style.RESCALED, "inverted")
    for result, colour, words in pairs:
        ratio, error = result.output_std_ratio[:, 0], result.error.output_std_ratio[:, 0]
        expected = result.theory.output_std_ratio[:, 0]
        ax.errorbar(result.p, ratio, error, color=colour, fmt="o", markersize=4)
        ax.plot(result.p, expected, "--", color=style.WITHOUT, linewidth=1)
        end = result.p[-1] + 0.02, expected[-1]
        ax.text(*end, words, **style.text_style(11, va="center"))
    ax.axhline(1, color=style.OUTLINE, linewidth=0.8)
    ax.set_xlim(0, 1.1)
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    title = "inverted dropout inflates the spread"
    style.tidy(ax, title, "p, probability of dropping", "std with / without")


def scene(figure: Figure, seed: int, fan_in: int, weight_mean: float, output: str) -> Show:
    """Draw the outputs with and without dropout, and what of them is kept."""
    left = figure.add_axes((0.085, 0.26, 0.385, 0.62))
    right = figure.add_axes((0.517, 0.16, 0.468, 0.72))
    scaled, relu = output.startswith("inverted"), output.endswith("ReLU")
    draws = draw(np.random.default_rng(seed), SIMULATIONS, np.array([fan_in]), weight_mean)
    without = draws.output(0.0)[0]
    show_outputs = _draw_outputs(left, without, scaled, relu)
    show_ratios = _draw_ratios(right)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        dropped = draws.output(p)[0] * scales(np.array([p]), scaled)[0]
        outputs, found = show_outputs(dropped)
        caption.set_text(f"p = {p:.2f}: {found} (mean ± std of {SIMULATIONS:,} neurons)")
        return [*outputs, *show_ratios(ratios(without, dropped)), caption]

    return show


def _draw_outputs(
    ax: Axes, without: np.ndarray, scaled: bool, relu: bool
) -> Callable[[np.ndarray], tuple[list[Artist], str]]:
    """Draw the outputs without dropout; return what shows those with it, and says the numbers."""
    middle, reach = without.mean(), 5 * without.std()
    low, high = (0, middle + reach) if relu else (min(middle - reach, -0.5 * reach), middle + reach)
    edges = np.linspace(low, high, 41)
    if relu:
        without = np.maximum(without, 0)
    title = style.tidy(ax, "", "output of the neuron", "how often (peak = 1)")
    ax.set(xlim=(low, high), ylim=(0, 1.45))
    ax.set_yticks([0, 0.5, 1])
    ax.tick_params(axis="x", pad=6)  # clear of the 0 of the other axis
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    heights, _, _ = _heights(without, edges, relu)
    colour, ink = (style.RESCALED, style.RESCALED_INK) if scaled else (style.KEPT, style.KEPT)
    filled = ax.stairs(np.zeros(40), edges, fill=True, facecolor=colour, alpha=0.75)
    outline = ax.stairs(heights, edges, color=style.WITHOUT, linewidth=1.4)
    end = high - 0.01 * (high - low)
    aside = style.text_style(11, ha="right", va="top")
    ax.text(end, 1.39, "without dropout", **aside | {"color": style.WITHOUT})
    ax.text(end, 1.26, "with dropout", **aside | {"color": ink})
    start = low + 0.02 * (high - low)
    note = ax.text(start, 1.26, "", **style.text_style(10, ha="left", va="top", color=ink))
    before = rounded(without.mean(), without.std())

    def show(dropped: np.ndarray) -> tuple[list[Artist], str]:
        dropped = np.maximum(dropped, 0) if relu else dropped
        heights, zero, outside = _heights(dropped, edges, relu)
        filled.set_data(heights)
        apart = (f"at 0: {zero}", zero), (f"outside: {outside}", outside)
        note.set_text(", ".join(words for words, count in apart if count))
        moved = dropped - without
        shift = rounded(moved.mean(), moved.std() / len(moved) ** 0.5)
        title.set_text(f"shift of the mean: {shift}")
        words = f"without dropout {before}, with {rounded(dropped.mean(), dropped.std())}"
        return [filled, outline, note, title], words

    return show


def _heights(outputs: np.ndarray, edges: np.ndarray, relu: bool) -> tuple[np.ndarray, int, int]:
    """Return a histogram with peak 1, how many outputs are 0, and how many lie outside."""
    zero = outputs == 0
    counts, _ = np.histogram(outputs[~zero] if relu else outputs, edges)
    inside = counts.sum() + (zero.sum() if relu else 0)
    return counts / max(counts.max(), 1), int(zero.sum()), int(len(outputs) - inside)


def _draw_ratios(ax: Axes) -> Callable[[tuple[Ratio, Ratio, Ratio]], list[Artist]]:
    """Draw three gauges from 0 to 2.5 with 1 marked; return what shows three ratios."""
    title = style.blank(ax)
    ax.set(xlim=(0, 2.52), ylim=(-0.42, 3.0))
    rows = np.array([2.25, 1.25, 0.25])
    bars = ax.barh(rows, [1, 1, 1], height=0.36, color=style.KEPT)
    ax.barh(rows, 2.5, height=0.36, color="none", edgecolor=style.OUTLINE, linewidth=0.8)
    for row, name in zip(rows, PARTIES, strict=True):
        ax.text(0, row + 0.26, name, **style.text_style(11, ha="left", va="bottom"))
    ones = ax.vlines([1, 1, 1], rows - 0.22, rows + 0.22, color=style.WITHOUT, linewidth=1)
    ones.set_linestyle("--")
    ax.text(1, -0.06, "1 = kept", **style.text_style(10, ha="center", va="top"))
    texts = [
        ax.text(2.5, row + 0.26, "", **style.text_style(11, ha="right", va="bottom"))
        for row in rows
    ]

    def show(found: tuple[Ratio, Ratio, Ratio]) -> list[Artist]:
        for bar, text, ratio in zip(bars, texts, found, strict=True):
            bar.set_width(float(np.clip(ratio.value, 0, 2.5)))
            bar.set_facecolor(style.KEPT if ratio.kept else style.RESCALED)
            text.set_text(f"× {ratio}")
        kept = sum(ratio.kept for ratio in found)
        words = (
            "none of the three is kept",
            "one of the three is kept",
            "two of the three are kept",
        )
        title.set_text((*words, "all three are kept, within their errors")[kept])
        return [*bars, ones, *texts, title]

    return show


def panel(
    p: float = 0.5,
    seed: int = 0,
    fan_in: int = 100,
    weight_mean: float = 0.0,
    output: str = "unscaled",
) -> live.Panel:
    """Return the live panel of lesson 05: a neuron's outputs, and which of three numbers is kept.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the inputs, weights and masks of 1,000 simulations
    fan_in : 10, 30, 100, 300 or 1000, the inputs of the neuron
    weight_mean : 0, 0.1 or 0.5, of the weights, whose standard deviation is 1
    output : "unscaled", "inverted", "unscaled, after ReLU" or "inverted, after ReLU"
        What the picture on the left shows. The scaling holds on the right as well.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> made = panel(p=0.2, output="inverted")
    >>> made
    walter.panel(p=0.2, seed=0, fan_in=100, weight_mean=0.0, output='inverted')
    >>> made.close()
    """
    controls = {
        "fan_in": live.choice("N", {f"{n:,} inputs": n for n in FAN_INS}, fan_in),
        "weight_mean": live.choice("weight mean", {f"{m:g}": m for m in WEIGHT_MEANS}, weight_mean),
        "output": live.choice("output", {name: name for name in OUTPUTS}, output),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="walter.panel")
