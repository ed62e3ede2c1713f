"""Lesson 00: the check of the installation in all its moods, the panel, the text's claims."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import warnings
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from packaging.requirements import Requirement
from scipy.stats import binom

from dlcourse import start_here
from dlcourse.checks import check
from dlcourse.film import Camera
from dlcourse.live import SIZE
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, legible
from tests.test_notebooks import LESSONS

ROOT = Path(__file__).parents[1]
NOTEBOOK = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
TEXT = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")
PS = (0.0, 0.01, 0.5, 0.99, 1.0)
UNITS = (25, 100, 400)


# --- the installation


def pretend(monkeypatch, versions=None, requires=("numpy>=2.0", "torch>=2.5"), python=">=3.11"):
    """Let importlib.metadata tell other versions, None for what is not installed."""
    versions = {"dlcourse": "0.1", "numpy": "2.1", "torch": "2.6.0+cpu"} | (versions or {})

    def look_up(name, value):
        if versions.get(name) is None:
            raise metadata.PackageNotFoundError(name)
        return value

    fake = SimpleNamespace(
        PackageNotFoundError=metadata.PackageNotFoundError,
        version=lambda name: look_up(name, versions.get(name)),
        requires=lambda name: look_up(name, None if requires is None else list(requires)),
        metadata=lambda name: look_up(name, {"Requires-Python": python}),
    )
    monkeypatch.setattr(start_here, "metadata", fake)


def test_here_everything_is_installed():
    found = start_here.check_installation()
    assert found and found.ok
    assert repr(found).endswith("\nNothing is missing.")
    assert max(map(len, repr(found).splitlines())) <= 88


def test_every_requirement_of_the_project_is_looked_for_and_no_other():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {Requirement(text).name for text in project["dependencies"]}
    names = {finding.name for finding in start_here.check_installation().findings}
    assert names == required | {"Python", "dlcourse", "torch computes"}


def test_too_old_is_the_word_for_every_requirement():
    """A requirement such as "<3" would make "too old" a lie."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    left_out = set()
    for text in [*project["dependencies"], f"python{project['requires-python']}"]:
        requirement = Requirement(text)
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators <= {">=", "!="}
        left_out |= {requirement.name} if "!=" in operators else set()
    assert left_out == set(start_here.UNUSABLE)


def test_a_version_that_is_left_out_is_told_why_with_its_cure(monkeypatch):
    asked = "ipykernel>=6.29,!=7.0.*"
    pretend(monkeypatch, {"ipykernel": "7.0.1"}, requires=[asked])
    told = " ".join(repr(start_here.check_installation()).split())
    assert "unusable: ipykernel 7.0.1: with this version only p moves in a panel" in told
    assert '%pip install "ipykernel!=7.0.*,>=6.29"' in told
    pretend(monkeypatch, {"ipykernel": "7.1.0"}, requires=[asked])
    assert start_here.check_installation()


def test_no_version_stands_in_the_output_when_all_is_well(monkeypatch):
    texts = set()
    for numpy, pytorch in (("2.1", "2.6.0+cpu"), ("3.0rc1", "2.13.0a0+git1234567")):
        pretend(monkeypatch, {"numpy": numpy, "torch": pytorch})
        texts.add(repr(start_here.check_installation()))
    assert texts == {"ok: Python, dlcourse, numpy, torch, torch computes\nNothing is missing."}


def test_details_list_the_versions_and_the_python(monkeypatch):
    pretend(monkeypatch, {"torch": None})
    lines = start_here.check_installation().details.splitlines()
    assert lines[0] == sys.executable
    assert {"numpy 2.1", "torch not found", "dlcourse 0.1"} <= set(lines)
    assert any(line == "Python {}.{}.{}".format(*sys.version_info) for line in lines)


def test_missing_package(monkeypatch):
    pretend(monkeypatch, {"numpy": None})
    found = start_here.check_installation()
    assert not found and not found.ok
    assert repr(found) == (
        "ok: Python, dlcourse, torch, torch computes\n"
        "not found: numpy. Run this in a new cell, then restart the kernel:\n"
        '    %pip install "numpy>=2.0"\n'
        "One thing to mend."
    )


