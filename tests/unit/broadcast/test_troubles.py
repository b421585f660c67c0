"""Rules of troubles over measures, in virtual time: on-times, windows, clearing, hysteresis, what hides what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import pytest

from streamer.broadcast.measures import PictureMeasure, SoundMeasure, WayMeasure
from streamer.broadcast.troubles import ON_TIMES_S, SourceJudge

TALK = SoundMeasure(0, level=-22.0, lowest=-50.0, peak=-8.0, loudness=-22.0, voice=True)
PAUSE = SoundMeasure(0, level=-49.0, lowest=-50.0, peak=-40.0, loudness=-52.0, voice=False)
MUTED = SoundMeasure(0, voice=False)
HALL = PictureMeasure(0, mean=0.4, brightest=0.9, contrast=0.7, deviation=0.15, still=False)
WAY = WayMeasure(0, video_kbps=2500.0, asked_kbps=300.0, frame_rate=30.0, keyframe_s=2.0)
START_MS = 1_000_000
KINDS = ("camera", "slides", "mixed", "")


class Timeline:
    """Plays measures to a judge, and notes the seconds at which a trouble is told and is not any more."""

    def __init__(self, judge: SourceJudge | None = None) -> None:
        self.judge = judge or SourceJudge()
        self.now_ms = START_MS
        self.told: dict[str, float] = {}
        self.cleared: dict[str, float] = {}

    @property
    def at_s(self) -> float:
        return (self.now_ms - START_MS) / 1000

    @property
    def codes(self) -> set[str]:
        return {trouble.code for trouble in self.judge.troubles()}

    def since_s(self, code: str) -> float:
        found = next(trouble for trouble in self.judge.troubles() if trouble.code == code)
        return (found.since_ms - START_MS) / 1000

    def sound(self, seconds: float, *measures: SoundMeasure) -> Timeline:
        """The measures in turn, a tenth of a second each."""
        for _, one in zip(range(round(seconds * 10)), cycle(measures), strict=False):
            self._step(100, lambda at, one=one: self.judge.sound(replace(one, at_ms=at)))
        return self

    def pictures(self, seconds: float, *measures: PictureMeasure) -> Timeline:
        for _, one in zip(range(round(seconds * 4)), cycle(measures), strict=False):
            self._step(250, lambda at, one=one: self.judge.picture(replace(one, at_ms=at)))
        return self

    def ways(self, seconds: float, measure: WayMeasure) -> Timeline:
        for _ in range(round(seconds * 2)):
            self._step(500, lambda at: self.judge.way(replace(measure, at_ms=at)))
        return self

    def nothing(self, seconds: float, *, sound: bool = False, picture: bool = False) -> Timeline:
        """Packets of the named tracks come, of the others none any more; nobody decodes."""
        last = self.now_ms
        for _ in range(round(seconds * 10)):
            self._step(
                100,
                lambda at: self.judge.no_packets(
                    at, sound_ms=at if sound else last, picture_ms=at if picture else last
                ),
            )
        return self

    def _step(self, step_ms: int, play: Callable[[int], object]) -> None:
        before = self.codes
        self.now_ms += step_ms
        play(self.now_ms)
        after = self.codes
        for code in after - before:
            self.told.setdefault(code, self.at_s)
        for code in before - after:
            self.cleared[code] = self.at_s


def speaking(seconds: float = 30.0) -> Timeline:
    """A source whose noise is known."""
    timeline = Timeline()
    return timeline.sound(seconds, TALK, TALK, TALK, PAUSE)


# --- sound ------------------------------------------------------------------------------------------------


def test_a_muted_microphone_is_dead_after_five_seconds_and_well_ten_seconds_after_it_is_back() -> None:
    timeline = speaking()
    timeline.sound(4.6, MUTED)
    assert timeline.codes == set()
    timeline.sound(20, MUTED)
    assert timeline.told == {"sound_dead": 34.8}, "silence is the symptom, and stays unsaid"
    assert timeline.since_s("sound_dead") == 30.0
    timeline.sound(9.8, TALK)
    assert timeline.codes == {"sound_dead"}
    timeline.sound(0.4, TALK)
    assert timeline.codes == set()


def test_a_source_that_was_never_heard_is_silent_not_dead() -> None:
    timeline = Timeline().sound(16, MUTED)
    assert timeline.told == {"sound_silent": 15.0}
    assert timeline.since_s("sound_silent") == 0.0
    timeline.sound(44.9, TALK)
    assert timeline.codes == {"sound_silent"}, "clearing takes three times fifteen seconds"
    timeline.sound(0.2, TALK)
    assert timeline.codes == set()


def test_a_pause_in_a_room_that_is_heard_is_no_silence() -> None:
    still = replace(PAUSE, level=-64.0, lowest=-66.0, peak=-61.0)
    timeline = Timeline().sound(30, TALK, TALK, still).sound(60, still)
    assert timeline.told == {}


def test_behind_a_noise_gate_nobody_knows_the_noise_so_that_a_pause_rings_nothing_before_fifteen_seconds() -> None:
    shut = replace(MUTED, level=-115.0, lowest=-118.0, peak=-110.0)
    timeline = Timeline().sound(60, TALK, TALK, TALK, shut)
    assert timeline.judge.noise.level is None
    timeline.sound(12, shut)
    assert timeline.told == {}


def test_a_sender_that_suppresses_noise_is_dead_by_its_packets_only() -> None:
    timeline = Timeline(SourceJudge(suppressed=True)).sound(30, TALK, TALK, PAUSE).sound(10, MUTED)
    assert "sound_dead" not in timeline.told
    timeline.nothing(4, picture=True)
    assert timeline.codes == {"sound_dead"}


def test_no_packets_of_sound_are_dead_sound_while_the_picture_comes() -> None:
    timeline = speaking().nothing(5, picture=True)
    assert timeline.told == {"sound_dead": pytest.approx(33.0, abs=0.15)}
    assert timeline.since_s("sound_dead") == 30.0
    timeline.sound(11, TALK)
    assert timeline.codes == set()
    assert speaking().nothing(20).told == {}, "where nothing comes at all the source is gone: another tells it"


def test_packets_that_come_again_clear_dead_sound_though_nobody_listens() -> None:
    timeline = speaking().nothing(5, picture=True).nothing(12, sound=True, picture=True)
    assert timeline.codes == set()


def test_a_source_that_never_sent_sound_is_not_dead() -> None:
    judge = SourceJudge()
    for at in range(0, 60_000, 100):
        judge.no_packets(START_MS + at, sound_ms=None, picture_ms=START_MS + at)
    assert judge.troubles() == []


def test_the_programme_s_level_is_judged_after_gain() -> None:
    judge = SourceJudge()
    for index in range(110):
        judge.level(START_MS + index * 100, -35.0, -20.0, voice=True)
    assert [trouble.code for trouble in judge.troubles()] == ["sound_quiet"]
    source = SourceJudge()
    for index in range(300):
        source.sound(replace(TALK, at_ms=START_MS + index * 100, loudness=-35.0), level_judged=False)
    assert source.troubles() == []


def test_three_clips_in_ten_seconds_and_none_for_thirty() -> None:
    clip = replace(TALK, clips=1)
    timeline = speaking().sound(0.1, clip).sound(6, TALK).sound(0.1, clip).sound(6, TALK).sound(0.1, clip)
    assert timeline.codes == set(), "two in ten seconds"
    timeline.sound(2, TALK).sound(0.1, clip)
    assert timeline.codes == {"sound_clipping"}
    assert timeline.since_s("sound_clipping") == pytest.approx(36.2, abs=0.1)
    timeline.sound(29.8, TALK)
    assert timeline.codes == {"sound_clipping"}
    timeline.sound(0.3, TALK)
    assert timeline.codes == set()


def test_three_gaps_in_half_a_minute_of_speech_are_dropouts() -> None:
    gap = replace(TALK, dropouts=1)
    timeline = speaking().sound(0.1, gap).sound(14, TALK).sound(0.1, gap).sound(14, TALK).sound(0.1, gap)
    assert timeline.codes == {"sound_dropouts"}
    beep = replace(gap, voice=False)
    assert Timeline().sound(60, beep).told == {}
    # Breaks hide the voice.
    timeline = speaking()
    for _ in range(3):
        timeline.sound(6, replace(TALK, voice=False)).sound(0.1, beep).sound(1, TALK)
    assert timeline.codes == {"sound_dropouts"}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("sound_one_channel", {"balance_db": 35.0, "mid_db": -3.0}),
        ("sound_polarity", {"mid_db": -40.0}),
        ("sound_hum", {"hum_db": -45.0, "hum_hz": 50.0}),
        ("sound_howl", {"tone_db": -20.0, "tone_hz": 2000.0}),
    ],
)
def test_what_lasts_twenty_seconds_through_pauses_is_told_and_clears_in_a_minute(code: str, change: dict) -> None:  # type: ignore[type-arg]
    bad = replace(TALK, **change)
    early_s = 4.0 if code in ("sound_hum", "sound_howl") else 0.0
    timeline = speaking().sound(19.5 - early_s, bad)
    assert timeline.codes == set()
    timeline.sound(2, bad)
    assert timeline.codes == {code}
    assert timeline.since_s(code) == pytest.approx(30.0 - early_s, abs=0.2)
    timeline.sound(59.5, TALK)
    assert timeline.codes == {code}
    timeline.sound(1, TALK)
    assert timeline.codes == set()


def test_a_pause_after_music_is_not_dead_and_a_cable_that_is_pulled_then_is() -> None:
    music = replace(TALK, level=-14.0, lowest=-27.0, voice=False)
    timeline = speaking().sound(240, music).sound(12, PAUSE)
    assert timeline.told == {}
    assert set(timeline.sound(5, MUTED).told) == {"sound_dead"}


def test_a_hum_that_words_hide_now_and_then_was_there_all_the_time() -> None:
    hum = replace(TALK, hum_db=-45.0, hum_hz=50.0)
    timeline = speaking()
    for _ in range(12):
        timeline.sound(2, hum).sound(1.5, TALK)
    # Of 20 s four lay behind it when it was found.
    assert timeline.told == {"sound_hum": pytest.approx(47.5, abs=0.3)}
    timeline = speaking()
    for _ in range(12):
        timeline.sound(2, hum).sound(13, TALK)
    assert timeline.told == {}
    timeline = speaking()
    for _ in range(5):
        timeline.sound(4, hum).sound(2.5, TALK)
    assert timeline.told == {"sound_hum": pytest.approx(46.0, abs=0.3)}
    # The hum hides the voice from its detector, too.
    muffled, unheard = replace(hum, voice=False), replace(TALK, voice=False)
    hidden = speaking()
    for _ in range(5):
        hidden.sound(0.5, TALK).sound(2, muffled).sound(1.5, unheard).sound(2, muffled).sound(1.4, unheard)
    assert hidden.told == {"sound_hum": pytest.approx(46.6, abs=0.3)}
    # A bass comes and goes by itself.
    timeline = speaking()
    for _ in range(20):
        timeline.sound(1, replace(hum, voice=False)).sound(1.9, replace(TALK, voice=False))
    assert timeline.told == {}


def test_pauses_do_not_hide_a_lost_channel_and_short_faults_are_none() -> None:
    bad = replace(TALK, balance_db=40.0)
    hushed = replace(PAUSE, balance_db=0.0)
    timeline = speaking()
    for _ in range(12):
        timeline.sound(1.5, bad).sound(0.5, hushed)
    assert timeline.told == {"sound_one_channel": pytest.approx(50.0, abs=1.0)}
    timeline = speaking()
    for _ in range(12):
        timeline.sound(8, bad).sound(5, TALK)
    assert timeline.told == {}


def test_a_melody_is_no_howl_and_a_howl_is_not_loud() -> None:
    timeline = speaking()
    for index in range(40):
        timeline.sound(4, replace(TALK, tone_db=-20.0, tone_hz=400.0 + 30 * (index % 7)))
    assert timeline.told == {}
    timeline = speaking().sound(30, replace(TALK, tone_db=-10.0, tone_hz=900.0, loudness=-8.0, clips=1))
    assert set(timeline.told) == {"sound_howl"}


# --- picture ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "change", "kinds"),
    [
        (
            "picture_black",
            {"mean": 0.0, "brightest": 0.01, "deviation": 0.001, "still": True},
            KINDS,
        ),
        ("picture_flat", {"deviation": 0.0, "contrast": 0.0, "still": True}, KINDS),
        ("picture_frozen", {"still": True}, ("camera",)),
        ("picture_dark", {"mean": 0.05, "brightest": 0.2}, ("camera",)),
        ("picture_washed_out", {"contrast": 0.1}, ("camera",)),
    ],
)
def test_pictures(code: str, change: dict, kinds: tuple[str, ...]) -> None:  # type: ignore[type-arg]
    on_s = ON_TIMES_S[code]
    for kind in KINDS:
        timeline = Timeline(SourceJudge(kind=kind)).pictures(10, HALL)
        bad = replace(HALL, **change)
        timeline.pictures(on_s - 0.5, bad)
        assert timeline.codes == set()
        timeline.pictures(2, bad)
        if kind not in kinds:
            assert code not in timeline.told
            continue
        assert timeline.codes == {code}, kind
        assert timeline.since_s(code) == pytest.approx(10.0, abs=0.3)
        clear_s = max(10.0, 3 * on_s)
        timeline.pictures(clear_s - 0.5, HALL)
        assert timeline.codes == {code}
        timeline.pictures(1.5, HALL)
        assert timeline.codes == set()


def test_a_frozen_camera_is_found_through_the_noise_of_key_frames_and_an_empty_stage_is_not_frozen() -> None:
    still, noise = replace(HALL, still=True), replace(HALL, still=None)
    frozen = Timeline(SourceJudge(kind="camera")).pictures(5, HALL).pictures(11, *[still] * 7, noise)
    assert frozen.told == {"picture_frozen": pytest.approx(15.0, abs=0.3)}
    empty = Timeline(SourceJudge(kind="camera")).pictures(120, still, noise, noise, noise)
    assert empty.told == {}
    nodding = Timeline(SourceJudge(kind="camera")).pictures(120, *[still] * 30, HALL)
    assert nodding.told == {}


def test_a_noisy_camera_is_frozen_where_its_noise_is_gone_and_an_empty_stage_keeps_it() -> None:
    speaker = [replace(HALL, noise=2.0), replace(HALL, still=None, noise=1.6)]
    frozen = [replace(HALL, still=None, noise=noise) for noise in (1.9, 0.7, 0.9, 0.6, 0.3, 0.2)]
    timeline = Timeline(SourceJudge(kind="camera")).pictures(10, *speaker).pictures(12, *frozen)
    assert timeline.told == {"picture_frozen": pytest.approx(20.0, abs=0.3)}
    empty = Timeline(SourceJudge(kind="camera")).pictures(10, *speaker)
    assert empty.pictures(120, *[replace(HALL, still=None, noise=noise) for noise in (1.1, 1.6, 2.0)]).told == {}
    # A small noise hardly differs from none, but it is there.
    clean = Timeline(SourceJudge(kind="camera")).pictures(10, *[replace(one, noise=0.2) for one in speaker])
    assert clean.pictures(120, replace(HALL, still=True, noise=0.2)).told == {}
    assert clean.pictures(12, replace(HALL, still=True, noise=0.05)).codes == {"picture_frozen"}


def test_an_encoder_that_gets_fewer_bits_takes_noise_away_and_the_next_movement_shows_how_much() -> None:
    timeline = Timeline(SourceJudge(kind="camera")).pictures(30, replace(HALL, noise=3.0))
    timeline.pictures(60, replace(HALL, still=None, noise=1.0)).pictures(60, replace(HALL, noise=0.6))
    assert timeline.pictures(60, replace(HALL, still=None, noise=0.6)).told == {}


def test_after_a_cut_to_another_camera_its_noise_is_learnt_anew() -> None:
    timeline = Timeline(SourceJudge(kind="camera")).pictures(30, replace(HALL, noise=3.0))
    timeline.pictures(0.25, replace(HALL, noise=40.0))
    assert timeline.pictures(60, replace(HALL, still=None, noise=0.5)).told == {}
    timeline.pictures(5, replace(HALL, noise=0.5))
    assert timeline.pictures(12, replace(HALL, still=None, noise=0.2)).codes == {"picture_frozen"}


def test_key_frames_alone_have_another_noise_which_is_not_learnt() -> None:
    judge = SourceJudge(kind="camera")
    for at_ms in range(0, 120_000, 2000):
        judge.picture(replace(HALL, at_ms=START_MS + at_ms, noise=3.0))
    for at_ms in range(120_000, 240_000, 250):
        judge.picture(replace(HALL, at_ms=START_MS + at_ms, still=None, noise=0.7))
    assert judge.troubles() == []


def test_behind_haze_as_in_the_dark_a_picture_is_not_judged_for_stillness() -> None:
    for code, change in ("picture_washed_out", {"contrast": 0.1}), ("picture_dark", {"mean": 0.05, "brightest": 0.2}):
        timeline = (
            Timeline(SourceJudge(kind="camera")).pictures(5, HALL).pictures(60, replace(HALL, still=True, **change))
        )
        assert timeline.codes == {code}


def test_a_camera_that_sends_no_pictures_any_more_is_frozen() -> None:
    timeline = Timeline(SourceJudge(kind="camera")).pictures(5, HALL).nothing(11, sound=True)
    assert timeline.told == {"picture_frozen": pytest.approx(15.0, abs=0.3)}


def test_key_frames_alone_tell_a_black_picture() -> None:
    judge = SourceJudge()
    black = replace(HALL, mean=0.0, brightest=0.0, deviation=0.0, still=True)
    told = []
    for second in range(0, 20, 2):
        judge.picture(replace(black if second >= 6 else HALL, at_ms=START_MS + second * 1000))
        told += [(second, trouble.since_ms - START_MS) for trouble in judge.troubles()]
    assert told[0] == (10, 6000)


# --- way --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"lost": 0.06}, {"jitter_ms": 150.0}, {"queued_ms": 200.0}, {"round_trip_ms": 900.0}, {"video_kbps": 150.0}],
)
def test_a_weak_upload_is_told_within_five_seconds(change: dict) -> None:  # type: ignore[type-arg]
    timeline = Timeline().ways(10, WAY).ways(5, replace(WAY, **change))
    assert timeline.told == {"upload_weak": pytest.approx(13.0, abs=0.6)}
    assert timeline.cleared == {}
    timeline.ways(11, WAY)
    assert timeline.codes == set()


def test_a_camera_that_was_away_did_not_stand_meanwhile() -> None:
    timeline = Timeline(SourceJudge(kind="camera")).pictures(5, HALL)
    timeline.now_ms += 12_000
    timeline.pictures(9, replace(HALL, still=True))
    assert timeline.told == {}


@pytest.mark.parametrize("back", ["sound", "picture"])
def test_a_track_that_comes_back_before_the_other_was_not_missing_while_both_were_gone(back: str) -> None:
    timeline = Timeline(SourceJudge(kind="camera")).nothing(12)
    judge, gone_ms = timeline.judge, START_MS
    for _ in range(25):
        timeline._step(
            100, lambda at: judge.no_packets(at, **{"sound_ms": gone_ms, "picture_ms": gone_ms, f"{back}_ms": at})
        )
    assert timeline.told == {}


def test_where_no_picture_comes_at_all_the_upload_is_not_weak() -> None:
    gone = replace(WAY, video_kbps=0.0, frame_rate=0.0)
    assert Timeline().ways(10, WAY).ways(30, gone).told == {}
    assert Timeline().ways(10, WAY).ways(5, replace(gone, video_kbps=150.0)).codes == {"upload_weak"}


def test_a_way_between_both_thresholds_keeps_what_is_told_and_begins_nothing() -> None:
    middle = replace(WAY, lost=0.02)
    assert Timeline().ways(60, middle).told == {}
    assert Timeline().ways(5, replace(WAY, lost=0.1)).ways(60, middle).codes == {"upload_weak"}


def test_few_frames_are_a_camera_s_trouble_and_rare_key_frames_are_never_guessed() -> None:
    few = replace(WAY, frame_rate=5.0)
    assert Timeline(SourceJudge(kind="camera")).ways(20, few).codes == {"frames_few"}
    assert Timeline(SourceJudge(kind="slides")).ways(20, few).codes == set()
    assert Timeline().ways(40, replace(WAY, keyframe_s=8.0)).codes == {"keyframes_rare"}
    assert Timeline().ways(40, replace(WAY, keyframe_s=None)).codes == set()


def test_an_encoder_that_does_not_keep_up_is_named_with_its_renditions() -> None:
    judge = SourceJudge()
    for index in range(60):
        judge.encoder(START_MS + index * 100, 100, "v720:half")
    assert [(found.code, found.details) for found in judge.troubles()] == [
        ("encoder_slow", {"renditions": "v720:half"})
    ]


# --- settings ---------------------------------------------------------------------------------------------


def test_on_times_are_settings_and_may_change_while_it_runs() -> None:
    timeline = Timeline(SourceJudge({"sound_dead": 6.0, "unknown": 1.0})).sound(30, TALK, TALK, PAUSE).sound(5, MUTED)
    assert timeline.codes == set()
    timeline.judge.follow({"sound_dead": 2.0}, kind="camera", suppressed=False)
    timeline.sound(0.1, MUTED)
    assert timeline.codes == {"sound_dead"}
    assert timeline.judge.kind == "camera"


def test_another_sender_begins_without_a_past() -> None:
    timeline = speaking().sound(5, MUTED)
    timeline.judge.gone()
    assert timeline.codes == set()
    assert timeline.judge.noise.level is None


def test_what_was_found_last() -> None:
    timeline = speaking()
    timeline.pictures(1, HALL)
    judge = timeline.judge
    assert judge.loudness == pytest.approx(-22.0, abs=0.1)
    assert judge.voice_ms is not None
    assert START_MS + 29_000 < judge.voice_ms <= START_MS + 30_000
    assert judge.heard_ms == judge.voice_ms
    assert judge.moved_ms == timeline.now_ms
