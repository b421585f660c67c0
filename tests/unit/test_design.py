"""The map of the program, held against the tree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STREAMER = ROOT / "streamer"
PAGES = {name: (STREAMER / name).read_text("utf-8") for name in ("README.md", "DECISIONS.md")}
MAP = PAGES["README.md"]
FILE = re.compile(r"[`(]([\w./-]+\.(?:py|ts|svelte|md|toml))[`)]")
STEP = re.compile(r"`([\w./-]+\.(?:py|ts))`((?:,? `(?![^`]+\.py`)[A-Za-z_.]+`)+)")
MOST_LINES = 40
"""Of one subject: a screen."""


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    sources = [path.as_posix() for folder in ("streamer", "web/src") for path in (ROOT / folder).rglob("*.*")]
    named = FILE.findall(PAGES[page])
    assert named
    # A bare name stands beside another of its folder.
    lost = [name for name in named if not any(path.endswith(f"/{name}") for path in sources)]
    assert [name for name in lost if not any((folder / name).exists() for folder in (STREAMER, ROOT))] == []


def _names(file: Path) -> Iterator[str]:
    """Functions, classes and methods of a module as ``Class.method``; of a script each word that it exports."""
    text = file.read_text("utf-8")
    if file.suffix == ".ts":
        yield from re.findall(r"^export (?:class|function|const) (\w+)", text, re.M)
        return
    for one in ast.parse(text).body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name
        if isinstance(one, ast.ClassDef):
            for inner in one.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{one.name}.{inner.name}"


def test_whoever_follows_a_packet_finds_each_step() -> None:
    way = MAP.split("\n## 3. ")[1].split("\n## 4. ")[0]
    steps = [(file, name) for file, names in STEP.findall(way) for name in re.findall(r"`(.+?)`", names)]
    assert len(steps) > 30
    lost = []
    for file, name in steps:
        path = ROOT / file if file.startswith("web/src/") else STREAMER / file
        if name not in set(_names(path)):
            lost.append((file, name))
    assert lost == [], lost


def test_the_layers_are_those_of_the_import_laws() -> None:
    laws = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(law["layers"] for law in laws if law["type"] == "layers")
    section = MAP.split("\n## 4. ")[1].split("\n## 5. ")[0]
    assert [line.strip() for line in section.splitlines() if line.startswith("    ")] == layers


def test_the_laws_name_all_the_packages_that_they_are_about() -> None:
    laws = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(law["layers"] for law in laws if law["type"] == "layers")

    def packages(these: list[str]) -> set[str]:
        return {f"streamer.{name}" for layer in these for name in layer.split(" | ")}

    web = packages(layers[layers.index("serve") : layers.index("conference") + 1])
    sources = {law["name"]: set(law.get("source_modules", ())) for law in laws}
    assert sources["The web plane does no media"] == web
    # Of them only what runs both planes side by side starts a host.
    assert sources["The web process starts no media host"] == web - {"streamer.serve"}
    # The web plane's law forbids it, too.
    assert sources["aiortc only under rtc"] == packages(layers) - web - {"streamer.rtc"}
    forbidden = {law["name"]: set(law.get("forbidden_modules", ())) for law in laws}
    below = packages(layers[layers.index("broadcast") + 1 :])
    assert forbidden["Values of a broadcast import nothing of ours"] == below


def test_each_package_has_its_line() -> None:
    packages = sorted(init.parent.name for init in STREAMER.glob("*/__init__.py"))
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1/README\.md\) \| \w", MAP, re.M)) == packages


def test_a_subject_is_a_screen() -> None:
    for section in MAP.split("\n## ")[1:]:
        for part in section.split("\n**A "):
            assert len(part.splitlines()) <= MOST_LINES, part.splitlines()[0]
