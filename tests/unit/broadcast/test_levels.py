"""Levels of voices: too quiet and too loud, over ten seconds of voice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.broadcast.test_troubles import TALK, speaking


@pytest.mark.parametrize(
    ("code", "bad", "within", "cleared"),
    [("sound_quiet", -32.0, -29.0, -25.0), ("sound_loud", -12.0, -15.0, -20.0)],
)
def test_levels_are_judged_over_ten_seconds_of_voice_with_two_units_of_hysteresis(
    code: str, bad: float, within: float, cleared: float
) -> None:
    off = replace(TALK, loudness=bad, level=bad)
    timeline = speaking().sound(8.8, off)
    assert timeline.codes == set()
    timeline.sound(1.3, off)
    assert timeline.codes == {code}
    assert timeline.since_s(code) == pytest.approx(30.0, abs=1.5)
    timeline.sound(60, replace(TALK, loudness=within, level=within))
    assert timeline.codes == {code}, "the band is entered by two units"
    timeline.sound(41, replace(TALK, loudness=cleared, level=cleared))
    assert timeline.codes == set()


def test_loud_speech_with_a_softer_sentence_now_and_then_is_loud_and_one_with_an_ordinary_sentence_is_not() -> None:
    def heard(softer: float) -> dict[str, float]:
        timeline = speaking(26.0)
        for _ in range(3):
            timeline.sound(6, replace(TALK, loudness=-11.0)).sound(4, replace(TALK, loudness=softer))
        return timeline.told

    assert heard(-15.5) == {"sound_loud": pytest.approx(35.0, abs=1.0)}
    assert heard(-18.0) == {}


def test_without_voice_no_level_is_judged_and_a_shout_is_not_loud() -> None:
    music = replace(TALK, voice=False, loudness=-35.0)
    unknown = replace(TALK, voice=None, loudness=-35.0)
    assert speaking().sound(60, music).sound(60, unknown).told == {}
    shout = replace(TALK, loudness=-5.0, level=-5.0)
    assert speaking().sound(2, shout).sound(8, TALK).told == {}
