"""Finds blocked words behind look-alikes: other scripts' letters, full-width forms, accents, digits for letters,
invisible characters and spread letters. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, pairwise

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
SHORTEST_PLURAL = 4
"""Letters of a word whose plural is looked for: shorter ones have too many other meanings."""
SHORTEST_PAIR = 6
"""Letters of a word that is found in two pieces. Its plural's ending is none: ``mer des`` is no plural."""
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


@dataclass(frozen=True, slots=True)
class _Spelling:
    """A word with its runs of one letter counted: ``baaad`` is ``bad`` with (1, 3, 1)."""

    letters: str
    runs: tuple[int, ...]
    phrase: bool = False
    """Of a phrase, whose words are ordinary ones: with a letter doubled they are others (``sale``, ``salle``)."""

    def shows(self, word: _Spelling) -> bool:
        """Whether it is the word, perhaps drawn out. ``as`` is not ``ass``."""
        if self.letters != word.letters:
            return False
        pairs = zip(self.runs, word.runs, strict=True)
        return all(a == b or (a > b and not (word.phrase and a == 2)) for a, b in pairs)


def _spelling(word: str, *, phrase: bool = False) -> _Spelling:
    runs = [(letter, len(tuple(same))) for letter, same in groupby(word)]
    return _Spelling("".join(letter for letter, _ in runs), tuple(count for _, count in runs), phrase)


@dataclass(slots=True)
class _Needles:
    """Words to look for, with their places in the list."""

    words: dict[str, list[tuple[_Spelling, int]]] = field(default_factory=dict)
    """By their letters, in singular and plural; phrases without their spaces, too."""
    phrases: dict[str, list[tuple[tuple[_Spelling, ...], int]]] = field(default_factory=dict)
    """By the letters of the first word."""

    def add(self, word: str, index: int) -> None:
        tokens = [_letters(token) for token in folded(word).split()]
        if not tokens:
            return
        phrase = len(tokens) > 1
        for number in _numbers("".join(tokens)):
            spelled = _spelling(number, phrase=phrase)
            self.words.setdefault(spelled.letters, []).append((spelled, index))
        if phrase:
            spelled_out = tuple(_spelling(token, phrase=True) for token in tokens)
            self.phrases.setdefault(spelled_out[0].letters, []).append((spelled_out, index))

    def named(self, spelled: _Spelling) -> list[int]:
        return [index for word, index in self.words.get(spelled.letters, ()) if spelled.shows(word)]


def _numbers(word: str) -> Iterable[str]:
    """A word in singular and plural, French or English."""
    yield word
    if len(word) < SHORTEST_PLURAL:
        return
    yield from (f"{word}s", f"{word}es", f"{word}x")
    if word.endswith("y"):
        yield f"{word[:-1]}ies"
    if word.endswith(("s", "x")) and not word.endswith("ss"):
        yield word[:-1]


@lru_cache(maxsize=64)
def _needles(words: tuple[str, ...]) -> _Needles:
    found = _Needles()
    for index, word in enumerate(words):
        found.add(word, index)
    return found


def blocked(text: str, words: tuple[str, ...]) -> str | None:
    """The first of ``words`` that the text holds as a whole word or phrase; None if it holds none.

    A word inside another does not count (Scunthorpe), nor do two words that make one together (``pen is``). Plurals,
    ``b a d``, ``b.a.d``, ``ba d``, and long words in two pieces do.
    """
    if not words:
        return None
    needles = _needles(words)
    plain = folded(text).split()
    # Digits as letters, then as themselves, if the sign at the end was a sign: ``bad!``.
    readings = ([_letters(token) for token in plain], [_letters(_alone(token)) for token in plain])
    found: list[int] = []
    for tokens in readings:
        spelled = [_spelling(token) for token in tokens]
        for at, one in enumerate(spelled):
            found += needles.named(one)
            for phrase, index in needles.phrases.get(one.letters, ()):
                there = spelled[at : at + len(phrase)]
                if len(there) == len(phrase) and all(map(_Spelling.shows, there, phrase)):
                    found.append(index)
        for joined in _runs(tokens):
            found += needles.named(_spelling(joined))
        for joined in _pairs(tokens):
            named = needles.named(_spelling(joined))
            found += (index for index in named if len("".join(folded(words[index]).split())) >= SHORTEST_PAIR)
    return words[min(found)] if found else None


def _alone(token: str) -> str:
    return "".join(character for character in token if character.isalnum())


def _runs(tokens: list[str]) -> Iterable[str]:
    """Words that were taken apart: runs of pieces of one letter, of two at most."""
    for most in (1, 2):
        for short, run in groupby(tokens, lambda token, most=most: len(token) <= most):  # type: ignore[misc]
            pieces = list(run)
            if short and len(pieces) > 1:
                yield "".join(pieces)


def _pairs(tokens: list[str]) -> Iterable[str]:
    """Pairs of pieces that are long together."""
    for one, other in pairwise(tokens):
        if len(one) > 1 and len(other) > 1 and len(one) + len(other) >= SHORTEST_PAIR:
            yield one + other
