"""Lesson 00: is everything installed, and how near to p a draw comes.

Besides NumPy and `packaging`, which every Jupyter kernel has, nothing is imported here before it
is needed, so that `check_installation` can speak where matplotlib, the widgets or torch fail.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from dlcourse._validate import integer, probability, quoted
from dlcourse._validate import seed as check_seed
from dlcourse.answers import Slip, as_array, call, precision, returned_by
from dlcourse.checks import Expectation, number
from dlcourse.functional import dropout_mask

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlcourse.film import Show
    from dlcourse.live import Panel

# --- what is installed

IN_A_CELL = "Run this in a new cell, then restart the kernel:"
UNUSABLE = {"ipykernel": "with this version only p moves in a panel, and no other control"}
"""Why pyproject.toml leaves out some versions of a package."""

_INDENT: dict[str, Any] = {
    "subsequent_indent": "    ",
    "break_on_hyphens": False,
    "break_long_words": False,
}


@dataclass(frozen=True)
class Finding:
    """One thing that the course needs: is it there, and if not, what is wrong and what mends it."""

    name: str
    state: Literal["ok", "not found", "too old", "unusable", "broken"]
    version: str = ""
    trouble: str = ""
    command: str = ""

    def __str__(self) -> str:
        """Return the trouble in a sentence and, on a line of its own, the command that mends it."""
        said = textwrap.fill(f"{self.state}: {self.trouble}", 88, **_INDENT)
        return said + (f"\n    {self.command}" if self.command else "")


@dataclass(frozen=True, repr=False)
class Installation:
    """What `check_installation` found: true when nothing is to mend, a few lines when shown.

    >>> Installation((Finding("Python", "ok"), Finding("numpy", "ok")))
    ok: Python, numpy
    Nothing is missing.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is to mend."""
        return all(finding.state == "ok" for finding in self.findings)

    def __bool__(self) -> bool:
        """Whether nothing is to mend."""
        return self.ok

    @property
    def details(self) -> str:
        """The kernel's Python and the versions found, a line each: for a question to a person."""
        found = [f"{finding.name} {finding.version or finding.state}" for finding in self.findings]
        return "\n".join([sys.executable, sys.platform, *found])

    def __repr__(self) -> str:
        """Return what is there on one line, each trouble on lines of its own, and the verdict."""
        fine = [finding.name for finding in self.findings if finding.state == "ok"]
        troubles = [str(finding) for finding in self.findings if finding.state != "ok"]
        count = "One thing" if len(troubles) == 1 else f"{len(troubles)} things"
        verdict = f"{count} to mend." if troubles else "Nothing is missing."
        ok_line = [textwrap.fill(f"ok: {', '.join(fine)}", 88, **_INDENT)] if fine else []
        return "\n".join([*ok_line, *troubles, verdict])


def check_installation() -> Installation:
    """Look whether this kernel has what the course needs, in the versions that dlcourse asks for.

    Returns
    -------
    Installation
        Shown as text it holds no version unless something fails; `details` lists them.

    Examples
    --------
    >>> installation = check_installation()
    >>> installation.ok, [finding.name for finding in installation.findings[:2]]
    (True, ['Python', 'dlcourse'])
    """
    try:
        python = metadata.metadata("dlcourse")["Requires-Python"]
        requirements = [Requirement(text) for text in metadata.requires("dlcourse") or []]
    except metadata.PackageNotFoundError:
        return Installation((_course_not_found(),))
    packages = [
        _package(requirement)
        for requirement in sorted(requirements, key=lambda requirement: requirement.name.lower())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]
    torch_is_there = any(found.name == "torch" and found.state == "ok" for found in packages)
    return Installation(
        (
            _python(SpecifierSet(python)),
            Finding("dlcourse", "ok", metadata.version("dlcourse")),
            *packages,
            *([_torch_at_work()] if torch_is_there else []),
        )
    )


def _course_not_found() -> Finding:
    trouble = (
        f"dlcourse is not installed in the environment of this kernel ({sys.executable}), "
        f"only its folder was found. {IN_A_CELL}"
    )
    return Finding("dlcourse", "not found", trouble=trouble, command="%pip install -e ..")