def test_old_package(monkeypatch):
    pretend(monkeypatch, {"numpy": "1.26.4"})
    assert repr(start_here.check_installation()) == (
        "ok: Python, dlcourse, torch, torch computes\n"
        "too old: numpy 1.26.4, the course needs >=2.0. Run this in a new cell, then restart the\n"
        "    kernel:\n"
        '    %pip install "numpy>=2.0"\n'
        "One thing to mend."
    )


@pytest.mark.parametrize("version", ["", "unknown", "None"])
def test_package_whose_installation_was_interrupted(monkeypatch, version):
    pretend(monkeypatch, {"numpy": version})
    text = repr(start_here.check_installation())
    assert "broken: numpy says no version, as if its installation had stopped halfway." in text
    assert '\n    %pip install --force-reinstall "numpy>=2.0"\n' in text


def test_old_python(monkeypatch):
    pretend(monkeypatch, python=">=99.1")
    text = repr(start_here.check_installation())
    assert "too old: Python 3." in text and "the course needs >=99.1" in text
    assert "\n    conda env create -f environment.yml\nOne thing to mend." in text


def test_kernel_of_another_environment(monkeypatch):
    pretend(monkeypatch, {"dlcourse": None})
    text = repr(start_here.check_installation())
    told = " ".join(text.split())
    assert "not found: dlcourse is not installed in the environment of this kernel" in told
    assert sys.executable in text and text.endswith("\n    %pip install -e ..\nOne thing to mend.")


def test_missing_torch_is_not_imported(monkeypatch):
    pretend(monkeypatch, {"torch": None})
    monkeypatch.setattr(start_here, "import_module", lambda name: pytest.fail("imported"))
    text = repr(start_here.check_installation())
    assert "not found: torch." in text
    assert '"torch>=2.5"\n' in text


@pytest.mark.parametrize(
    "error",
    [
        OSError("libtorch_cpu.so: cannot open shared object file"),
        ImportError("DLL load failed while importing _C"),
        RuntimeError("Numpy is not available"),
    ],
)
def test_torch_that_does_not_start(monkeypatch, error):
    def broken(name):
        raise error

    pretend(monkeypatch)
    monkeypatch.setattr(start_here, "import_module", broken)
    text = repr(start_here.check_installation())
    told = " ".join(text.split())
    assert f"broken: torch is installed, but does not run: {error!r}. Run this" in told
    assert "\n    %pip install --force-reinstall torch\n" in text
    assert text.startswith("ok: Python, dlcourse, numpy, torch\n")


def test_torch_that_cannot_count(monkeypatch):
    def wrong(array):
        return torch.tensor([5.0])

    pretend(monkeypatch)
    fake = SimpleNamespace(from_numpy=wrong, __version__="2.6")
    monkeypatch.setattr(start_here, "import_module", lambda name: fake)
    told = " ".join(repr(start_here.check_installation()).split())
    assert "broken: torch is installed, but says that 0 + 1 + 2 + 3 is 5.0. Run this" in told


@pytest.mark.parametrize("file", ["/home/me/notebooks/torch.py", None])
def test_file_of_ones_own_that_is_called_torch(monkeypatch, file):
    pretend(monkeypatch)
    fake = SimpleNamespace(__file__=file)
    monkeypatch.setattr(start_here, "import_module", lambda name: fake)
    told = " ".join(repr(start_here.check_installation()).split())
    assert f"is no PyTorch: {file or 'a folder named torch'}. Is that yours? Rename it" in told
    assert "%pip" not in told


def test_several_troubles_are_counted(monkeypatch):
    pretend(monkeypatch, {"numpy": None, "torch": "1.0"})
    assert repr(start_here.check_installation()).endswith("\n2 things to mend.")


def test_packages_of_the_extras_and_of_other_systems_are_not_asked_for(monkeypatch):
    extra = ('pytest>=8; extra == "test"', "pywin32>=1; platform_system == 'Atari'", "numpy>=2.0")
    pretend(monkeypatch, requires=extra)
    names = [finding.name for finding in start_here.check_installation().findings]
    assert names == ["Python", "dlcourse", "numpy"]


