"""``CONTRIBUTING.md``: its map is the tree's, its recipes work in a copy of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PYTHON = ".venv/bin/python "
TEST = "make test T="
TYPES = f"{PYTHON}web/scripts/generate_types.py"
HELD_TO_THE_CODE = ("test_settings", "test_protocol")
COPIED = ("streamer", "tests", "configs", "pyproject.toml", "CONTRIBUTING.md", "web")
LEFT_OUT = shutil.ignore_patterns("node_modules", "dist", "screenshots")


def _recipes() -> Iterator[tuple[str, str, list[str]]]:
    """Title, difference and commands of each."""
    for section in PAGE.split("\n## ")[1:]:
        if found := re.search(r"```diff\n(.*?)```\n\n((?:    .*\n)+)", section, re.S):
            yield section.splitlines()[0], found[1], [line.strip() for line in found[2].splitlines()]


def _apply(difference: str, root: Path) -> None:
    """Each part replaces the one place that has its lines without ``+``; one without such lines goes to the end."""
    for section in re.split(r"^\+\+\+ ", difference, flags=re.M)[1:]:
        name, _, body = section.partition("\n")
        file = root / name
        text = file.read_text("utf-8") if file.exists() else ""
        for part in re.split(r"^@@\n", body, flags=re.M):
            lines = part.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            if before:
                assert f"\n{text}".count(f"\n{before}") == 1, f"{name} has no such place, or several:\n{part}"
                text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]
            else:
                text += f"\n\n{after}" if text else after
        file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, target)
    (folder / "web/node_modules").symlink_to((ROOT / "web/node_modules").resolve())
    return folder


def _run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.timeout(900)  # All that the steps compute may have to wait for other work.
def test_the_recipes_work(copy: Path) -> None:
    """One after the other in one copy; their tests all at once."""
    titles, python_tests, page_tests, named = [], [], [], []
    for title, difference, steps in _recipes():
        titles.append(title)
        _apply(difference, copy)
        named += re.findall(r"^\+async def (test_\w+)", difference, re.M)
        for step in steps:
            if step == TYPES:
                continue  # tests/unit/api/test_generated_types.py runs it.
            if step.startswith(TEST):
                (path,) = shlex.split(step.removeprefix(TEST))
                (page_tests if path.startswith("web/") else python_tests).append(path)
                continue
            words, _, target = step.removeprefix(PYTHON).partition(" > ")
            (copy / target).write_text(_run([sys.executable, *shlex.split(words)], copy), "utf-8")
    assert titles == ["Add a setting", "Add a field to REST, with its page", "Add a moderator's command"]
    assert len(named) == 3
    # All of their modules would take a minute.
    how = ("-q", "-p", "no:cacheprovider", "-rA", "-k", " or ".join((*named, *HELD_TO_THE_CODE)))
    report = _run([sys.executable, "-m", "pytest", *how, *" ".join(python_tests).split()], copy)
    passed = re.findall(r"^PASSED (\S+)::(\w+)", report, re.M)
    assert {test for _, test in passed} >= set(named)
    assert {Path(module).stem for module, _ in passed} >= set(HELD_TO_THE_CODE)
    vitest = ("node", "node_modules/vitest/vitest.mjs", "run")
    _run([*vitest, *(path.removeprefix("web/") for path in page_tests)], copy / "web")


def test_the_map_names_each_package_where_its_imports_put_it() -> None:
    laws = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [{name.strip() for name in layer.split("|")} for layer in laws[0]["layers"]]
    rows = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`.*?) \|", PAGE, re.M)]
    assert {name for row in rows for name in row} == {
        path.name for path in (ROOT / "streamer").iterdir() if (path / "__init__.py").exists()
    } | {"serve", "links"}
    places = [next(number for number, layer in enumerate(layers) if name in layer) for row in rows for name in row]
    assert places == sorted(places)