def _python(needed: SpecifierSet) -> Finding:
    found = "{}.{}.{}".format(*sys.version_info)
    if found in needed:
        return Finding("Python", "ok", found)
    trouble = (
        f"Python {found}, the course needs {needed}. "
        f"In a terminal in the folder of the course, make an environment with a newer one:"
    )
    return Finding("Python", "too old", found, trouble, "conda env create -f environment.yml")


def _package(requirement: Requirement) -> Finding:
    """Look for one package in the version that is asked for."""
    name, needed = requirement.name, requirement.specifier
    wanted = f'"{name}{needed}"'
    install = f"%pip install {wanted}"
    try:
        found = metadata.version(name)
        fits = needed.contains(Version(found), prereleases=True)
    except metadata.PackageNotFoundError:
        return Finding(name, "not found", "", f"{name}. {IN_A_CELL}", install)
    except Exception:  # what an interrupted installation leaves behind raises this and that
        trouble = f"{name} says no version, as if its installation had stopped halfway. {IN_A_CELL}"
        return Finding(name, "broken", "", trouble, f"%pip install --force-reinstall {wanted}")
    if any(excluded.operator == "!=" and found not in excluded for excluded in needed):
        trouble = f"{name} {found}: {UNUSABLE[name]}. {IN_A_CELL}"
        return Finding(name, "unusable", found, trouble, install)
    if not fits:
        trouble = f"{name} {found}, the course needs {needed}. {IN_A_CELL}"
        return Finding(name, "too old", found, trouble, install)
    return Finding(name, "ok", found)


def _torch_at_work() -> Finding:
    """Import torch and let it add four numbers that NumPy made."""
    torch: Any = None
    try:
        torch = import_module("torch")
        total = torch.from_numpy(np.arange(4.0)).sum().item()
    except Exception as error:
        said = quoted(error, limit=200)
        if isinstance(error, AttributeError) and torch is not None:
            where = getattr(torch, "__file__", None) or "a folder named torch"
            trouble = (
                f"what is imported as torch is no PyTorch: {where}. Is that yours? Rename it, "
                "then restart the kernel."
            )
            return Finding("torch computes", "broken", trouble=trouble)
        return _broken_torch(f"torch is installed, but does not run: {said}")
    if total != 6:
        return _broken_torch(f"torch is installed, but says that 0 + 1 + 2 + 3 is {total}")
    return Finding("torch computes", "ok", str(torch.__version__))


def _broken_torch(trouble: str) -> Finding:
    return Finding(
        "torch computes",
        "broken",
        trouble=f"{trouble}. {IN_A_CELL}",
        command="%pip install --force-reinstall torch",
    )


# --- what is computed


@dataclass(frozen=True)
class Draw:
    """Which units one draw kept, and how near to p the dropped fraction came.

    `kept` is a bool array of shape (units,), True = kept; `fraction` is what was dropped of them,
    and `spread` the standard deviation of that fraction over draws: sqrt(p (1 − p) / units).
    """

    kept: np.ndarray
    p: float

    @property
    def dropped(self) -> int:
        """How many units were dropped."""
        return int((~self.kept).sum())

    @property
    def fraction(self) -> float:
        """The fraction of the units that was dropped."""
        return self.dropped / self.kept.size

    @property
    def spread(self) -> float:
        """The standard deviation of the fraction over all draws."""
        return sqrt(self.p * (1 - self.p) / self.kept.size)


def draw(units: int, p: float, seed: int) -> Draw:
    """Draw which of the units are kept; the same seed with a larger p drops the same and more.

    Raises
    ------
    TypeError, ValueError
        If units is no int >= 1, p no probability, or seed no int >= 0; the message quotes it.

    Notes
    -----
    The number dropped is binomial, so the fraction has the variance p (1 − p) / units.

    Examples
    --------
    >>> one = draw(100, 0.5, seed=0)
    >>> one.dropped, one.fraction, one.spread
    (48, 0.48, 0.05)
    """
    units, p = integer(units, "units", 1), probability(p)
    return Draw(dropout_mask(units, p, rng=check_seed(seed)), p)


# --- what is drawn


