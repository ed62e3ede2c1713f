"""Lesson 10: every link in the course, the questions, the panel's numbers, and the exercises."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise, product
from math import inf
from pathlib import Path

import nbformat
import numpy as np
import pytest

from dlcourse import dropout_mask, ensembles, masks, questions
from dlcourse.checks import check
from tests.lab import Notebook
from tests.scenes import BAD_STARTS, assert_legible, assert_no_history, assert_refused
from tests.test_notebooks import LESSONS, ROOT, cells

LESSON = ROOT / "notebooks" / "10_questions.ipynb"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "INSTRUCTORS.md")]
PS = (0, 0.01, 0.5, 0.99, 1)

# --- Links -----------------------------------------------------------------------------------
#
# What JupyterLab 4.6 does with `lesson.ipynb#…` was read in its code and tried in Chromium. A
# heading's anchor is its text with each space replaced by "-", capitals and punctuation kept (in
# GitHub's pages: small letters, no punctuation). The browser encodes quotes and whatever is not
# ASCII, and JupyterLab does not decode them, so such headings cannot be reached. A heading far
# down in a notebook that is not open yet is not found either, because it is not rendered.
# `#cell-id=…` works for all cells; nbconvert writes the same anchors. So links to cells are used,
# and the text of such a link, "NN: heading", says under which heading the cell must stand.

LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]*)\)")
FENCE = re.compile(r"^```.*?^```", re.S | re.M)
PROMISE = re.compile(r"\d\d: (?P<heading>.+)")


def links(text):
    """Return all links inside the repository as pairs (text, target)."""
    found = LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text)))
    return [(words, to) for words, to in found if not re.match(r"[a-z]+:", to)]


def headings_of(text):
    return re.findall(r"^#{1,6} (.+?) *$", FENCE.sub("", text), re.M)


def outline(path):
    """Return what can be linked to: a notebook's cells with the headings they stand under."""
    if path.suffix == ".md":
        return {"page": headings_of(path.read_text(encoding="utf-8"))}
    found, above = {}, []
    for cell in cells(path):
        own = headings_of(cell.source) if cell.cell_type == "markdown" else []
        begins = bool(own) and cell.source.startswith("#")
        found[cell.id] = own if begins else above[-1:] + own
        above += own
    return found


def anchor(heading, suffix):
    """Return the anchor that JupyterLab, or for a page GitHub, gives to a heading."""
    plain = re.sub(r"[`*]", "", heading)
    if suffix == ".ipynb":
        return plain.replace(" ", "-")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def fault(text, target, source, outlines):
    """Return None for a living link, else what is wrong with it."""
    file, _, fragment = target.partition("#")
    path = (source.parent / file).resolve() if file else source
    if path not in outlines:
        return None if path.exists() and not fragment else f"{target}: no such file"
    here, promise = outlines[path], PROMISE.fullmatch(text)
    if fragment.startswith("cell-id="):
        cell = fragment.removeprefix("cell-id=")
        if cell not in here:
            return f"{target}: no such cell"
        if promise and not (text[:2] == path.name[:2] and promise["heading"] in here[cell]):
            return f"{target}: the cell does not stand under {text!r} but {here[cell]}"
    elif fragment:
        if not re.fullmatch(r"[!#-;=?-_a-~]+", fragment):
            return f"{target}: JupyterLab does not find what the browser has to encode"
        every = {anchor(heading, path.suffix) for own in here.values() for heading in own}
        if fragment not in every:
            return f"{target}: no such heading"
    return None


def text_of(path):
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def all_outlines():
    return {path: outline(path) for path in [*LESSONS, *PAGES]}


