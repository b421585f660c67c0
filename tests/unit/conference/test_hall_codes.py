"""Codes that people read off a screen at the other end of a hall, and type."""

from __future__ import annotations

import pytest

from streamer.conference.hall_codes import ALPHABET, CODE_LENGTH, meant_code, new_code


def test_new_codes_differ_and_are_made_of_what_nobody_confuses() -> None:
    made = {new_code() for _ in range(2000)}
    assert len(made) > 1990
    for code in made:
        assert len(code) == CODE_LENGTH
        assert set(code) <= set(ALPHABET)
        assert meant_code(code) == code
    for alike in ("0OQD", "1IL", "5S", "8B", "2Z", "6G", "UV"):
        assert len(set(alike) & set(ALPHABET)) <= 1, alike
    assert not set("AEIOU") & set(ALPHABET)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cd5h8k", "CD5H8K"),
        (" CD5 - H8K ", "CD5H8K"),
        ("cdsh8k", "CD5H8K"),
        ("C05HBK", "CD5H8K"),
        ("c\N{LATIN SMALL LETTER O}5hBk", "CD5H8K"),
        ("\uff23\uff24\uff15\uff28\uff18\uff2b", "CD5H8K"),
        ("\u0421D5\u041d8\u041a", "CD5H8K"),
        ("CD5.H8K.", "CD5H8K"),
    ],
)
def test_what_was_meant_is_understood(typed: str, meant: str) -> None:
    assert meant_code(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "CD5H8", "CD5H8KK", "CDIH8K", "é" * 6, "CD5H8K" + " " * 60, "\ud800" * 6, "😀" * 6]
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert meant_code(typed) is None