def draw_network(ax: Axes, masks: Sequence[np.ndarray], title: str = "") -> list[Artist]:
    """Draw a small network, layer by layer from the left, without the edges of dropped units.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    masks : one bool array for each layer, True = kept
    title : str

    Returns
    -------
    list of the artists

    Notes
    -----
    After figure 1 of Srivastava et al. 2014, JMLR 15.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> layers = [np.array([True, True]), np.array([True, False]), np.array([True])]
    >>> len(draw_network(Figure().subplots(), layers))
    9
    """
    from dlcourse import style

    style.blank(ax, title)
    ax.set_xlim(-0.35, len(masks) - 0.65)
    ax.set_ylim(-0.55, 0.55)
    heights = [0.18 * (np.arange(len(mask)) - (len(mask) - 1) / 2) for mask in masks]
    artists: list[Artist] = []
    for layer in range(1, len(masks)):
        for below in heights[layer - 1][masks[layer - 1]]:
            for above in heights[layer][masks[layer]]:
                artists += ax.plot([layer - 1, layer], [below, above], color=style.KEPT, lw=0.6)
    for layer, (mask, height) in enumerate(zip(masks, heights, strict=True)):
        units = style.Units(ax, np.full(len(mask), layer), height, 230)
        units.show(mask)
        for artist in units.artists:
            artist.set_zorder(3)
        artists += units.artists
    return artists


def draw_runs(ax: Axes, runs: np.ndarray, truth: float) -> None:
    """Draw each row of runs as dots under its mean ± standard error, and a line at the truth.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    runs : array of float, shape (sets, runs of a set)
        At least two runs in a set.
    truth : float
        What theory expects.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_runs(Figure().subplots(), np.array([[0.4, 0.5], [0.6, 0.5]]), truth=0.5)
    """
    from dlcourse import style

    sets, size = runs.shape
    errors = runs.std(axis=1, ddof=1) / sqrt(size)
    for row, (values, mean, error) in enumerate(zip(runs, runs.mean(axis=1), errors, strict=True)):
        ax.plot(values, np.full(size, row + 0.25), "o", color=style.KEPT, ms=6, alpha=0.25, mew=0)
        ax.plot([mean - error, mean + error], [row, row], color=style.KEPT, lw=3)
        ax.plot(mean, row, "|", color=style.KEPT, ms=12, mew=2)
    ax.axvline(truth, color=style.WITHOUT, lw=1, ls="--")
    ax.set_yticks(range(sets), [f"{size} draws, no. {row + 1}" for row in range(sets)])
    ax.set_ylim(sets - 0.4, -0.5)


def scene(figure: Figure, seed: int, units: int) -> Show:
    """Draw the units of one draw and, beside them, the fraction dropped against p ± its spread."""
    from matplotlib.patches import Rectangle

    from dlcourse import style

    left = figure.add_axes((0.02, 0.14, 0.37, 0.76))
    right = figure.add_axes((0.46, 0.30, 0.50, 0.60))
    side = round(sqrt(units))
    x, y = np.meshgrid(range(side), range(side))
    count = style.blank(left)
    left.set_xlim(-0.6, side - 0.4)
    left.set_ylim(side - 0.4, -0.6)
    discs = style.Units(left, x, y, (165 / side) ** 2)

    style.tidy(
        right,
        "the fraction dropped comes out near p",
        "fraction dropped; band: p ± one standard deviation",
    )
    right.spines["left"].set_visible(False)
    right.set_yticks([])
    right.set_xlim(0, 1)
    right.set_ylim(0, 1)
    kept_bar = Rectangle((0, 0.30), 1, 0.26, fc=style.KEPT, lw=0)
    dropped_bar = Rectangle((0, 0.30), 0, 0.26, fc=style.DROPPED, ec=style.OUTLINE, lw=1)
    band = Rectangle((0, 0.56), 0, 0.24, fc=style.KEPT, alpha=0.25, lw=0)
    for patch in (kept_bar, dropped_bar, band):
        right.add_patch(patch)
    (theory,) = right.plot([0, 0], [0.30, 0.80], "--", color=style.WITHOUT, lw=1.2, clip_on=False)
    expected = right.text(0, 0.83, "", **style.text_style(12, ha="center", va="bottom"))
    dropped_text = right.text(0, 0.26, "", **style.text_style(12, ha="left", va="top"))
    kept_text = right.text(1, 0.26, "", **style.text_style(12, ha="right", va="top"))
    kept_text.set_color(style.KEPT)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        one = draw(units, p, seed)
        discs.show(one.kept)
        dropped_bar.set_width(one.fraction)
        band.set_x(p - one.spread)
        band.set_width(2 * one.spread)
        theory.set_xdata([p, p])
        expected.set_text(f"expected {p:.3f} ± {one.spread:.3f}")
        expected.set_x(min(max(p, 0.22), 0.78))
        dropped_text.set_text(f"× dropped: {one.dropped}")
        kept_text.set_text(f"kept: {units - one.dropped}")
        count.set_text(f"{one.dropped} of {units} units dropped")
        caption.set_text(
            f"p = {p:.2f}, keep = 1 − p = {1 - p:.2f}: {one.dropped} of {units} units dropped, "
            f"a fraction of {one.fraction:.3f}"
        )
        bars = (kept_bar, dropped_bar, band, theory)
        return [*discs.artists, *bars, expected, dropped_text, kept_text, count, caption]

    return show


