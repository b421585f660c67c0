"""Texts of strangers: cleaned, measured, never used as markup. Pure.

The results are plain text. They are not escaped; every display does that (pages set text content, exports quote).
"""

from __future__ import annotations

import unicodedata

from streamer.errors import Unprocessable

NAME_CHARACTERS = 40
REASON_CHARACTERS = 200
MOST_COMBINING = 4
"""Combining marks on one letter; more of them would cover the lines above."""
_OPENING = "\u202a\u202b\u202d\u202e"
"""Embeddings and overrides, closed by PDF."""
_PDF = "\u202c"
_ISOLATES = "\u2066\u2067\u2068"
_PDI = "\u2069"
_BIDI = frozenset(_OPENING + _PDF + _ISOLATES + _PDI)
_JOINERS = frozenset("\u200c\u200d")
"""Emoji and some scripts need them."""
_PICTURES = "\U0001f000\U0001faff"
"""Emoji come here, new ones each year: phones have them before Python's tables do."""


def cleaned(text: str) -> str:
    """One line without control characters; changes of the reading direction end where the text ends.

    NUL, controls, lone surrogates, private use and unassigned characters (except new emoji) are removed, spaces and
    line breaks become one space. An override (Trojan Source) reaches to the end of the text and no further.
    """
    out: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        if character in _BIDI or character in _JOINERS or character == "\ufe0f":
            out.append(character)
            continue
        category = unicodedata.category(character)
        if character.isspace() or category in ("Zl", "Zp"):
            if out and out[-1] != " ":
                out.append(" ")
            marks = 0
            continue
        if category == "Cf" and "\U000e0020" <= character <= "\U000e007f":
            # Tags: flags of regions are made of them.
            out.append(character)
            continue
        if category.startswith("C") and not (category == "Cn" and _PICTURES[0] <= character <= _PICTURES[-1]):
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MOST_COMBINING:
            out.append(character)
    return isolated("".join(out).strip())


def isolated(text: str) -> str:
    """The text with balanced bidi controls: open ones are closed at the end, superfluous ends are removed.

    A text with any of them stands in an isolate, so that it does not turn the line around it.
    """
    if not any(character in _BIDI for character in text):
        return text
    out: list[str] = []
    opened: list[str] = []
    for character in text:
        if character in _OPENING:
            opened.append(_PDF)
        elif character in _ISOLATES:
            opened.append(_PDI)
        elif character in (_PDF, _PDI):
            if not opened or opened[-1] != character:
                continue
            opened.pop()
        out.append(character)
    inner = "".join(out) + "".join(reversed(opened))
    return f"\u2068{inner}\u2069"


def visible(text: str) -> bool:
    """Whether a reader sees anything of the text."""
    return any(
        (_PICTURES[0] <= character <= _PICTURES[-1])
        or (not character.isspace() and unicodedata.category(character)[0] not in "CM" and character not in _BLANK)
        for character in text
    )


_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Fillers: Unicode calls them letters, but nobody sees them."""


def shortened(text: str, most: int) -> str:
    """The text cleaned and cut to ``most`` characters, for texts that are not worth a refusal."""
    out = cleaned(text[: most * 2])
    # Cut inside, so that the end of the reading direction stays.
    return isolated(out.strip("\u2068\u2069")[:most].rstrip()) if len(out) > most else out


def checked(text: str, most: int) -> str:
    """The text cleaned. Raises Unprocessable ``empty_text``, ``too_long`` (measured in characters, as it is shown)."""
    if len(text) > most * 8:
        raise too_long(most)
    out = cleaned(text)
    if not visible(out):
        raise Unprocessable("There is no text.", code="empty_text")
    if len(out.strip("\u2068\u2069")) > most:
        raise too_long(most)
    return out


def too_long(most: int) -> Unprocessable:
    return Unprocessable(f"The text has more than {most} characters.", code="too_long", details={"most": most})