@pytest.mark.parametrize("path", [*LESSONS, *PAGES], ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    outlines = all_outlines()
    faults = [fault(*link, path, outlines) for link in links(text_of(path))]
    assert [one for one in faults if one] == []


def test_there_are_links_to_look_at():
    assert len(links(text_of(LESSON))) > 70
    assert all(links(text_of(path)) for path in LESSONS)


GOOD = [
    ("01: A mask for every image", "01_masks.ipynb#cell-id=rows-figure"),
    ("here", "01_masks.ipynb#A-mask-for-every-image"),
    ("here", "01_masks.ipynb#Is-each-unit-equally-likely-to-go?"),
    ("here", "#cell-id=play"),
    ("here", "01_masks.ipynb"),
    ("here", "../CONTRIBUTING.md#the-panel"),
]


@pytest.mark.parametrize("link", GOOD, ids=lambda link: link[1])
def test_a_living_link_is_found_alive(link):
    assert fault(*link, LESSON, all_outlines()) is None


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("here", "11_none.ipynb", "no such file"),
        ("here", "11_none.ipynb#cell-id=rows", "no such file"),
        ("here", "../NONE.md", "no such file"),
        ("here", "01_masks.ipynb#cell-id=none", "no such cell"),
        ("here", "#cell-id=none", "no such cell"),
        ("here", "01_masks.ipynb#No-such-heading", "no such heading"),
        ("here", "01_masks.ipynb#a-mask-for-every-image", "no such heading"),
        ("here", "../CONTRIBUTING.md#no-panel", "no such heading"),
        ("here", '06_overfitting.ipynb#"My-second-plot-looks-different"', "encode"),
        ("here", "00_start_here.ipynb#Why-a-number-needs-its-±", "encode"),
        ("01: A mask for each image", "01_masks.ipynb#cell-id=rows-figure", "does not stand"),
        ("01: Why", "01_masks.ipynb#cell-id=rows-figure", "does not stand"),
        ("02: A mask for every image", "01_masks.ipynb#cell-id=rows-figure", "does not stand"),
    ],
)
def test_a_dead_link_is_found_dead(text, target, words):
    assert words in fault(text, target, LESSON, all_outlines())


@pytest.mark.parametrize("link", [GOOD[0], GOOD[1]], ids=["to a cell", "to a heading"])
def test_a_link_dies_when_its_heading_is_renamed(link, tmp_path):
    path = tmp_path / "01_masks.ipynb"
    text = (ROOT / "notebooks" / path.name).read_text(encoding="utf-8")
    path.write_text(text.replace("### A mask for every image", "### One mask for each"), "utf-8")
    outlines = {path: outline(path)}
    assert fault(*link, tmp_path / "10_questions.ipynb", outlines)


def test_links_of_pages_and_code_are_told_apart():
    text = "[a](b.ipynb) `[c](d)` ![e](f.png)\n```\n[g](h)\n```\n[i](https://j) [k [l]](m#n)"
    assert links(text) == [("a", "b.ipynb"), ("k [l]", "m#n")]


def in_view(notebook, cell):
    """Wait until a cell of the notebook that is in front is in the window."""
    notebook.page.wait_for_function(
        """([path, id]) => {
          const panel = window.jupyterapp.shell.currentWidget;
          if (!panel || !panel.context || panel.context.path !== path) return false;
          const cell = panel.content.widgets.find(cell => cell.model.id === id);
          if (!cell || !cell.node.isConnected) return false;
          const box = cell.node.getBoundingClientRect();
          return box.height > 0 && box.top < window.innerHeight - 60 && box.bottom > 120; }""",
        arg=cell,
    )


def follow(notebook, target):
    notebook.page.evaluate(
        """async id => {
          const content = window.jupyterapp.shell.currentWidget.content;
          await content.scrollToItem(content.widgets.findIndex(c => c.model.id === id), 'start'); }
        """,
        next(cell.id for cell in cells(LESSON) if f"]({target})" in cell.source),
    )
    # JupyterLab rewrites the address of another notebook, but leaves what stands behind the "#".
    where = target if target.startswith("#") else "#" + target.partition("#")[2]
    notebook.page.locator(f'.jp-Notebook a[href$="{where}"]').first.click()


@pytest.mark.parametrize(
    "target",
    [
        "06_overfitting.ipynb#cell-id=second",
        "#cell-id=lesson-07",
        "07_choosing_p.ipynb#cell-id=when-not-figure",
    ],
)
@pytest.mark.soak
def test_a_link_opens_the_other_notebook_at_its_cell(browser, server, target):
    file, _, cell = target.partition("#cell-id=")
    for name in {LESSON.name, file or LESSON.name}:
        shutil.copy(ROOT / "notebooks" / name, server.folder)
    notebook = Notebook(browser, server, LESSON.name)
    follow(notebook, target)
    in_view(notebook, [file or LESSON.name, cell])
    notebook.close()


