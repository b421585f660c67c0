"""The READMEs beside the code, held against the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "web", ROOT / "tests"]
PACKAGES = sorted(init.parent for init in (ROOT / "streamer").glob("*/__init__.py"))
MODULE = re.compile(r"`(\w+\.py)`")
PATH = re.compile(r"[`(](\w[\w./-]*(?:\.(?:py|ts|md)|(?<=\w)/))[`)]")
NAME = re.compile(r"`((?:[A-Z_]\w*)(?:\.\w+)?)`")
MOST_LINES = 80
MAPS = ["README.md", "DECISIONS.md"]
SECTIONS = ["Modules", "Rules it keeps", "Tests", "To change something"]


def _readme(package: Path) -> str:
    return (package / "README.md").read_text("utf-8")


def _modules(package: Path) -> str:
    return _readme(package).split("\n## Modules\n")[1].split("\n## ")[0]


def _is_there(name: str, package: Path) -> bool:
    """A path counts from the README's folder, ``streamer`` or the root; a test's bare name stands beside another."""
    if any((folder / name).exists() for folder in (package, ROOT / "streamer", ROOT)):
        return True
    return name.startswith("test_") and any((ROOT / "tests").rglob(name))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_has_a_readme_of_one_shape(package: Path) -> None:
    lines = _readme(package).splitlines()
    assert lines[0] == f"# {package.name}"
    assert len(lines) <= MOST_LINES
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == SECTIONS


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_modules_that_a_readme_lists_are_those_that_there_are(package: Path) -> None:
    there = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(MODULE.findall(_modules(package))) == there


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_path_that_a_readme_names_is_there(package: Path) -> None:
    assert [name for name in PATH.findall(_readme(package)) if not _is_there(name, package)] == []


def test_the_names_that_a_readme_uses_are_in_the_code() -> None:
    sources = [*(ROOT / "streamer").rglob("*.py"), *(ROOT / "web/src").rglob("*.ts")]
    words = set(re.findall(r"\w+", "\n".join(path.read_text("utf-8") for path in sources)))
    # A unit at the end of names is a word of its own.
    words |= {unit for word in words for unit in re.findall(r"_[a-z]+$", word)}
    pages = [*(package / "README.md" for package in PACKAGES), *map((ROOT / "streamer").joinpath, MAPS)]
    named = {name for page in pages for name in NAME.findall(page.read_text("utf-8"))}
    assert {"RoomService", "_ms", "WhipClient"} <= named
    assert [name for name in sorted(named) if not words.issuperset(name.split("."))] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_folders_that_a_readme_lists_are_there(folder: Path) -> None:
    text = _readme(folder)
    assert len(text.splitlines()) <= MOST_LINES
    listed = re.findall(r"^- `([\w/-]+)", text.split("\n## Folders\n")[1].split("\n## ")[0], re.M)
    assert len(listed) > 4
    assert [name for name in listed if not (folder / name).exists()] == []
    assert [name for name in PATH.findall(text) if not _is_there(name, folder)] == []
