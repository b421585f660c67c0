"""Every kind of alarm has its cause and its remedy in words, in French and English."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

import streamer
from streamer.audience.reactions import TROUBLES
from streamer.conference.alarm_causes import RANKS
from streamer.conference.alarm_words import LANGUAGES, WORDS, words_of
from streamer.conference.alarms import Alarm
from streamer.director.room_alarms import LEVELS, OPERATORS
from tests.fakes.days import at

MAKERS = {"_alarm": 1, "_warning": 1, "Trouble": 0, "_trouble": 0}
"""Function -> the place of the code among its arguments."""


@cache
def kinds() -> set[str]:
    """Every kind that the program can tell of."""
    found = {*RANKS, *LEVELS, *OPERATORS, *(f"viewers_{kind}" for kind in TROUBLES)}
    for path in Path(streamer.__file__).parent.rglob("*.py"):
        source = path.read_text("utf-8")
        # To parse the whole program takes a second.
        if not any(f"{maker}(" in source for maker in MAKERS):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                place = MAKERS[node.func.id]
                code = node.args[place] if len(node.args) > place else None
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    found.add(code.value)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_a_cause_and_a_remedy(language: str) -> None:
    words = WORDS[language]
    assert kinds() == words.keys()
    for kind, said in words.items():
        assert said.cause, kind
        assert said.remedy.endswith((".", "?")), kind
        assert max(len(said.cause), len(said.remedy)) <= 100, kind


def test_both_languages_say_the_same_things() -> None:
    def named(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for kind, said in WORDS["en"].items():
        french = WORDS["fr"][kind]
        assert named(said.cause + said.remedy) == named(french.cause + french.remedy), kind
        assert (said.cause, said.remedy) != (french.cause, french.remedy), kind


def test_words_name_the_source_and_say_what_is_intermittent() -> None:
    black = Alarm("x", "picture_black", "alarm", 0, "technician", details={"source": "balcony"}, times=3)
    assert words_of(black, "en")[0] == "The picture of balcony is black (intermittent: 3 times)"
    assert words_of(black, "fr-CH")[0] == "L’image de balcony est noire (intermittent : 3 fois)"
    programme = Alarm("x", "picture_black", "alarm", 0, "technician")
    assert words_of(programme, "de") == ("The picture is black", "Look at the lens cap, the camera and its cable.")


def test_words_survive_what_is_missing_or_unknown() -> None:
    ahead = Alarm("x", "closed_ahead", "warning", 0, "technician", details={"at_ms": at("9:45")})
    assert words_of(ahead, "fr", "Europe/Paris")[0] == "Une session fermée prend la salle à 11:45"
    assert words_of(Alarm("x", "disk_low", "alarm", 0, "operator"), "en")[0] == "Disk for – more minutes"
    assert words_of(Alarm("x", "of_later", "alarm", 0, "operator"), "en")[0] == "Something is wrong: of_later"
