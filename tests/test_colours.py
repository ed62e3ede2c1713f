"""The visual language for colour-blind readers, on a grey printer, and for tired eyes."""

import importlib
from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dlcourse import choosing_p, coadaptation, ensembles, overfitting, regulariser, style, walter
from tests.scenes import drawn, texts_to_be_seen
from tests.test_notebooks import every_lesson

LIGHT = np.array([0.2126, 0.7152, 0.0722])  # luminance of linear red, green and blue

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", severity 1.0, on linear RGB
VISIONS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
    "greyscale": np.tile(LIGHT, (3, 1)),
}
TO_XYZ = np.array(  # IEC 61966-2-1
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def linear(colour):
    """Return a colour as linear RGB."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Return linear RGB as CIELAB, white being white."""
    t = TO_XYZ @ rgb / TO_XYZ.sum(axis=1)
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(a, b, vision):
    """Return how far apart two colours look: ΔE of 1976; 2.3 can just be noticed side by side."""
    seen = [np.clip(VISIONS[vision] @ linear(colour), 0, 1) for colour in (a, b)]
    return float(np.linalg.norm(lab(seen[0]) - lab(seen[1])))


def contrast(a, b="white"):
    """Return the contrast of WCAG 2: 1 for equal colours, 21 for black on white."""
    dark, light = sorted(float(LIGHT @ linear(colour)) for colour in (a, b))
    return (light + 0.05) / (dark + 0.05)


def cividis(*shades):
    return [colormaps["cividis"](shade)[:3] for shade in shades]


# what stands side by side in a picture and has to be told apart
SIDE_BY_SIDE = {
    "the visual language": [
        style.KEPT,
        style.DROPPED,
        style.OUTLINE,
        style.RESCALED,
        style.WITHOUT,
    ],
    "lines for p = 0.1, 0.5, 0.9": cividis(0.09, 0.45, 0.81),
    "lines for four p, Walter": cividis(*np.linspace(0, 0.78, 4)),
    "lines for p of training": [coadaptation.picture.colour(p) for p in coadaptation.TRAINED],
    "lines for four weights": [one[:3] for one in regulariser.picture.COLOURS],
}


def test_the_simulation_does_what_is_known():
    for vision, matrix in VISIONS.items():  # grey stays grey
        assert matrix.sum(axis=1) == pytest.approx(1, abs=1e-5), vision
    assert distance("white", "black", "usual") == pytest.approx(100)
    assert lab(linear(style.KEPT)) == pytest.approx([45.97, -2.74, -41.37], abs=0.05)
    red, green = "#B22222", "#3A7A00"
    assert distance(red, green, "usual") > 90 > 40 > distance(red, green, "protanopia")
    assert distance(red, green, "deuteranopia") < 5
    assert contrast("white", "black") == pytest.approx(21)
    assert contrast("#777777") == pytest.approx(4.48, abs=0.005)  # the textbook's near miss


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("kind", SIDE_BY_SIDE)
def test_colours_side_by_side_can_be_told_apart(kind, vision):
    least = 10 if vision == "greyscale" else 18  # four to eight times what can just be noticed
    for a, b in combinations(SIDE_BY_SIDE[kind], 2):
        assert distance(a, b, vision) >= least, (a, b)


def walters_picture(ax):
    result = walter.walter_simulation([10, 100], [0.1, 0.25, 0.5, 0.9], 50, rng=0)
    walter.draw_differences(ax, result)


def gaps(ax):
    ensembles.draw_gaps(ax, np.arange(2, 5), np.ones((3, 3)), np.ones((3, 3)), (0.1, 0.5, 0.9))


@pytest.mark.parametrize(
    ("draw", "kind"),
    [(gaps, "lines for p = 0.1, 0.5, 0.9"), (walters_picture, "lines for four p, Walter")],
)
def test_the_lines_are_those_that_lessons_draw(draw, kind):
    ax = Figure().subplots()
    draw(ax)
    solid = [to_rgb(line.get_color()) for line in ax.get_lines() if line.get_linestyle() == "-"]
    wanted = {tuple(np.round(colour, 2)) for colour in SIDE_BY_SIDE[kind]}
    assert {tuple(np.round(colour, 2)) for colour in solid} == wanted


def test_what_is_dropped_has_an_outline_and_a_cross():
    """Its grey is hardly darker than paper: what is around it and in it must show."""
    assert contrast(style.DROPPED) < 1.5
    assert contrast(style.OUTLINE) >= 3  # WCAG 2.1, 1.4.11
    ax = Figure().subplots()
    units = style.Units(ax, np.arange(2), np.zeros(2))
    units.show(np.array([True, False]))
    discs, crosses = units.artists
    assert np.allclose(discs.get_edgecolors()[:, :3], to_rgb(style.OUTLINE))
    assert crosses.get_xdata().tolist() == [1]


# --- words: 4.5 is what WCAG asks for (1.4.3)


def in_the_palette(colour):
    """Return a colour as a panel's picture stores it."""
    stored = style.palette() / 255
    return tuple(stored[((stored - to_rgb(colour)) ** 2).sum(axis=1).argmin()])


def assert_readable(figure, stored):
    texts = texts_to_be_seen(figure)
    assert texts
    for text in texts:
        assert contrast(stored(text.get_color())) >= 4.5, (text.get_text(), text.get_color())


MORE = {
    "scaling": [{"kind": "unscaled"}, {"kind": "vanilla"}],
    "walter": [{"output": "inverted"}, {"output": "inverted, after ReLU"}],
    "regulariser": [{"model": "logistic"}],
    "relatives": [{"shown": "maps"}, {"shown": "normal"}],
}


@every_lesson
def test_words_of_a_panel_can_be_read(path):
    name = path.stem[3:]
    lesson = importlib.import_module(f"dlcourse.{name}")
    panel = lesson.panel()
    settings = panel.settings
    panel.close()
    for changed in [{}, *MORE.get(name, [])]:
        figure, show = drawn(lesson.scene, **settings | changed)
        for p in (0, 0.5, 1):
            show(p)
            assert_readable(figure, in_the_palette)


def test_words_at_the_ends_of_curves_can_be_read():
    figure = Figure()
    for colour in (style.KEPT, style.RESCALED, style.OUTLINE, style.WITHOUT):
        overfitting.draw_epochs(figure.subplots(), np.ones((3, 5)), "words", colour)
    walters_picture(figure.subplots())
    assert_readable(figure, to_rgb)


def test_numbers_in_a_map_can_be_read():
    accuracies = np.linspace(0.1, 1, 256)[None]
    no = np.zeros(accuracies.shape, bool)
    ax = Figure().subplots()
    choosing_p.draw_map(ax, accuracies, no, no)
    behind = ax.images[0].to_rgba(accuracies)[0, :, :3]
    for text, colour in zip(ax.texts, behind, strict=True):
        assert contrast(text.get_color(), colour) >= 4.5
