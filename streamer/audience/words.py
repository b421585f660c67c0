"""Finds blocked words behind look-alikes: other scripts' letters, full-width forms, accents, digits for letters,
invisible characters and spread letters. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

CONFUSABLES = {
    # Cyrillic
    **dict(zip("авекмнорстухіѕјԁԛԝһҽӏьпгё", "abekmhopctyxisjdqwhelbnre", strict=True)),
    # Greek
    **dict(zip("αβγδεζηικλμνορστυχω", "abydezniklmnopotuxw", strict=True)),
    # Armenian, Cherokee and others that are drawn like ours
    **dict(zip("օսոցհԁℓⅼⅽⅾⅿ", "ouoghdllcdm", strict=True)),
    **dict(zip("ɑɡɩɪʀʏʙʜɴʟᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰıȷ", "agiirybhnlacdejkmoptuvwzsfij", strict=True)),
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "đ": "d",
    "ł": "l",
    "ħ": "h",
    "ŧ": "t",
}
LEET = dict(zip("013457@$!|€+", "oieastasiiet", strict=True))
"""Digits and signs that stand for letters. ``8``, ``9``, ``6`` and ``2`` are left alone: numbers are no words."""


def folded(text: str) -> str:
    """Small Latin letters, digits and spaces, as a reader sees the text. Letters without a look-alike stay."""
    return "".join(_plain(text))


def _plain(text: str) -> Iterable[str]:
    for character in unicodedata.normalize("NFKD", text.casefold()):
        category = unicodedata.category(character)
        if category in ("Mn", "Me", "Cf", "Cc"):
            continue
        mapped = CONFUSABLES.get(character, character)
        if mapped.isalnum():
            yield mapped
        elif character in LEET:
            yield character
        else:
            yield " "


def _letters(text: str) -> str:
    return "".join(LEET.get(character, character) for character in text)


def _squeezed(word: str) -> str:
    """Runs of one letter become one letter: ``baaaad`` is ``bad``."""
    out: list[str] = []
    for character in word:
        if not out or out[-1] != character:
            out.append(character)
    return "".join(out)


@lru_cache(maxsize=256)
def _needles(words: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Each blocked word (or phrase) as the tokens to look for."""
    found = []
    for word in words:
        tokens = tuple(_squeezed(_letters(token)) for token in folded(word).split())
        if tokens:
            found.append(tokens)
    return tuple(found)


def blocked(text: str, words: tuple[str, ...]) -> str | None:
    """The first of ``words`` that the text holds as a whole word or phrase; None if it holds none.

    A word inside another does not count (Scunthorpe); ``b a d`` and ``b.a.d`` do.
    """
    if not words:
        return None
    plain = folded(text).split()
    spellings = [
        [_squeezed(_letters(token)) for token in plain],
        # Digits as themselves, if the sign at the end was a sign: ``bad!``.
        [_squeezed(_letters("".join(c for c in token if c.isalnum()))) for token in plain],
    ]
    spellings.append(_joined(spellings[0]))
    spellings.append(_joined(spellings[1]))
    # Looked up in a set: one character may become many (U+FDFA eighteen), and there may be hundreds of words.
    there = [frozenset(tokens) for tokens in spellings]
    for index, needle in enumerate(_needles(words)):
        for tokens, known in zip(spellings, there, strict=True):
            if known.issuperset(needle) and (len(needle) == 1 or _follow(needle, tokens)):
                return words[index] if index < len(words) else needle[0]
    return None


def _follow(needle: tuple[str, ...], tokens: list[str]) -> bool:
    """Whether the tokens of ``needle`` stand in ``tokens`` one after the other."""
    width = len(needle)
    return any(tuple(tokens[at : at + width]) == needle for at in range(len(tokens) - width + 1))


def _joined(tokens: list[str]) -> list[str]:
    """The tokens with single letters joined."""
    out: list[str] = []
    alone = ""
    for token in [*tokens, ""]:
        if len(token) == 1:
            alone += token
            continue
        if alone:
            out.append(_squeezed(alone))
            alone = ""
        if token:
            out.append(token)
    return out


def same_words(text: str, other: str) -> bool:
    """Whether two names look the same to a reader, for whom ``l`` and ``I`` are one."""
    return _drawn(text) == _drawn(other)


def _drawn(text: str) -> str:
    return _letters(folded(text)).replace(" ", "").replace("l", "i")
