"""INSTRUCTORS.md: the minutes of its paths, its panel lines, its steps and its misconceptions."""

import ast
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from tests.test_notebooks import LESSONS, ROOT, cells
from tests.test_questions import PROMISE, QUESTION, links

TEXT = (ROOT / "INSTRUCTORS.md").read_text(encoding="utf-8")
PANELS = re.findall(r"`(\w+\.panel\([^`]*\))`", TEXT)
QUESTIONS = ROOT / "notebooks" / "10_questions.ipynb"


def section(heading):
    """Return what stands under a heading, up to the next one of its rank."""
    rank = heading.partition(" ")[0]
    _, _, rest = TEXT.partition(f"\n{heading}\n")
    assert rest, heading
    return re.split(rf"^#{{1,{len(rank)}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(heading):
    """Return the cells of the table under a heading, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("minutes", [50, 90])
def test_the_minutes_of_a_path_follow_each_other_and_sum_up(minutes):
    spans = [tuple(map(int, row[0].split("–"))) for row in rows(f"## {minutes} minutes")]
    assert spans[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(begin < end for begin, end in spans)
    assert sum(end - begin for begin, end in spans) == minutes


@pytest.mark.parametrize("minutes", [50, 90])
def test_the_steps_of_a_path_are_there_and_belong_to_their_lessons(minutes):
    for _, step, lesson, _ in rows(f"## {minutes} minutes"):
        ((words, to),) = links(step)
        number, _, name = words.partition(": ")
        own = section(f"### step {number}").strip()
        assert to == f"#step-{number}"  # small letters, no punctuation: GitHub's and JupyterLab's
        assert own.lower().startswith(f"**{name}")
        ((digits, file),) = links(lesson)
        path = ROOT / file
        assert path in LESSONS and path.name.startswith(digits)
        modules = {line.partition(".")[0] for line in re.findall(r"`(\w+\.panel\()", own)}
        assert modules <= {path.stem[3:]}
        assert modules or f"[{digits}: " in own


def test_the_longer_path_uses_every_step_and_the_shorter_one_some_of_them():
    steps = re.findall(r"^### step (\d+)$", TEXT, re.M)
    short, long = (
        [links(row[1])[0][0].partition(":")[0] for row in rows(f"## {m} minutes")] for m in (50, 90)
    )
    assert long == steps == [str(i + 1) for i in range(len(steps))]
    assert set(short) < set(long)


def test_the_first_cell_imports_what_the_panels_need():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    imported = {
        alias.name
        for node in ast.parse(re.sub(r"^ +", "", code, flags=re.M)).body
        for alias in node.names
    }
    assert imported == {line.partition(".")[0] for line in PANELS}


def trains(line):
    return line.startswith(("coadaptation.", "overfitting.", "choosing_p."))


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=[pytest.mark.soak] * trains(line)) for line in PANELS]
)
def test_a_panel_line_runs_and_is_the_state_that_the_panel_prints(line):
    name = line.partition(".")[0]
    panel = eval(line, {name: import_module(f"dlcourse.{name}")})
    try:
        assert repr(panel) == line
        assert panel.error is None
    finally:
        panel.close()


def test_every_step_but_the_exercise_and_the_vote_has_its_panel():
    steps = re.findall(r"^(### step \d+)$", TEXT, re.M)
    without = [step for step in steps if ".panel(" not in section(step)]
    assert without == ["### step 4", "### step 10"]
    for step in set(steps) - set(without):
        assert "**Ask**" in section(step) and "**Expect**" in section(step)
        assert re.search(r'\*\*"', section(step)), f"{step}: no wrong answer"


def where_questions_stand():
    """Return the number of each question of lesson 10 with the cell it stands in."""
    return {
        number: cell.id
        for cell in cells(QUESTIONS, "markdown")
        for number, _ in QUESTION.findall(cell.source)
    }


def test_every_misconception_has_its_question_and_something_to_show():
    cell_of, table = where_questions_stand(), rows("## Misconceptions")
    assert len(table) >= 14
    for said, show, question in table:
        assert re.fullmatch(r'".*"', said)
        ((number, to),) = links(question)
        assert to == f"notebooks/10_questions.ipynb#cell-id={cell_of[number]}"
        ((promise, demonstration),) = links(show)
        assert PROMISE.fullmatch(promise) and "#cell-id=" in demonstration
        assert Path(demonstration.partition("#")[0]).name != QUESTIONS.name


def test_every_row_of_beliefs_in_lesson_10_is_among_the_misconceptions():
    (source,) = [cell.source for cell in cells(QUESTIONS) if cell.id == "believed"]
    believed = set(re.findall(r"^\| .* \| (\d+) \| \[", source, re.M))
    assert len(believed) >= 10
    assert believed <= {links(row[2])[0][0] for row in rows("## Misconceptions")}


def test_it_can_be_read_before_class():
    assert len(TEXT.splitlines()) <= 250
    assert len(TEXT.split()) <= 3300