# --- The questions ---------------------------------------------------------------------------

QUESTION = re.compile(r"^#### (\d+)\. (.*)$", re.M)


def asked():
    """Return for each question its number, words, answer, correction and whether a cell follows."""
    found, everything = [], cells(LESSON)
    for cell, after in pairwise(everything):
        if cell.cell_type != "markdown":
            continue
        parts = QUESTION.split(cell.source)[1:]
        for i in range(0, len(parts), 3):
            number, words, text = parts[i : i + 3]
            answer, _, correction = text.partition("*One answer given*")
            shown = i + 3 == len(parts) and after.cell_type == "code"
            found.append((int(number), words, answer.strip(), correction.strip(), shown))
    return found


def sentences(text):
    """Count sentences: ends of sentences before a space or the end."""
    plain = re.sub(r" → \[.*$", "", text, flags=re.S)
    return len(re.findall(r"[.?!]\)?(?= [A-Z\"*`0-9]|$)", plain.strip()))


def test_questions_are_numbered_and_counted():
    numbers = [number for number, *_ in asked()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 40
    assert f"Here are {len(numbers)} questions" in cells(LESSON)[0].source


@pytest.mark.parametrize("question", asked(), ids=lambda question: str(question[0]))
def test_a_question_has_a_short_answer_and_something_that_shows_it(question):
    _, words, answer, correction, shown = question
    assert "?" in words
    assert 2 <= sentences(answer) <= 3, answer
    assert sentences(correction) <= 3, correction
    assert shown or links(answer)
    for text, _ in links(answer):
        assert PROMISE.fullmatch(text)


def test_every_lesson_has_its_questions_and_the_contents_say_which():
    title, groups = cells(LESSON)[0].source, {}
    for cell in cells(LESSON, "markdown"):
        if match := re.match(r"### (\d\d) ", cell.source):
            groups[match[1]] = []
        for number, _ in QUESTION.findall(cell.source):
            groups[list(groups)[-1]].append(int(number))
    assert list(groups) == [path.stem[:2] for path in LESSONS if path != LESSON]
    for lesson, numbers in groups.items():
        assert re.search(
            rf"\[{lesson} .*\]\(#cell-id=lesson-{lesson}\), "
            rf"questions {numbers[0]} to {numbers[-1]}$",
            title,
            re.M,
        )


def test_every_row_of_beliefs_has_its_question_and_its_link():
    (source,) = [cell.source for cell in cells(LESSON) if cell.id == "believed"]
    rows = re.findall(r"^\| (?!what|-)(.*) \| (.*) \| (\d+) \| (.*) \|$", source, re.M)
    assert 10 <= len(rows) <= 14
    last = len(asked())
    for _, _, number, link in rows:
        assert 1 <= int(number) <= last
        assert PROMISE.fullmatch(links(link)[0][0])


def test_hints_lead_to_the_right_questions():
    words = {number: " ".join(rest[:3]) for number, *rest in asked()}
    topics = ["exactly half", "share one mask", "dropped unit updated", "1.41", "interval"]
    for (_, hint), topic in zip(questions.STATEMENTS, topics, strict=True):
        assert topic in words[int(hint.rpartition(" ")[2])]
    topics = {"A": "1.25", "B": "no_grad", "C": "linear neuron is a sum", "E": "p = 0"}
    for letter, hint in questions.ANSWERS.items():
        assert topics[letter] in words[int(hint.rpartition(" ")[2])]


def test_cells_are_short():
    for cell in cells(LESSON, "code")[1:]:
        assert len(cell.source.splitlines()) <= 10


def test_no_member_of_a_forum_is_named():
    """Names that may stand: Walter's simulation, and authors of papers under Sources."""
    text = text_of(LESSON).partition("## Sources")[0]
    assert "@" not in text
    assert re.findall(r"Walter\b.{13}", text) == ["Walter's simulation"] * text.count("Walter")


# --- Claims that no lesson asserts -----------------------------------------------------------


def test_in_a_third_of_the_masks_none_of_ten_units_goes():
    assert masks.number_dropped(10, 0.1).probabilities[0] == pytest.approx(1 / 3, abs=0.02)


def test_two_masks_of_64_units_are_hardly_ever_equal():
    assert questions.numbers(0.5, 64, 1).equal == pytest.approx(5e-20, rel=0.1)


def test_what_may_have_been_seen_in_the_panel():
    low, half, high = (questions.numbers(p, 8, 5) for p in (0.05, 0.5, 0.9))
    assert round(low.equal, 2) == 0.45
    assert round(half.equal, 4) == 0.0039
    never = [questions.numbers(0.5, 8, k).never for k in (2, 5, 10)]
    assert [round(chance, 3) for chance in never] == [0.25, 0.031, 0.001]
    assert (half.factor, round(half.spread, 2)) == (2, 1.41)
    assert (round(high.factor, 9), round(high.spread, 2)) == (10, 3.16)


@pytest.mark.soak
def test_ten_masks_fall_short_of_weight_scaling_and_200_do_not():
    averages = ensembles.averaging()
    assert 10 < averages.caught_up() < 100


def test_a_third_of_the_errors_on_mnist_went():
    table = text_of(ROOT / "notebooks" / "08_regulariser.ipynb")
    (row,) = re.findall(r"^\| MNIST, no convolutions \| (.*?) \| .*, (.*?) \(ReLU and", table, re.M)
    plain, best = map(float, row)
    assert (plain, best) == (1.60, 1.06)
    assert (plain - best) / plain == pytest.approx(1 / 3, abs=0.02)


def test_dropout_and_max_norm_is_the_best_row_of_the_papers_comparison():
    text = text_of(ROOT / "notebooks" / "08_regulariser.ipynb")
    (said,) = re.findall(r"table 9\): (.*?)\.\n", text)
    errors = dict(re.findall(r"([\w, -]+?) (\d\.\d\d)", said))
    assert min(errors, key=lambda name: float(errors[name])).endswith("dropout and max-norm")


# --- The numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0, 0.01, 0.3, 0.5, 0.99, 1])
def test_numbers_are_what_the_list_of_all_masks_says(p):
    every = np.array(list(product([True, False], repeat=4)))
    chances = np.where(every, 1 - p, p).prod(axis=1)
    dropped, now = (~every).sum(axis=1), questions.numbers(p, units=4, masks=3)
    assert now.mean == pytest.approx(chances @ dropped)
    assert now.sd**2 == pytest.approx(chances @ (dropped - now.mean) ** 2)
    assert now.equal == pytest.approx((chances**2).sum())
    assert now.never == pytest.approx((chances @ ~every[:, 0]) ** 3)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_factor_keeps_the_mean_and_spread_is_that_of_the_output(p):
    """Tolerance 5 standard errors: false alarm about 1e-6 for each of six comparisons."""
    rng, n, now = np.random.default_rng(5), 20_000, questions.numbers(p, 1, 1)
    terms = rng.normal(size=(n, 60)) * np.maximum(rng.normal(size=(n, 60)), 0)
    kept = dropout_mask(terms.shape, p, rng)
    z, out = terms.sum(axis=1), (terms * kept).sum(axis=1) * now.factor
    slope = (out @ z) / (z @ z)
    assert abs(slope - 1) < 5 * (out - slope * z).std() / z.std() / n**0.5
    ratio = out.std() / z.std()
    assert abs(ratio / now.spread - 1) < 5 * (p / n) ** 0.5


def test_with_p_1_nothing_is_kept():
    assert questions.numbers(1, 8, 5) == questions.Numbers(8, 0, inf, inf, 1, 1)


def test_numbers_refuse_a_percentage():
    with pytest.raises(ValueError, match=r"p must be a probability in \[0, 1\], got 50"):
        questions.numbers(50, 8, 5)


def test_equal_pairs_are_counted():
    rows = np.random.default_rng(0).random((30, 3)) < 0.5
    by_hand = sum(np.array_equal(rows[i], rows[j]) for i in range(30) for j in range(i))
    assert questions.equal_pairs(rows) == by_hand > 0


# --- The panel -------------------------------------------------------------------------------

ENDS = [(units, k) for units in (4, 16) for k in (2, 10)]


@pytest.mark.parametrize(("units", "k"), [*ENDS, (8, 5)])
def test_the_picture_is_legible(units, k):
    for seed in (0, 1):
        assert_legible(questions.scene, np.arange(0, 101, 5) / 100, seed=seed, units=units, masks=k)


@pytest.mark.soak
def test_a_picture_does_not_depend_on_what_was_shown_before():
    panel = questions.panel()
    try:
        for state in [*ENDS, (8, 5)]:
            units, k = state
            for name, value in (("units", units), ("masks", k)):
                panel._controls[name].value = value
            assert_no_history(panel, questions.scene, PS, seed=0, units=units, masks=k)
        panel.new_draw()
        assert_no_history(panel, questions.scene, PS, seed=1, units=8, masks=5)
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        *BAD_STARTS,
        ({"units": 5}, ValueError, "units must be one of [4, 8, 16], got 5"),
        ({"masks": 0}, ValueError, "masks must be one of [2, 5, 10], got 0"),
    ],
)
def test_the_panel_refuses_what_it_cannot_show(arguments, error, words):
    assert_refused(questions.panel, arguments, error, words)