def test_project_without_requirements(monkeypatch):
    pretend(monkeypatch, requires=None)
    assert repr(start_here.check_installation()) == "ok: Python, dlcourse\nNothing is missing."


def test_the_check_speaks_where_all_that_is_heavy_fails_to_import():
    """In a process of its own, whose imports of these packages fail."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        heavy = "torch matplotlib ipywidgets IPython scipy sklearn PIL".split()
        if name.partition(".")[0] in heavy:
            raise ImportError(f"{name} is broken")
sys.meta_path.insert(0, Refuse())
exec(sys.argv[1])
print(start_here.check_installation())
"""
    imports = next(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code")
    done = subprocess.run(
        [sys.executable, "-c", code, imports], capture_output=True, text=True, check=True
    )
    assert "torch is installed, but does not run: ImportError('torch is broken')" in " ".join(
        done.stdout.split()
    )


# --- the draw and its pictures


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.99, 1.0])
def test_draw_has_the_mean_and_spread_of_a_binomial(units, p):
    draws = [start_here.draw(units, p, seed) for seed in range(400)]
    dropped = np.array([one.dropped for one in draws])
    theory = binom(units, p)
    assert all(one.spread == pytest.approx(theory.std() / units) for one in draws[:1])
    assert all(one.fraction == one.dropped / units for one in draws)
    assert all(one.dropped + one.kept.sum() == units for one in draws)
    # 5 standard errors: a false alarm in 15 fixed cases has a probability below 1e-5
    assert abs(dropped.mean() - theory.mean()) <= 5 * theory.std() / 400**0.5


def test_larger_p_drops_the_same_units_and_more():
    for seed in range(5):
        kept = [start_here.draw(100, p / 100, seed).kept for p in range(101)]
        assert kept[0].all() and not kept[100].any()
        assert all((high <= low).all() for low, high in pairwise(kept))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("large", [False, True])
def test_no_text_is_cut_off_and_no_two_overlap(units, large):
    ps = (0, 0.01, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.99, 1)
    for *_, words in legible(start_here.scene, ps, large, seed=0, units=units):
        assert len(words) > 6


def test_caption_says_what_the_numbers_are():
    ((*_, texts),) = legible(start_here.scene, [0.2], seed=0, units=100)
    one = start_here.draw(100, 0.2, 0)
    assert (
        f"p = 0.20, keep = 1 − p = 0.80: {one.dropped} of 100 units dropped, "
        f"a fraction of {one.fraction:.3f}" in texts
    )
    assert "expected 0.200 ± 0.040" in texts


# --- the panel


def controls_of(panel):
    (slider, _), row, stack = panel.children[0].children, *panel.children[1:3]
    return slider, row.children[0], row.children[-1], stack


def test_panel_shows_each_state_as_a_fresh_camera_does():
    """So no picture depends on the way to it: p down and up, units there and back, new draws."""
    panel = start_here.panel(p=0.3, seed=0, units=100)
    slider, units, new_draw, stack = controls_of(panel)
    seed = 0
    try:
        for n in (400, 25, 100):
            units.value = n
            assert_no_history(panel, start_here.scene, (*PS, *PS[::-1]), seed=seed, units=n)
            new_draw.click()
            seed += 1
            assert repr(panel) == f"start_here.panel(p=0, seed={seed}, units={n})"
        assert panel.wait(30)
        for p in PS:
            slider.index = round(100 * p)
            shown = stack.children[slider.index].value
            assert shown == Camera(start_here.scene, SIZE).shoot(p, seed=seed, units=n)
        assert panel.error is None
    finally:
        panel.close()


def test_panel_starts_where_it_is_told():
    panel = start_here.panel(0.99, seed=4, units=25)
    try:
        assert repr(panel) == "start_here.panel(p=0.99, seed=4, units=25)"
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        *BAD_STARTS,
        ({"units": 30}, ValueError, "units must be one of [25, 100, 400], got 30"),
        ({"units": "100"}, ValueError, "units must be one of [25, 100, 400], got '100'"),
    ],
)
def test_panel_refuses_what_it_cannot_show(settings, error, words):
    assert_refused(start_here.panel, settings, error, words)


# --- the two static figures


