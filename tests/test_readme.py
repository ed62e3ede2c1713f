import re
from pathlib import Path

from dlcourse import masks
from tests.test_notebooks import LESSONS, cells

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names = {}
    exec(code, names)
    assert (names["h"] == 2 * names["mask"]).all()
    assert (names["g"] == names["h"]).all()


def test_the_line_that_a_panel_prints_is_its_state():
    (line,) = re.findall(r"`(masks\.panel\(p=.*?\))`", README)
    panel = eval(line, {"masks": masks})
    assert repr(panel) == line
    panel.close()


def test_the_table_names_every_lesson_and_its_minutes():
    rows = re.findall(r"^\| \[(.*?)\]\(notebooks/(.*?)\) \|.*\| (\d+) \|$", README, re.M)
    found = []
    for path in LESSONS:
        first = cells(path)[0].source
        title = re.search(r"^# (.*)$", first, re.M)[1]
        found.append((title, path.name, re.search(r"About (\d+) minutes", first)[1]))
    assert rows == found


def test_links_lead_to_files_that_exist():
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", README)
    assert len(targets) > len(LESSONS)
    for target in targets:
        assert (ROOT / target).exists(), target
