"""The words of names, docstrings and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = {path: path.read_text("utf-8") for path in sorted((ROOT / "streamer").rglob("*.py"))}
TESTS = {path: path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}

RIDDLE = re.compile(
    # A comment on a line of its own, one behind code, or a docstring.
    r'^(?:\s*#|[^#"\']*\S {2}#|\s*r?""") ?'
    r"(?:what|who|whose|whom|whoever|whatever|nobody|nothing|no one|none of|not one|where|from where|how)\b.*",
    re.I,
)
"""A sentence that begins so names its subject by a question, and a reader cannot look it up."""
MOST_RIDDLES = 19

DEFINED = re.compile(r"^[ ]*(?:class|(?:async )?def) ([A-Za-z]\w*)", re.M)
PICTURES = re.compile(
    r"bells?|books?|crewlines?|deeds?|desks?|doors?|faces?|floors?|gatherings?|guests?|houses?|lanes?|ledgers?|letters?"
    r"|outlets?|porters?|slivers?|acting|deciding|endurance|keeping|punching"
)
"""Pictures and coined words that names had once. The field has a term for each thing."""


def test_docstrings_and_comments_begin_with_their_subject() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text.strip()}"
        for path, source in (PROGRAM | TESTS).items()
        for text in _riddles(source)
    ]
    assert len(found) <= MOST_RIDDLES, "\n".join(found)


def test_names_use_the_terms_of_the_field() -> None:
    names = {(path, name) for path, source in PROGRAM.items() for name in (path.stem, *DEFINED.findall(source))}
    assert len(names) > 3000
    found = {f"{path.relative_to(ROOT)}: {name}" for path, name in names if any(map(PICTURES.fullmatch, _words(name)))}
    assert found == set()


def test_the_searches_find_what_they_look_for() -> None:
    riddles = ['"""What it is."""', 'ONE = 1\n"""Who has it."""', "    # Whoever comes\n    # first", "x = 1  # nobody"]
    plain = ['"""Time of day."""', "# The one\n# who comes", "x = 'a  # what'", "y = 1", "# Whatsoever"]
    assert [len(list(_riddles(source))) for source in riddles] == [1, 1, 1, 1]
    assert [len(list(_riddles(source))) for source in plain] == [0, 0, 0, 0, 0]
    assert DEFINED.findall("class A:\n    async def b(self): ...\n    def _c(self): ...\n") == ["A", "b"]
    assert [PICTURES.fullmatch(word) is not None for word in _words("RoomBells2_ofHTTPDesk")][:5] == [0, 1, 0, 0, 1]
    assert any(map(PICTURES.fullmatch, _words("CrewLine")))


def _riddles(source: str) -> Iterator[str]:
    before = ""
    for line in source.splitlines():
        goes_on = line.lstrip().startswith("#") and before.lstrip().startswith("#")
        if not goes_on and RIDDLE.match(line):
            yield line
        before = line


def _words(name: str) -> list[str]:
    """The words of a name, and each two that follow one another as one."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    return words + [first + second for first, second in pairwise(words)]
