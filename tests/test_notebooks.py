"""What must be true of every notebook, beside that it runs."""

import base64
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from dlcourse.notebooks import WIDGET_VIEW, tidy
from tests.lab import panel_cell

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CHECK = re.compile(r'^check\("(?P<name>\d+\.\d+)".*\)$', re.M)
SOLUTION = re.compile(
    r"<summary>Solution (?P<name>\d+\.\d+)</summary>\s+```python\n(?P<code>.*?)```", re.S
)

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def cells(path, kind=None):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if kind in (None, cell.cell_type)]


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell.outputs]


@every_lesson
def test_a_lesson_has_its_module_and_its_tests(path):
    name = path.stem[3:]
    module = ROOT / "dlcourse" / name
    assert module.with_suffix(".py").exists() != (module / "__init__.py").exists()
    assert (ROOT / "tests" / f"test_{name}.py").exists()


@every_lesson
def test_the_file_is_tidy_and_was_run_from_top_to_bottom(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = path.read_text(encoding="utf-8")
    tidy(notebook)
    assert nbformat.writes(notebook).rstrip("\n") == text.rstrip("\n")
    assert WIDGET_VIEW not in text
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_lesson
def test_the_panel_leaves_a_picture_behind(path):
    (output,) = cells(path)[panel_cell(path)].outputs
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    assert output.data["text/plain"].startswith(f"{path.stem[3:]}.panel(p=0.5, seed=0")


@every_lesson
def test_the_course_is_imported_before_pytorch(path):
    """It asks PyTorch's threads to wait without spinning, which they read when torch comes."""
    imports = cells(path, "code")[0].source
    own, torch = imports.index("from dlcourse"), imports.find("torch")
    assert torch == -1 or own < torch


@every_lesson
def test_pictures_are_modest(path):
    pictures = [output.get("data", {}).get("image/png", "") for output in outputs(path)]
    sizes = [len(base64.b64decode(picture)) for picture in pictures if picture]
    assert sizes
    assert max(sizes) <= 60_000


@every_lesson
def test_a_lesson_has_the_shape_of_a_lesson(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    headings = re.findall(r"^## (\w+(?: \w+)?)", text, re.M)
    wanted = ["Predict", "Play", "Build it", "Check it", "Why", "Your turn", "Recap", "Sources"]
    found = [next((w for w in wanted if heading.startswith(w)), None) for heading in headings]
    assert [w for w in found if w] == wanted
    assert "A learner's question" in text
    assert "You will be able to" in text
    assert re.search(r"About \d+ minutes", text)
    assert text.count("<details>") == text.count("</details>") > 2


@every_lesson
def test_an_unfinished_exercise_says_so_in_one_line(path):
    for cell in cells(path, "code"):
        if match := CHECK.search(cell.source):
            (output,) = cell.outputs
            told = output.data["text/plain"]
            assert told.startswith(f"{match['name']} not finished yet")
            assert "\n" not in told


def exercises():
    for path in LESSONS:
        solutions = SOLUTION.finditer("\n".join(cell.source for cell in cells(path, "markdown")))
        code = {match["name"]: match["code"] for match in solutions}
        for cell in cells(path, "code"):
            if match := CHECK.search(cell.source):
                imports = cells(path, "code")[0].source
                yield pytest.param(imports, code, match, id=f"exercise {match['name']}")


def test_every_lesson_has_two_or_three_exercises():
    numbers = [case.id.split()[1] for case in exercises()]
    for path in LESSONS:
        lesson = int(path.stem[:2])
        mine = [number for number in numbers if number.split(".")[0] == str(lesson)]
        assert mine == [f"{lesson}.{i}" for i in range(1, len(mine) + 1)]
        assert 2 <= len(mine) <= 3


@pytest.mark.parametrize(("imports", "solutions", "match"), list(exercises()))
def test_the_folded_solution_passes_its_check(imports, solutions, match):
    names = {}
    exec(imports, names)
    exec(solutions[match["name"]], names)
    verdict = eval(match[0], names)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("path", "following"), list(pairwise(LESSONS)), ids=[path.stem for path in LESSONS[:-1]]
)
def test_a_recap_leads_to_the_next_lesson(path, following):
    recap = cells(path)[-1].source.partition("## Recap\n")[2]
    (linked,) = re.findall(r"Next: \[(\d\d) [^\]]+\]\(([^)]+)\)", recap)
    assert linked == (following.stem[:2], following.name)


@every_lesson
def test_links_lead_to_files_that_exist(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert (path.parent / target).exists(), target
