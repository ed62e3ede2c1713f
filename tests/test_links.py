"""``python -m dlcourse links``: addresses taken apart again, and what is refused."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest

from dlcourse.links import repository, table
from tests.test_notebooks import LESSONS

ROOT = Path(__file__).parent.parent


def test_every_lesson_has_three_links_that_lead_to_its_file(command):
    address = "https://github.com/some-org/re.po"
    status, output, _ = command(
        "links", address, "--branch", "a/b", "--hub", "https://h.org/", folder=ROOT
    )
    assert status == 0
    rows = [row for row in output.splitlines() if "binder" in row]
    assert len(rows) == len(LESSONS)
    for row, path in zip(rows, LESSONS, strict=True):
        binder, hub, colab = re.findall(r"\]\((https://[^)]+)\)(?!\])", row)
        parts = urlsplit(binder)
        assert parts.netloc == "mybinder.org"
        assert unquote(parts.path) == "/v2/gh/some-org/re.po/a/b" and "a%2Fb" in parts.path
        assert parse_qs(parts.query) == {"urlpath": [f"lab/tree/notebooks/{path.name}"]}
        parts = urlsplit(hub)
        assert (parts.netloc, parts.path) == ("h.org", "/hub/user-redirect/git-pull")
        assert parse_qs(parts.query) == {
            "repo": [address],
            "branch": ["a/b"],
            "urlpath": [f"lab/tree/re.po/notebooks/{path.name}"],
        }
        parts = urlsplit(colab)
        assert parts.netloc == "colab.research.google.com"
        assert parts.path == f"/github/some-org/re.po/blob/a/b/notebooks/{path.name}"
        assert row.split("|")[1].strip() in path.read_text(encoding="utf-8")


def test_without_a_hub_no_link_pretends_to_lead_to_one():
    text = table(repository("https://github.com/ORG/REPO"), LESSONS[:1])
    assert "`/hub/user-redirect/git-pull?" in text and "](/hub" not in text
    assert "Put the address of your JupyterHub" in text
    assert '%pip install "dlcourse @ git+https://github.com/ORG/REPO@main"' in text


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        (["# A | B\n\nmore"], r"A \| B"),
        ([""], "03_mine"),
        (["\n# late"], "03_mine"),
        ([], "03_mine"),
    ],
)
def test_a_title_is_the_first_line_or_the_files_name(tmp_path, cells, title):
    path = tmp_path / "03_mine.ipynb"
    made = [nbformat.v4.new_markdown_cell(one) for one in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    row = table(repository("https://github.com/ORG/REPO"), [path]).splitlines()[2]
    assert row.startswith(f"| {title} | [![open on Binder]")


REPO = "https://github.com/ORG/REPO"
REFUSED = [
    (["https://github.com/ORG"], f"must be {REPO}, got 'https://github.com/ORG'"),
    (["https://gitlab.com/ORG/REPO"], "got 'https://gitlab.com/ORG/REPO'"),
    (["http://github.com/ORG/REPO"], f"({REPO}?)"),
    (["git@github.com:ORG/REPO.git"], f"({REPO}?)"),
    ([f"{REPO}/tree/main"], f"({REPO}?)"),
    (["ORG/REPO"], "got 'ORG/REPO'"),
    (["https://github.com/ORG/RE PO"], "got 'https://github.com/ORG/RE PO'"),
    (["https://github.com/ORG/.."], "got 'https://github.com/ORG/..'"),
    ([REPO, "--branch", "a b"], "a name that git allows, got 'a b'"),
    ([REPO, "--branch", ""], "a name that git allows, got ''"),
    ([REPO, "--branch", "a..b"], "got 'a..b'"),
    ([REPO, "--branch", "a|b"], "got 'a|b'"),
    ([REPO, "--hub", "hub.org"], "such as https://hub.org, got 'hub.org'"),
    ([], "the following arguments are required: address"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_is_no_address_is_refused_with_a_sentence(command, arguments, words):
    status, output, errors = command("links", *arguments, folder=ROOT)
    assert (status, output) == (2, "") and words in errors


def test_a_folder_without_notebooks_is_said(command, tmp_path):
    status, _, errors = command("links", REPO, folder=tmp_path)
    assert status == 2 and "none in a folder notebooks here" in errors


def test_as_a_program_it_ends_with_a_status_and_a_sentence():
    program = [sys.executable, "-m", "dlcourse", "links", "ORG/REPO"]
    answer = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "got 'ORG/REPO'" in answer.stderr and "Traceback" not in answer.stderr
