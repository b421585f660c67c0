"""The documents for users and for those who change the program, held against what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from streamer.settings import Settings

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "golden" / "data"
DOCUMENTS = {
    name: (ROOT / name).read_text("utf-8")
    for name in (
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "configs/first-day.md",
        "configs/observe/README.md",
        "configs/edge/README.md",
        "configs/bus/README.md",
    )
    if (ROOT / name).exists()
}
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
TOP = {path.name for path in ROOT.iterdir()} - {"build"}
"""Without the folder of what `make` builds."""
COMMANDS = {
    name: {option.split()[0] for option in options}
    for name, options in json.loads((DATA / "command_line.json").read_text("utf-8")).items()
}
OPTIONS = set().union(*COMMANDS.values())

every_document = pytest.mark.parametrize("document", DOCUMENTS)


def _code(text: str) -> list[str]:
    """The texts in backticks, and the lines of indented and fenced blocks."""
    fenced = [line for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [*CODE.findall(text), *fenced, *indented]


@every_document
def test_links_and_paths_lead_somewhere(document: str) -> None:
    text = DOCUMENTS[document]
    links = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    named = [word for word in CODE.findall(text) if re.fullmatch(r"[\w.-]+(/[\w.*-]+)+/?", word)]
    tests = [path for code in _code(text) for path in re.findall(r"\bT=\"?([\w./-]+)", code) if "/" in path]
    paths = [*tests, *(name for name in named if name.split("/")[0] in TOP)]
    assert [path for path in paths if not any(ROOT.glob(path))] == []
    assert [link for link in links if link and not (ROOT / document).parent.joinpath(link).exists()] == []


@every_document
def test_targets_of_make_are_in_the_makefile(document: str) -> None:
    named = {target for code in _code(DOCUMENTS[document]) for target in re.findall(r"^make ([a-z-]+)", code)}
    assert named - TARGETS == set()


@every_document
def test_commands_and_their_options_are_there(document: str) -> None:
    for code in _code(DOCUMENTS[document]):
        options = re.findall(r"(?<!\S)(--[a-z-]+)", code)
        if (found := re.match(r"streamer ([a-z]+)", code)) is not None:
            assert set(options) - COMMANDS[found[1]] == set(), code
        elif code.startswith("--"):
            assert set(options) - OPTIONS == set(), code


@every_document
def test_settings_are_there(document: str) -> None:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    for code in _code(DOCUMENTS[document]):
        found = re.match(r"([a-z]+)\.([a-z_]+)$", code)
        if found is not None and hasattr(sections.get(found[1]), "model_fields"):
            assert found[2] in sections[found[1]].model_fields, code  # type: ignore[union-attr]


@every_document
def test_addresses_are_served(document: str) -> None:
    served = [_shape(line.partition(" ")[2]) for line in json.loads((DATA / "addresses.json").read_text("utf-8"))]
    for code in CODE.findall(DOCUMENTS[document]):
        if not re.match(r"/(?!usr/|etc/)[\w.{}/-]*(?:[?#].*)?$", code):
            continue
        address = _shape(re.split(r"[?#]", code)[0]).rstrip("/")
        assert any(one.rstrip("/") == address or one.startswith(f"{address}/") for one in served), code


def _shape(address: str) -> str:
    return re.sub(r"{\w+(?::[^}]*)?}", "{}", address)
