"""Lists of words that moderators tick, by language: what stands in them is held or refused like their own words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

WordList = Literal["en", "fr"]
WORD_LISTS: tuple[WordList, ...] = get_args(WordList)


@lru_cache(maxsize=len(WORD_LISTS))
def _words(language: WordList) -> tuple[str, ...]:
    lines = files(__name__).joinpath(f"{language}.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def words_in(lists: Iterable[str]) -> tuple[str, ...]:
    """The words of these lists; names of others (a newer server's) have none."""
    return tuple(word for language in WORD_LISTS if language in lists for word in _words(language))
