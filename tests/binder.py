"""``python -m tests.binder``: try the panels with the versions that Binder's images have.

repo2docker begins each image with an environment that it has frozen, and changes of that only what
a recipe refuses. Here its versions come from the newest repo2docker itself, and those of packages
that it does not have from constraints.txt; where pyproject.toml refuses one, the installer chooses
what fits the rest. Then follow the tests in a browser, and last the panel under the very kernel
that was frozen, if it is refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv-binder"
TESTS = ["tests/test_live.py", "tests/test_browser.py", "tests/test_demo.py"]
PYTHON = "3.11"  # as in binder/environment.yml


def frozen(lock: str) -> dict[str, str]:
    """Return {package: version} of a lock file with an address of a conda package on each line."""
    files = re.findall(r"/([^/\s]+)-([^-/\s]+)-[^-/\s]+\.(?:conda|tar\.bz2)", lock)
    return {canonicalize_name(name): version for name, version in files}


def refused(versions: dict[str, str]) -> dict[str, str]:
    """Return those of the versions that pyproject.toml refuses."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = map(Requirement, project["dependencies"])
    found = ((canonicalize_name(need.name), need.specifier) for need in needs)
    return {n: versions[n] for n, wanted in found if n in versions and versions[n] not in wanted}


def constraints(versions: dict[str, str]) -> str:
    """Return constraints.txt with these versions in the place of its own, but for those refused."""
    kept = []
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name = canonicalize_name(line.partition("==")[0])
        kept.append(f"{name}=={versions[name]}" if name in versions else line)
    never = refused(versions)
    return "\n".join(line for line in kept if line.partition("==")[0] not in never)


def run(*command: str | Path) -> str:
    """Run a command in the folder of the project and return what it printed."""
    print("==>", *command, flush=True)
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Make the environment, run the tests in it and return the status."""
    run(sys.executable, "-m", "venv", "--clear", FOLDER)
    (FOLDER / ".gitignore").write_text("*")
    python = FOLDER / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "jupyter-repo2docker")  # the newest
    where = run(python, "-c", "import repo2docker; print(repo2docker.__path__[0])").strip()
    lock = Path(where, "buildpacks", "conda", f"environment.py-{PYTHON}-linux-64.lock")
    versions = frozen(lock.read_text(encoding="utf-8"))
    (FOLDER / "constraints.txt").write_text(constraints(versions), encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--quiet"]
    run(*pip, "-c", FOLDER / "constraints.txt", "-e", ".[test]")
    status = subprocess.run([python, "-m", "pytest", "-n", "auto", *TESTS], cwd=ROOT).returncode
    if status == 0 and "ipykernel" in refused(versions):
        run(*pip, "--no-deps", f"ipykernel=={versions['ipykernel']}")
        only = ["tests/test_browser.py", "-k", "no_thread_can_send"]
        status = subprocess.run([python, "-m", "pytest", *only], cwd=ROOT).returncode
    return status


if __name__ == "__main__":
    raise SystemExit(main())
