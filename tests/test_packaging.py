"""What is written in several places agrees: pyproject, constraints, conda, Binder, CI, README."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from tests.test_notebooks import LESSONS, cells

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INSTALL = 'pip install -c constraints.txt -e ".[test]"'
INSTALL_IN_CI = INSTALL.replace("test", "test,dev")
ON_ANOTHER_PROCESSOR = "python -m tests.processor sse4 pytest -n auto notebooks"
UPKEEP = ["ruff check .", "ruff format --check .", "codespell", "mypy dlcourse"]
START = "pip install -c constraints.txt -e . && jupyter lab notebooks/00_start_here.ipynb"

on_linux_and_macos = pytest.mark.skipif(os.name == "nt", reason="Binder's images are Linux's")


def lines(name):
    """Return a file's lines without comments and empty ones."""
    without = (re.sub(r"(^|\s)#.*", "", s) for s in (ROOT / name).read_text("utf-8").splitlines())
    return [s.rstrip() for s in without if s.strip()]


# --- constraints.txt -----------------------------------------------------------------------------

SYSTEMS = [
    {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
]
MACHINES = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",), "Windows": ("AMD64",)}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
EVERYWHERE = [
    {
        **default_environment(),
        **system,
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    for system in SYSTEMS
    for machine in MACHINES[system["platform_system"]]
    for python in PYTHONS
]
PINS = {canonicalize_name(pin.name): pin for pin in map(Requirement, lines("constraints.txt"))}


def pinned(name):
    (only,) = PINS[name].specifier
    return Version(only.version)


def requirements():
    """Return pyproject's requirements, those of the extras with them."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def of_the_graphics_card(name):
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"  # torch names their versions


def wanted(requirement, environment, extras=()):
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
    )


def closure(environment):
    """Return {name: the requirements for it} of all that pyproject needs, directly or not.

    What is not installed here is taken for a leaf.
    """
    found, seen = {}, set()
    to_do = [r for r in requirements() if wanted(r, environment)]
    while to_do:
        requirement = to_do.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if of_the_graphics_card(name):
            continue
        found.setdefault(name, []).append(requirement)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        needs = map(Requirement, needs)
        to_do += [need for need in needs if wanted(need, environment, extras)]
    return found


@pytest.fixture
def the_pinned_versions_are_installed():
    """Skip where another version is: what it needs says nothing about the pinned one."""
    for name in PINS:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if Version(installed).public != str(pinned(name)):
            pytest.skip(f"{name} {installed} is installed, not the version in constraints.txt")


def test_every_pin_is_exact_and_the_lines_are_sorted():
    names = [Requirement(line).name for line in lines("constraints.txt")]
    assert names == sorted(names, key=str.lower)
    assert len(PINS) == len(names)
    for name, pin in PINS.items():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin  # no + of a local build
        assert not of_the_graphics_card(name)


def test_the_pins_are_within_pyprojects_bounds():
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(pinned(name)), PINS[name]


@pytest.mark.usefixtures("the_pinned_versions_are_installed")
def test_all_that_is_needed_here_is_pinned_to_a_version_that_all_accept():
    here = closure(default_environment())
    assert len(here) > 2 * len(requirements())  # the indirect ones were looked at
    assert not set(here) - set(PINS)
    for name, needs in here.items():
        marker = PINS[name].marker
        assert marker is None or marker.evaluate(), f"{PINS[name]} leaves this system out"
        for need in needs:
            assert need.specifier.contains(pinned(name), prereleases=True), need


def in_ci_run():
    """Return whether here is what .ci/run installs: the oldest Python's packages, and upkeep's."""
    here = ".".join(map(str, sys.version_info[:2]))
    return here == PYTHONS[0] and importlib.util.find_spec("mypy") is not None


@on_linux_and_macos  # elsewhere repo2docker is missing, and all that it needs looks unneeded
@pytest.mark.skipif(not in_ci_run(), reason="what is missing here hides what it needs")
@pytest.mark.usefixtures("the_pinned_versions_are_installed")
def test_no_pin_is_stale_and_none_is_missing_on_another_system():
    needed = {}
    for environment in EVERYWHERE:
        for name in closure(environment):
            needed.setdefault(name, []).append(environment)
    assert not set(needed) - set(PINS), "needed on some system, not pinned"
    assert not set(PINS) - set(needed), "pinned, needed on no system"
    for name, environments in needed.items():
        for environment in environments:
            assert wanted(PINS[name], environment), f"{PINS[name]} leaves out {environment}"


@pytest.mark.usefixtures("the_pinned_versions_are_installed")
def test_the_pinned_versions_run_on_the_oldest_python():
    oldest = Version(PROJECT["requires-python"].removeprefix(">=") + ".0")
    for name in PINS:
        try:
            needed = importlib.metadata.metadata(name).get("Requires-Python")
        except importlib.metadata.PackageNotFoundError:
            continue
        assert SpecifierSet(needed or "").contains(oldest), f"{PINS[name]} needs Python {needed}"


# --- conda and Binder ----------------------------------------------------------------------------

CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def conda(name):
    """Return {package: what stands behind its name} of an environment.yml and its first lines."""
    head, _, rest = "\n".join(lines(name)).partition("\ndependencies:\n")
    packages = {}
    spec = re.compile(r"  - ([a-z][a-z0-9-]*)((?:>=|=)[0-9.]+(?:,!=[0-9.*]+)?)?")
    for line in rest.splitlines():
        package, bound = spec.fullmatch(line).groups()
        assert package not in packages
        packages[package] = bound or ""
    return packages, head


def bound_sorted(bound):
    """Return a bound as `SpecifierSet` writes it, conda's own "=" as it is."""
    return bound if re.fullmatch(r"(=[0-9.]+)?", bound) else str(SpecifierSet(bound))


def test_the_conda_environment_is_pyprojects():
    packages, head = conda("environment.yml")
    assert head == "name: dlcourse\nchannels:\n  - conda-forge"
    oldest = PROJECT["requires-python"].removeprefix(">=")
    expected = {"python": f"={oldest}", "pip": ""}
    for requirement in map(Requirement, PROJECT["dependencies"]):
        name = CONDA_NAMES.get(requirement.name, requirement.name)
        expected[name] = str(requirement.specifier)
    assert {name: bound_sorted(bound) for name, bound in packages.items()} == expected


def test_binders_environment_is_the_one_at_the_root():
    assert lines("binder/environment.yml") == lines("environment.yml")


@on_linux_and_macos
def test_repo2docker_takes_the_recipe():
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert f"python={conda('environment.yml')[0]['python'].removeprefix('=')}" in said
    assert "COPY" in said
    assert re.search(r"env update .*--file \"binder/environment\.yml\"", said), said
    assert re.search(r"^RUN \./binder/postBuild$", said, re.M), said


@on_linux_and_macos
@pytest.mark.parametrize("name", ["binder/postBuild", ".ci/run"])
def test_a_script_runs_and_stops_at_the_first_failure(name):
    script = ROOT / name
    assert os.access(script, os.X_OK)
    first, *rest = script.read_text(encoding="utf-8").splitlines()
    assert first == "#!/bin/bash"
    commands = [line for line in rest if line and not line.startswith("#")]
    assert commands[0] == "set -euo pipefail"
    subprocess.run(["bash", "-n", script], check=True, timeout=60)


@on_linux_and_macos
def test_post_build_installs_the_package_and_silences_the_news(tmp_path):
    jupyterlab = pytest.importorskip("jupyterlab.commands")
    stubs = {"pip": f'echo "$@" >"{tmp_path}/pip"', "python": f'echo "{tmp_path}"'}
    for program, does in stubs.items():
        stub = tmp_path / "bin" / program
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(f"#!/bin/bash\n{does}\n", encoding="utf-8")
        stub.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    script = ROOT / "binder" / "postBuild"
    subprocess.run([script], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True, timeout=60)
    assert (tmp_path / "pip").read_text().split() == ["install", "--no-deps", "--no-cache-dir", "."]

    lab = Path(jupyterlab.get_app_dir())
    assert lab.parts[-3:] == ("share", "jupyter", "lab")
    overrides = tmp_path.joinpath(*lab.parts[-3:], "settings", "overrides.json")
    ((plugin, values),) = json.loads(overrides.read_text()).items()
    folder, _, file = plugin.partition(":")
    schema = json.loads((lab / "schemas" / folder / f"{file}.json").read_text())["properties"]
    assert values == {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    assert set(values) <= set(schema)
    assert '"false"' in json.dumps(schema["fetchNews"])  # one of its values, a string


# --- README.md and CI ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [START, f"{INSTALL} && pytest -n auto"])
def test_the_readme_sets_up_with_one_line(command):
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_the_readmes_conda_line_is_environment_ymls():
    first = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()[0]
    command = first.removeprefix("# ")
    assert command.startswith("conda env create -f environment.yml && ")
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert any(line == command or line.startswith(f"{command} && ") for line in readme)


def test_ci_does_what_the_readme_says():
    commands = map(str.strip, lines(".ci/run"))
    steps = [s.removeprefix("step ") for s in commands if s.startswith("step ")]
    assert [s for s in steps if s in UPKEEP] == UPKEEP
    tests = ["pytest -n auto", "pytest -n auto -m soak", ON_ANOTHER_PROCESSOR]
    assert [t for s in steps for t in tests if s == t or s.startswith(f"{t} tests/")] == tests
    assert steps.index(INSTALL_IN_CI) < steps.index(UPKEEP[0]) < steps.index(tests[0])
    assert "export CI=true" in lines(".ci/run")
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert "- run: bash .ci/run\n" in workflow
    assert f"- run: {INSTALL} && pytest -n auto\n" in workflow
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert set(re.findall(r'python(?:-version)?: "(.*?)"', workflow)) == set(PYTHONS)
    assert min(PYTHONS, key=Version) == oldest


# --- what is in the repository and in the wheel --------------------------------------------------

# in pieces, so that this file does not match itself
HOSTS = [
    *["pypi" + ".org", "python" + "hosted", "download.py" + "torch", "npmjs" + ".org"],
    *["anaconda" + ".org", "anaconda" + ".com", "deb.debian" + ".org", "archive.ubuntu" + ".com"],
]
FORBIDDEN = {
    "a package registry's host": "|".join(map(re.escape, HOSTS)),
    "an index of packages": "--(extra-)?index" + "-url|--find" + "-links",
    "a folder of somebody's machine": r"(?<![\w.])/(home|Users)/(?!me/)\w|(?<![\w.])/(root|work)/",
}


def tracked_files():
    # safe.directory: in a container the checkout may belong to somebody else
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout by git")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


def test_no_registry_and_no_path_of_one_machine_is_named():
    texts = 0
    for path in tracked_files():
        data = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" in data:  # a picture, or deleted and not yet committed
            continue
        texts += 1
        text = data.decode("utf-8")
        for what, pattern in FORBIDDEN.items():
            found = re.search(pattern, text)
            assert not found, f"{path.relative_to(ROOT)} names {what}: {found[0]}"
    assert texts > 20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of what it is made of, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    copy.mkdir()
    for name in ["pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]]:
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "dlcourse", copy / "dlcourse")
    build = "import setuptools.build_meta, sys; setuptools.build_meta.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(folder)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.soak
def test_the_wheel_holds_every_module(wheel):
    name, version, _, _ = parse_wheel_filename(wheel.name)
    assert (name, str(version)) == (PROJECT["name"], PROJECT["version"])
    with zipfile.ZipFile(wheel) as archive:
        packed = {n for n in archive.namelist() if ".dist-info/" not in n}
        assert any(n.endswith("/LICENSE") for n in archive.namelist())
    assert packed == {p.relative_to(ROOT).as_posix() for p in (ROOT / "dlcourse").rglob("*.py")}
    assert "dlcourse/__init__.py" in packed


@pytest.mark.soak
def test_the_lessons_find_all_in_the_installed_wheel(wheel, tmp_path):
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, timeout=120)
    imports = [next(c for c in cells(path) if c.cell_type == "code").source for path in LESSONS]
    rest = """
import dlcourse
panel = masks.panel()
print(dlcourse.__file__)
print(len(panel.picture()), panel.error)
panel.close()"""
    program = "\n".join([*imports, rest])
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    place, picture = done.stdout.splitlines()
    assert Path(place) == target / "dlcourse" / "__init__.py"
    assert re.fullmatch(r"\d{4,} None", picture)
