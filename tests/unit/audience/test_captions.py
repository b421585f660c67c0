"""Cues from typed text: rows, reading times, places in live outputs and in replays."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.audience.captions import (
    LEAST_MS,
    ROW_LETTERS,
    LiveTrack,
    cues,
    live_place,
    reading_ms,
    replay_cues,
    screens,
    tidy,
)
from streamer.conference.captions import Cue, language_tag

TEXTS = st.text(st.sampled_from("abcdéà '.,?-"), max_size=300).map(tidy)


def line(n: int, at_ms: int, text: str = "Bonjour à toutes et à tous", place: tuple[int, int] = (0, 0)) -> Cue:
    return Cue(f"l{n}", "hall", "fr", text, at_ms, *place, created_ms=at_ms + n, grant="g")


def test_text_is_one_line_without_what_nobody_typed() -> None:
    assert tidy("  Un\t texte\r\nsur deux\u0007 lignes \u202egnol\u200b ") == "Un texte sur deux lignes gnol"
    assert tidy("e\u0301te\u0301 👩\u200d💻") == "été 👩\u200d💻"


def test_two_rows_of_about_the_same_length_the_lower_one_the_longer() -> None:
    text = "Nous allons voir comment une salle devient un studio"
    assert screens(text) == ["Nous allons voir comment\nune salle devient un studio"]
    assert screens("Court.") == ["Court."]
    assert screens("") == []


@given(TEXTS)
def test_every_word_is_shown_once_in_at_most_two_rows_of_42_letters(text: str) -> None:
    made = screens(text)
    assert " ".join(made).split() == [w[n : n + 42] for w in text.split() for n in range(0, len(w), 42)]
    for screen in made:
        rows = screen.split("\n")
        assert len(rows) <= 2
        assert all(0 < len(row) <= ROW_LETTERS for row in rows)


@given(TEXTS.filter(bool), st.integers(0, 10_000), st.integers(1, 60_000))
def test_the_screens_of_a_text_share_its_time_without_a_hole(text: str, begin: int, length: int) -> None:
    made = cues("a", text, begin, begin + length)
    assert (made[0].from_ms, made[-1].to_ms) == (begin, begin + length)
    assert all(a.to_ms == b.from_ms for a, b in pairwise(made))
    assert len({cue.id for cue in made}) == len(made)


def test_live_a_line_begins_where_it_was_said_if_that_is_not_listed_yet() -> None:
    assert live_place("Bonjour", 10_000, 9_000, 0) == (10_000, 10_000 + LEAST_MS)


def test_live_late_text_begins_with_the_first_segment_that_is_not_listed() -> None:
    assert live_place("Bonjour", 10_000, 14_000, 0)[0] == 14_000


def test_live_a_line_waits_until_the_one_before_is_read_and_hurries_if_it_waited_long() -> None:
    text = "Une phrase assez longue pour que l'on ait de quoi lire un moment, au moins trois secondes"
    assert live_place(text, 10_000, 9_000, 11_000) == (11_000, 11_000 + reading_ms(text))
    begin, end = live_place(text, 10_000, 9_000, 20_000)
    assert begin == 20_000
    assert end - begin < reading_ms(text)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 6000), TEXTS.filter(bool)), max_size=30))
def test_live_nothing_that_is_listed_changes_and_no_two_lines_overlap(typed: list[tuple[int, int, str]]) -> None:
    track, now = LiveTrack(), 0
    listed: dict[int, list[tuple[str, int, int]]] = {}
    for n, (after, late, text) in enumerate(typed):
        now += after
        end = now // 2000 * 2000
        for at in range(0, end, 2000):
            shown = [(one.id, one.live_from_ms, one.live_until_ms) for one in track.between(at, at + 2000)]
            assert listed.setdefault(at, shown) == shown
        at_ms = max(0, now - late)
        track.add(line(n, at_ms, text, live_place(text, at_ms, end, track.busy_ms)))
    assert all(a.live_until_ms <= b.live_from_ms for a, b in pairwise(track.lines))


def test_a_replay_has_each_line_at_its_own_time_until_the_next_or_until_it_is_read() -> None:
    made = replay_cues([line(2, 5_000), line(1, 3_000), line(3, 60_000)])
    assert [(cue.id, cue.from_ms) for cue in made] == [("l1", 3_000), ("l2", 5_000), ("l3", 60_000)]
    assert made[0].to_ms == 5_000
    assert 5_000 + reading_ms(made[1].text) <= made[1].to_ms < 12_000


def test_two_lines_of_one_time_stand_one_after_the_other() -> None:
    first, second = replay_cues([line(1, 3_000, "Un"), line(2, 3_000, "Deux")])
    assert first.to_ms == second.from_ms
    assert first.from_ms < first.to_ms


def test_language_tags_have_their_usual_letters() -> None:
    assert [language_tag(t) for t in ("FR", "pt-br", "zh-hANT", "sr-latn-rs", "es-419")] == [
        "fr",
        "pt-BR",
        "zh-Hant",
        "sr-Latn-RS",
        "es-419",
    ]
    for wrong in ("", "f", "french", "fr_FR", 'fr"', "fr\n", "é"):
        with pytest.raises(ValueError, match="language tag"):
            language_tag(wrong)
