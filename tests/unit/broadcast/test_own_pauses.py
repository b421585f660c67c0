"""Silences of players and of microphones: which of them tells that a microphone is dead, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.broadcast.test_troubles import MUTED, PAUSE, TALK, speaking


def test_a_silence_like_those_that_a_film_ended_by_itself_is_not_dead_and_a_longer_one_is() -> None:
    music = replace(TALK, lowest=-34.0, voice=False)
    timeline = speaking().sound(2.4, MUTED).sound(10, music).sound(3.4, MUTED).sound(10, TALK)
    assert timeline.told == {}
    timeline.sound(8, MUTED)
    assert timeline.told == {"sound_dead": pytest.approx(55.8 + 1.5 * 4)}
    assert timeline.since_s("sound_dead") == pytest.approx(55.8)


def test_the_first_silences_of_a_film_after_a_talk_are_no_dead_microphone() -> None:
    place = replace(TALK, lowest=-45.0)
    timeline = speaking().sound(14, place).sound(4.7, MUTED).sound(8, place).sound(5.9, MUTED).sound(8, place)
    assert timeline.told == {}


def test_a_cable_that_is_pulled_leaves_the_noise_of_its_input_and_is_told_after_three_seconds() -> None:
    timeline = speaking().sound(4, replace(MUTED, level=-92.0, lowest=-93.0))
    assert timeline.told == {"sound_dead": 33.0}


def test_after_a_pause_with_the_same_noise_on_both_sides_a_dead_microphone_is_told_within_five_seconds() -> None:
    timeline = speaking().sound(5.5, MUTED).sound(12, TALK, TALK, TALK, PAUSE)
    assert timeline.codes == set(), "it was told, and is clear"
    timeline.told.clear()
    timeline.sound(6, MUTED)
    assert timeline.told == {"sound_dead": pytest.approx(47.5 + 4.8)}


def test_short_silences_between_words_tell_a_noise_gate_whose_first_long_pause_is_no_dead_microphone() -> None:
    timeline = speaking()
    for pause_s in (0.3, 0.5, 0.2, 3.8):
        timeline.sound(pause_s, MUTED).sound(12, TALK, TALK, TALK, PAUSE)
    assert timeline.told == {}
    timeline.sound(6, MUTED)
    assert timeline.told == {"sound_dead": pytest.approx(82.8 + 4.8)}


def test_behind_a_noise_gate_the_pauses_of_a_speaker_become_no_dead_microphone() -> None:
    timeline = speaking()
    for pause_s in (1.5, 2.4, 3.4):
        timeline.sound(pause_s, MUTED).sound(12, TALK, TALK, TALK, PAUSE)
    assert timeline.told == {}


def test_after_a_film_with_long_silences_a_dead_microphone_is_told_within_five_seconds() -> None:
    music = replace(TALK, lowest=-34.0, voice=False)
    timeline = speaking().sound(2.4, MUTED).sound(10, music).sound(3.4, MUTED).sound(10, music).sound(4.9, MUTED)
    assert timeline.told == {}
    timeline.sound(21, TALK, TALK, TALK, PAUSE).sound(6, MUTED)
    assert timeline.told == {"sound_dead": pytest.approx(81.7 + 4.8)}


def test_a_silence_that_somebody_ended_and_one_between_words_delay_no_dead_microphone() -> None:
    timeline = speaking().sound(8, MUTED).sound(10.2, TALK).sound(2, MUTED).sound(10.2, TALK)
    assert timeline.codes == set()
    timeline.told.clear()
    timeline.sound(5, MUTED)
    assert timeline.told == {"sound_dead": pytest.approx(60.4 + 4.8)}