def test_network_has_an_edge_for_each_pair_of_kept_neighbours():
    rng = np.random.default_rng(0)
    for sizes in ((3, 5, 5, 2), (1, 1), (4, 2, 3)):
        for _ in range(5):
            masks = [rng.random(n) < 0.5 for n in sizes]
            artists = start_here.draw_network(Figure().subplots(), masks, "a title")
            kept = [int(mask.sum()) for mask in masks]
            edges = sum(a * b for a, b in pairwise(kept))
            assert len(artists) == edges + 2 * len(sizes)


def test_runs_are_drawn_around_their_mean_with_its_standard_error():
    runs = np.array([[0.4, 0.5, 0.6], [0.1, 0.2, 0.6]])
    ax = Figure().subplots()
    start_here.draw_runs(ax, runs, truth=0.5)
    bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    for (low, high), values in zip(bars[:2], runs, strict=True):
        assert (low + high) / 2 == pytest.approx(values.mean())
        assert (high - low) / 2 == pytest.approx(values.std(ddof=1) / 3**0.5)


# --- the exercises


@pytest.mark.parametrize(
    "answer", [819.2, 819, 820, np.float32(819.2), 1024 * (1 - 0.2), torch.tensor(819.2)]
)
def test_number_of_kept_units_is_right(answer):
    assert check("0.1", answer, start_here.units_kept).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (1024 * 0.2, "that many are dropped"),
        (205, "that many are dropped"),
        (binom(1024, 0.2).std(), "that is the standard deviation"),
        (0.8, "that is the probability of keeping"),
        (1024 / 0.8, "divided by 1 − p"),
        (512, "that is the average at p = 0.5, the question asks for p = 0.2"),
        (1, "1 is too small"),
        (0, "0 is too small"),
        (204, "that many are dropped"),
        (824, "824 is near: is it from a draw? The question asks for the average"),
        (812, "812 is near: is it from a draw? The question asks for the average"),
        (1024 / 0.2, "divided by p; multiply by 1 − p"),
        (1024 - 0.2, "p is a share of the units: multiply by (1 − p)"),
        (1024, "the whole layer"),
        (80, "that is a percentage"),
        ((819, 2), "a tuple of 2, expected one number: a decimal comma? Write 819.2"),
        (lambda: 819.2, "the answer is a function, expected a number"),
        ("819.2", "the answer is the text '819.2', expected a number"),
        (900, "900 is too large"),
        ("many", "expected a number"),
    ],
)
def test_slips_about_the_number_of_kept_units(answer, words):
    verdict = check("0.1", answer, start_here.units_kept)
    assert verdict.state == "wrong" and words in verdict.message
    assert "asked" not in verdict.message
    assert ("a draw?" in words) == ("a draw?" in verdict.message)


def test_a_draw_is_seldom_so_far_from_the_average_that_it_is_not_called_near():
    assert binom(1024, 0.8).cdf(819.2 - 51) + binom(1024, 0.8).sf(819.2 + 51) < 1e-4


BUT_NOT = "works for one number, but not for an array: "


def by_hand(keep):
    result = np.ones_like(keep, dtype=float)
    result -= keep
    return result


