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


def links(*arguments, folder=ROOT):
    command = [sys.executable, "-m", "dlcourse", "links", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_lesson_has_three_links_that_lead_to_its_file():
    answer = links(
        "https://github.com/some-org/re.po", "--branch", "a/b", "--hub", "https://h.org/"
    )
    rows = [row for row in answer.stdout.splitlines() if "binder" in row]
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
            "repo": ["https://github.com/some-org/re.po"],
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["https://github.com/ORG"],
            "must be https://github.com/ORG/REPO, got 'https://github.com/ORG'",
        ),
        (["https://gitlab.com/ORG/REPO"], "got 'https://gitlab.com/ORG/REPO'"),
        (["http://github.com/ORG/REPO"], r"(https://github.com/ORG/REPO?)"),
        (["git@github.com:ORG/REPO.git"], r"(https://github.com/ORG/REPO?)"),
        (["https://github.com/ORG/REPO/tree/main"], r"(https://github.com/ORG/REPO?)"),
        (["ORG/REPO"], "got 'ORG/REPO'"),
        (["https://github.com/ORG/RE PO"], "got 'https://github.com/ORG/RE PO'"),
        (["https://github.com/ORG/.."], "got 'https://github.com/ORG/..'"),
        (["https://github.com/ORG/REPO", "--branch", "a b"], "a name that git allows, got 'a b'"),
        (["https://github.com/ORG/REPO", "--branch", ""], "a name that git allows, got ''"),
        (["https://github.com/ORG/REPO", "--branch", "a..b"], "got 'a..b'"),
        (["https://github.com/ORG/REPO", "--branch", "a|b"], "got 'a|b'"),
        (
            ["https://github.com/ORG/REPO", "--hub", "hub.org"],
            "such as https://hub.org, got 'hub.org'",
        ),
        ([], "the following arguments are required: address"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(arguments, words):
    answer = links(*arguments)
    assert answer.returncode == 2 and answer.stdout == ""
    assert words in answer.stderr and "Traceback" not in answer.stderr


def test_a_folder_without_notebooks_is_said(tmp_path):
    answer = links("https://github.com/ORG/REPO", folder=tmp_path)
    assert answer.returncode == 2 and "none in a folder notebooks here" in answer.stderr
