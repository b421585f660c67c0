"""Hall codes: people in the hall type or scan them to take part. Pure."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass

ALPHABET = "23456789CDFHJKMNPRTVWXY"
"""Without characters that look alike (``0 O``, ``1 I L``, ``5 S``), and without vowels, so that chance spells no
words."""
CODE_LENGTH = 6
"""23^6: 148 million, of which an instance uses some dozens."""
HALL = "hall"
"""The place of a question without another place. Other places are cities, floors, overflow rooms."""

_MEANT = str.maketrans(
    {
        "0": "D",
        "O": "D",
        "Q": "D",
        "B": "8",
        "G": "6",
        "S": "5",
        "Z": "2",
        "U": "V",
        # The letters of other keyboards that look like ours.
        "В": "8",
        "К": "K",
        "М": "M",
        "Н": "H",
        "Р": "P",
        "С": "C",
        "Т": "T",
        "У": "Y",
        "Х": "X",
    }
)
"""A typed character -> the character of the alphabet that looks like it."""


@dataclass(frozen=True, slots=True)
class HallCode:
    """A room and a place of its audience. The code works until it is revoked, because it stands on posters."""

    code: str
    room: str
    place: str
    created_ms: int


def new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def meant_code(typed: str) -> str | None:
    """The code that was meant: any case, with or without spaces and dashes, with look-alikes. None: the text is no
    code."""
    if len(typed) > 64:
        return None
    letters = "".join(character for character in unicodedata.normalize("NFKC", typed).upper() if character.isalnum())
    meant = letters.translate(_MEANT)
    return meant if len(meant) == CODE_LENGTH and all(character in ALPHABET for character in meant) else None
