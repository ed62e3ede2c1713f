"""Links that open each lesson on Binder, on a JupyterHub and in Colab, from your repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from dlcourse._validate import instance, quoted
from dlcourse.notebooks import read, title

ADDRESS = re.compile(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", re.ASCII)
# What git refuses in the name of a branch, and what would break a table of links.
NO_BRANCH = re.compile(r"[\s~^:?*\[\]\\|()<>\"'`]|\.\.|@\{|//|^[/.-]|[/.]$|\.lock$")
BINDER_BADGE = "https://mybinder.org/badge_logo.svg"
COLAB_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


@dataclass(frozen=True)
class Repository:
    """A repository at GitHub and one of its branches.

    Examples
    --------
    >>> Repository("ORG", "REPO").binder("01_masks.ipynb")
    'https://mybinder.org/v2/gh/ORG/REPO/main?urlpath=lab%2Ftree%2Fnotebooks%2F01_masks.ipynb'
    """

    owner: str
    name: str
    branch: str = "main"

    @property
    def address(self) -> str:
        """The address of the repository."""
        return f"https://github.com/{self.owner}/{self.name}"

    def binder(self, notebook: str) -> str:
        """Return the address that opens a notebook on mybinder.org."""
        query = urlencode({"urlpath": f"lab/tree/notebooks/{notebook}"})
        branch = quote(self.branch, safe="")
        return f"https://mybinder.org/v2/gh/{self.owner}/{self.name}/{branch}?{query}"

    def nbgitpuller(self, notebook: str, hub: str = "") -> str:
        """Return the address that brings a notebook to a JupyterHub, or its part behind the hub's.

        Parameters
        ----------
        notebook : the file's name
        hub : the address of the JupyterHub
        """
        place = f"lab/tree/{self.name}/notebooks/{notebook}"
        query = urlencode({"repo": self.address, "branch": self.branch, "urlpath": place})
        return f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{query}"

    def colab(self, notebook: str) -> str:
        """Return the address that opens a notebook in Colab."""
        place = f"{self.owner}/{self.name}/blob/{quote(self.branch)}/notebooks/{notebook}"
        return f"https://colab.research.google.com/github/{place}"


def repository(address: str, branch: str = "main") -> Repository:
    """Return the repository at an address.

    Parameters
    ----------
    address : https://github.com/ORG/REPO
    branch : a branch of it

    Raises
    ------
    TypeError, ValueError
        If the address is not that of a repository, or the branch has a name that git refuses.

    Examples
    --------
    >>> repository("https://github.com/ORG/REPO.git").name
    'REPO'
    >>> repository("https://github.com/ORG")
    Traceback (most recent call last):
    ...
    ValueError: the address must be https://github.com/ORG/REPO, got 'https://github.com/ORG'
    """
    instance(address, str, "the address", "https://github.com/ORG/REPO")
    instance(branch, str, "the branch", "the name of a branch")
    match = ADDRESS.fullmatch(address)
    if match is None or match[2] in (".", ".."):
        likely = re.search(r"github\.com[/:]([\w-]+)/([\w.-]+?)(?:\.git)?(?:/|$)", address, re.A)
        hint = f" (https://github.com/{likely[1]}/{likely[2]}?)" if likely else ""
        rule = "the address must be https://github.com/ORG/REPO"
        raise ValueError(f"{rule}, got {quoted(address)}{hint}")
    if not branch or NO_BRANCH.search(branch):
        raise ValueError(f"the branch must have a name that git allows, got {quoted(branch)}")
    return Repository(match[1], match[2], branch)


def table(repo: Repository, notebooks: list[Path], hub: str = "") -> str:
    """Return links and badges for notebooks as Markdown.

    Parameters
    ----------
    repo : Repository
    notebooks : the notebooks' files, whose titles are read
    hub : the address of a JupyterHub with nbgitpuller, https://…; without it the part of the
        links that comes after the hub's own address

    Raises
    ------
    ValueError
        If the hub's address is none, or a notebook cannot be read.
    """
    if hub and not re.fullmatch(r"https?://[^\s/?#()|]+(/[^\s?#()|]*)?", hub):
        raise ValueError(f"the hub must be an address such as https://hub.org, got {quoted(hub)}")
    lines = ["| lesson | Binder | JupyterHub | Colab |", "|---|---|---|---|"]
    for path in notebooks:
        name = title(read(path), path).replace("|", r"\|")
        binder = f"[![open on Binder]({BINDER_BADGE})]({repo.binder(path.name)})"
        pull = repo.nbgitpuller(path.name, hub)
        here = f"[open]({pull})" if hub else f"`{pull}`"
        colab = f"[![open in Colab]({COLAB_BADGE})]({repo.colab(path.name)})"
        lines.append(f"| {name} | {binder} | {here} | {colab} |")
    if not hub:
        lines += [
            "",
            "Put the address of your JupyterHub, with nbgitpuller, before the third column.",
        ]
    install = f'%pip install "dlcourse @ git+{repo.address}@{repo.branch}"'
    lines += ["", f"In Colab run `{install}` first."]
    return "\n".join(lines)
