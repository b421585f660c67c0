"""Some of the day of troubles (``python -m tests.day_of_troubles``): faults in recorded voices, through Opus."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.broadcast.troubles import SourceJudge
from streamer.media.voice import load_model
from tests.day_of_troubles import recordings, runs, scenes
from tests.day_of_troubles.faults import SOUND_FAULTS, through_opus
from tests.day_of_troubles.runs import play, run
from tests.day_of_troubles.way_runs import run_way

pytestmark = pytest.mark.skipif(
    not recordings.are_there() or load_model() is None, reason="Debian's recorded voices are not installed"
)


@pytest.mark.parametrize(("kind", "severity"), [("sound_dead", "plain"), ("sound_clipping", "plain")])
def test_a_fault_is_named_in_time_alone_and_clears(kind: str, severity: str) -> None:
    made = run(kind, severity, 1)
    assert made.wrong == "", made


def test_a_camera_without_power_is_named_by_its_page_and_is_no_weak_upload() -> None:
    made = run_way("camera without power", "plain", 1, before_s=3.0)
    assert made.wrong == "", made
    assert list(made.told_s) == ["camera_power"]


def test_a_lost_channel_is_measured_and_a_voice_is_heard() -> None:
    rng = np.random.default_rng(3)
    sound = scenes.hall(rng, 6, "plain")
    measures = scenes.measures_of(through_opus(SOUND_FAULTS["sound_one_channel"](sound, rng, "plain")))
    assert np.median([measure.balance_db for measure in measures]) > 20
    assert np.mean([measure.voice is True for measure in measures]) > 0.5
    assert max(measure.dropouts + measure.clips for measure in measures) == 0


def test_music_is_no_voice_and_no_trouble() -> None:
    measures = scenes.measures_of(through_opus(runs.clean_sound("music", 1, 12)))
    told = {code for _, codes in play(measures, SourceJudge()) for code in codes}
    assert told == set()
    assert np.mean([measure.voice is True for measure in measures]) < 0.2


def test_a_film_that_is_shown_after_a_talk_pauses_and_is_no_dead_microphone() -> None:
    rng = np.random.default_rng(0)
    sound = np.concatenate((scenes.hall(rng, 21, "plain"), scenes.film(rng, 19)), axis=1)
    told = {code for _, codes in play(scenes.measures_of(through_opus(sound)), SourceJudge()) for code in codes}
    assert told == set()