def panel(p: float = 0.5, seed: int = 0, units: int = 100) -> Panel:
    """Show units that are kept or dropped, and the fraction dropped against p.

    Parameters
    ----------
    p : float, in hundredths
        The probability of dropping at which the slider stands first.
    seed : int
        The first draw.
    units : 25, 100 or 400

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> shown = panel(p=0.2, units=25)
    >>> shown
    start_here.panel(p=0.2, seed=0, units=25)
    >>> shown.close()
    """
    from dlcourse import live

    numbers = {str(n): n for n in (25, 100, 400)}
    controls = {"units": live.choice("units", numbers, units)}
    return live.Panel(scene, controls, p=p, seed=seed, name="start_here.panel")


# --- what the exercises expect

units_kept = number(
    819.2,
    atol=1,
    slips={
        204.8: "that many are dropped, the question asks how many are kept",
        12.8: "that is the standard deviation, the question asks for the average",
        0.8: "that is the probability of keeping, the question asks for a number of units",
        80: "that is a percentage, the question asks for a number of units",
        1280: "divided by 1 − p; multiply by it",
        5120: "divided by p; multiply by 1 − p",
        1024: "that is the whole layer, before any unit is dropped",
        1023.8: "p is a share of the units: multiply by (1 − p), with brackets",
        512: "that is the average at p = 0.5, the question asks for p = 0.2",
    },
    # 4 standard deviations
    near=(
        51,
        "is it from a draw? The question asks for the average, which needs no random numbers",
    ),
    right="1024 × (1 − 0.2) = 819.2 on average",
)


def _to_p_slip(answer: Any) -> str | None:
    """Try one keep and then several; return None if each becomes 1 − keep, else the slip."""
    several = np.array([0.0, 0.3, 0.8, 1.0])
    who = f"for one number, {returned_by(answer)}"
    got = call(answer, keep=0.3)
    found, atol = as_array(got, (), who), precision(got, 1e-6)
    if slip := _to_p_words(np.array(0.3), found, atol):
        return slip
    try:
        got = call(answer, keep=several)
        found, atol = as_array(got, several.shape, returned_by(answer)), precision(got, 1e-6)
    except Slip as found_out:
        raise Slip(f"works for one number, but not for an array: {found_out}") from found_out
    return _to_p_words(several, found, atol)


def _to_p_words(keep: np.ndarray, found: np.ndarray, atol: float) -> str | None:
    """Say which slip turned keep into what was found, or None if it is 1 − keep."""
    off = np.flatnonzero(~np.isclose(found, 1 - keep, rtol=0, atol=atol))
    if not off.size:
        return None
    slips = [
        (keep, "keep came back unchanged, expected the probability of dropping"),
        (keep - 1, "keep − 1 is negative: the other way round?"),
        (100 * (1 - keep), "that is a percentage, expected a probability in [0, 1]"),
        (np.round(1 - keep), "rounded to a whole number, expected a probability"),
    ]
    for wrong, words in slips:
        if np.allclose(found, wrong, rtol=0, atol=atol):
            return words
    with np.errstate(divide="ignore"):
        inverse = np.where(keep > 0, 1 / keep, found)
    if np.allclose(found, inverse, rtol=0, atol=atol):
        return "1/keep is the factor for the survivors, expected the probability of dropping"
    one = keep.flat[off[0]]
    return f"keep = {one:g} became {found.flat[off[0]]:g}, expected {1 - one:g}"


to_p_function = Expectation(_to_p_slip, right="p = 1 − keep, for one number and for an array")
