"""Names that a reader takes for one another: skeletons of Unicode Technical Standard 39, section 4. Pure."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

_TABLE = Path(__file__).with_name("confusables.txt")


@lru_cache(maxsize=1)
def _confusables() -> dict[int, str]:
    """Sign -> what it looks like."""
    found: dict[int, str] = {}
    for line in _TABLE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            target, _, sources = line.partition(" ")
            found.update((ord(source), target) for source in sources)
    return found


def skeleton(text: str) -> str:
    """The prototype of a text: two texts with the same one are confusable. Nothing of it is for display."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFD", plain.translate(_confusables()))


def _drawn(name: str, *, marks: bool) -> str:
    """The letters and digits of a name as they are drawn, small and large alike; ``marks``: with accents."""
    # Full-width and mathematical letters first; then capitals: some look like Latin ones, their small letters do not.
    drawn = skeleton(skeleton(unicodedata.normalize("NFKC", name)).casefold()).casefold()
    kept = (c for c in drawn if c.isalnum() or (marks and unicodedata.category(c) == "Mn"))
    # A capital I is a small l to a reader, and so is each i that was one.
    return "".join(kept).replace("i", "l")


@lru_cache(maxsize=16_384)
def _letters(name: str) -> str:
    return _drawn(name, marks=False)


def same_look(name: str, other: str) -> bool:
    """Whether a reader could take one name for the other: spaces, signs, accents and capitals make no difference."""
    return bool(letters := _letters(name)) and letters == _letters(other)


@lru_cache(maxsize=16_384)
def look_of(name: str) -> str:
    """Equal for namesakes, who differ in nothing but capitals, spaces and look-alikes."""
    return _drawn(name, marks=True) or name