# --- The exercises ---------------------------------------------------------------------------

RIGHT = [True, False, False, True, False]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([not RIGHT[0], *RIGHT[1:]], "statement 1 is so"),
        ([*RIGHT[:2], True, *RIGHT[3:]], "statement 3 is only believed"),
        ([True] * 5, "statement 2 is only believed"),
        ([True, False], "expected a list of 5"),
        ("TFFTF", "expected a list of 5"),
        ([1, 0, 0, 1, 0], "statement 1 you wrote 1, expected True or False"),
    ],
)
def test_a_wrong_decision_is_named(answer, words):
    verdict = check("10.1", answer, questions.five_decided)
    assert not verdict.ok
    assert words in verdict.message


@pytest.mark.parametrize("answer", [RIGHT, tuple(RIGHT), np.array(RIGHT)])
def test_right_decisions_pass(answer):
    assert check("10.1", answer, questions.five_decided)


def test_an_unfinished_list_is_not_a_wrong_one():
    for expectation in (questions.five_decided, questions.four_recipes):
        assert check("10.1", [..., True], expectation).state == "unfinished"


@pytest.mark.parametrize("answer", [[0.2, 0.3, 0.25, 0.9], np.array([1 - 0.8, 0.3, 0.25, 1 - 0.1])])
def test_right_recipes_pass(answer):
    assert check("10.2", answer, questions.four_recipes)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([0.8, 0.7, 0.25, 0.1], "recipe A: 0.8 is the probability of keeping"),
        ([0.2, 0.7, 0.25, 0.9], "recipe B: 0.7 is the probability of keeping"),
        ([0.2, 0.3, 0.75, 0.9], "recipe C: 0.75: this source means dropping already"),
        ([0.2, 0.3, 0.25, 0.5], "recipe D: 0.5 is neither"),
        ([0.2, 0.3], "expected an array of shape (4,)"),
    ],
)
def test_a_recipe_read_wrongly_is_named(answer, words):
    verdict = check("10.2", answer, questions.four_recipes)
    assert not verdict.ok
    assert words in verdict.message


@pytest.mark.parametrize("answer", ["D", "d", " D "])
def test_the_wrong_answer_is_found(answer):
    assert check("10.3", answer, questions.the_wrong_one)


@pytest.mark.parametrize("answer", ["A", "b", "C", "E", "F", 4, None])
def test_another_letter_is_told_why(answer):
    verdict = check("10.3", answer, questions.the_wrong_one)
    assert not verdict.ok
    assert "is right" in verdict.message or "expected one letter" in verdict.message


def test_the_lesson_is_the_last_one():
    assert nbformat.read(LESSON, as_version=4).nbformat_minor >= 5  # cells have ids
    assert Path(LESSON) == LESSONS[-1]