@pytest.mark.parametrize(
    "answer",
    [
        lambda keep: 1 - keep,
        lambda p: 1.0 - np.asarray(p),
        lambda keep, digits=6: np.round(1 - keep, digits),
        lambda keep: torch.as_tensor(1 - keep),
        lambda keep: np.subtract(1, keep).tolist(),
        by_hand,
    ],
)
def test_translation_is_right(answer):
    assert check("0.2", answer, start_here.to_p_function).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda keep: keep, "keep came back unchanged"),
        (lambda keep: keep - 1, "keep − 1 is negative"),
        (lambda keep: 100 * (1 - keep), "that is a percentage"),
        (lambda keep: np.round(1 - keep), "rounded to a whole number"),
        (lambda keep: 1 / keep, "1/keep is the factor for the survivors"),
        (lambda keep: 0 * keep, "keep = 0.3 became 0"),
        (lambda keep: 0.2, "keep = 0.3 became 0.2, expected 0.7"),
        (lambda keep: int(1 - keep), "keep = 0.3 became 0, expected 0.7"),
        (lambda keep: np.minimum(1 - keep, 0.75), "keep = 0 became 0.75, expected 1"),
        (lambda keep: 0.7, f"{BUT_NOT}your function returned 0.7, expected an array of shape (4,)"),
        (lambda keep: 1 - keep if keep > 0 else 1.0, "called with keep of shape (4,)"),
        (lambda keep: max(0, 1 - keep), f"{BUT_NOT}your function raised ValueError"),
        (
            lambda keep: np.atleast_1d(1 - keep),
            "for one number, your function returned an array of shape (1,), expected one number",
        ),
        (lambda keep: str(keep), "the text '0.3', expected one number"),
        (lambda keep: [].append(keep), "None: is a return missing?"),
        (lambda: 0.2, "takes the parameters ()"),
        (0.2, "expected a function"),
    ],
)
def test_slips_of_the_translation(answer, words):
    verdict = check("0.2", answer, start_here.to_p_function)
    assert verdict.state == "wrong" and words in verdict.message
    assert "shape ()" not in verdict.message


def test_no_warning_is_printed_where_a_tensor_meets_an_array():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check("0.2", lambda keep: torch.as_tensor(1) - keep, start_here.to_p_function).ok


def test_array_that_is_changed_in_place_is_named():
    def in_place(keep):
        if np.ndim(keep):
            keep *= -1
            keep += 1
            return keep
        return 1 - keep

    verdict = check("0.2", in_place, start_here.to_p_function)
    assert "changed keep in place" in verdict.message


def test_unfinished_translation():
    assert check("0.2", lambda keep: ..., start_here.to_p_function).state == "unfinished"


# --- what the text claims


@pytest.mark.parametrize("units", [100, 400])
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_about_two_of_three_runs_lie_within_one_standard_deviation(units, p):
    theory = binom(units, p)
    low, high = theory.mean() - theory.std(), theory.mean() + theory.std()
    assert 0.6 < theory.cdf(np.floor(high)) - theory.cdf(np.ceil(low) - 1) < 0.76


def test_set_four_is_the_farthest_and_fewer_than_one_set_in_a_hundred_lands_that_far_off():
    runs = np.array([start_here.draw(100, 0.5, seed).dropped for seed in range(100)])
    off = abs(runs.reshape(5, 20).sum(axis=1) - 1000)
    assert off.argmax() == 3
    assert 0.005 < 2 * binom(2000, 0.5).cdf(1000 - off.max()) < 0.01


def test_means_of_twenty_draws_scatter_by_a_hundredth():
    assert round(start_here.draw(2000, 0.5, 0).spread, 2) == 0.01


def test_band_of_400_units_is_a_quarter_of_that_of_25():
    assert start_here.draw(25, 0.5, 0).spread == 4 * start_here.draw(400, 0.5, 0).spread


def test_about_twenty_of_a_hundred_units_stay_at_p_of_08():
    assert binom(100, 1 - 0.8).mean() == pytest.approx(20)


def test_every_other_lesson_is_linked():
    linked = set(re.findall(r"\]\(([^)]+)\)", TEXT))
    assert linked == {path.name for path in LESSONS[1:]}


def test_map_gives_the_minutes_that_the_lessons_give():
    for path in LESSONS:
        lesson = nbformat.read(path, as_version=4)
        minutes = re.search(r"About (\d+) minutes", lesson.cells[0].source).group(1)
        (row,) = re.findall(rf"^\| \W*{path.name[:2]} .*$", TEXT, re.MULTILINE)
        assert row.rstrip(" |").endswith(f"| {minutes}")


# --- what the lesson says a learner may have seen


def test_about_seven_draws_in_ten_end_in_the_band_and_few_on_the_line():
    dropped = binom(100, 0.5)
    assert 0.6 < dropped.cdf(54) - dropped.cdf(45) < dropped.cdf(55) - dropped.cdf(44) < 0.75
    assert 0.05 < dropped.pmf(50) < 0.1


def test_four_times_the_units_halve_the_band():
    few, many = (start_here.draw(units, 0.5, seed=0).spread for units in (25, 100))
    assert many == few / 2
