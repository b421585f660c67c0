"""Reports of studio pages tell causes apart."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.conference.page_reports import InputReport, PageReport, PageState, heard, troubles

NINE = 1_792_400_400_000
LAPEL = InputReport("microphone", device="Lapel", level_db=-20.0, voice=True)
CAMERA = InputReport("camera", device="Camera")
AMBIENT = InputReport("ambient", device="Laptop", level_db=-40.0, voice=True)


class Page:
    """It reports every second."""

    def __init__(self) -> None:
        self.state = PageState()
        self.now_ms = NINE

    def says(self, *inputs: InputReport, seconds: int = 1, running: bool = True, **more: Any) -> Page:
        for _ in range(seconds):
            self.now_ms += 1000
            self.state = heard(self.state, PageReport(inputs, **more), self.now_ms, running=running)
        return self

    def codes(self, *, after_s: float = 0, up: bool = True) -> list[str]:
        found = troubles(self.state, "main", self.now_ms + round(after_s * 1000), up=up, lapel_muted_ms=8000)
        return [one.code for one in found]


def quiet(device: str = "Lapel") -> InputReport:
    return InputReport("microphone", device=device, level_db=-90.0)


def test_a_page_that_is_well_says_nothing() -> None:
    assert Page().codes() == []
    assert Page().says(LAPEL, CAMERA, seconds=20, battery=0.9, charging=False).codes() == []


@pytest.mark.parametrize(
    ("state", "camera", "microphone"),
    [
        ("muted", "camera_power", "sound_dead"),
        ("denied", "camera_permission_lost", "permission_lost"),
        ("unplugged", "camera_unplugged", "device_unplugged"),
        ("ended", "camera_unplugged", "device_unplugged"),
    ],
)
def test_a_device_that_fails_says_how(state: Any, camera: str, microphone: str) -> None:
    bad = InputReport("camera", state, "Camera"), InputReport("microphone", state, "Lapel")
    page = Page().says(LAPEL, CAMERA, seconds=5).says(*bad)
    assert page.codes() == [], "a moment is none"
    assert sorted(page.says(*bad, seconds=3).codes()) == sorted([camera, microphone])
    assert page.says(LAPEL, CAMERA).codes() == []
    off = InputReport("camera", "off"), InputReport("microphone", "off")
    assert page.says(*off, seconds=10).codes() == [], "somebody has turned them off"


@pytest.mark.parametrize(
    ("leaving", "code"), [("", "laptop_asleep"), ("pagehide", "page_closed"), ("freeze", "tab_discarded")]
)
def test_the_last_word_tells_why_the_source_is_gone(leaving: Any, code: str) -> None:
    page = Page().says(LAPEL, CAMERA, seconds=5, leaving=leaving)
    assert page.codes(after_s=60) == [], "its source still comes in"
    assert page.codes(after_s=4, up=False) == [code]
    assert page.codes(after_s=601, up=False) == [], "it is forgotten"
    if leaving == "":
        assert page.codes(after_s=2, up=False) == [], "the page is there: it is the way"


def test_a_report_that_the_last_word_has_overtaken_does_not_take_it_back() -> None:
    page = Page().says(LAPEL, CAMERA, seconds=5).says(LAPEL, CAMERA, leaving="pagehide")
    late = heard(page.state, PageReport((LAPEL, CAMERA)), page.now_ms + 300, running=True)
    assert late == page.state
    assert page.codes(after_s=4, up=False) == ["page_closed"]
    assert page.says(LAPEL, CAMERA).codes(after_s=2, up=False) == [], "it was loaded again"


def test_eight_seconds_of_voice_in_the_room_and_none_in_the_lapel() -> None:
    page = Page().says(LAPEL, AMBIENT, seconds=30)
    assert page.says(quiet(), AMBIENT, seconds=7).codes() == []
    pause = InputReport("ambient", device="Laptop", level_db=-60.0)
    assert page.says(quiet(), pause, seconds=30).codes() == [], "nobody speaks"
    assert page.says(quiet(), AMBIENT, seconds=1).codes() == ["lapel_muted"]
    assert page.says(quiet(), pause, seconds=30).codes() == ["lapel_muted"]
    assert page.says(LAPEL, AMBIENT).codes() == []
    assert Page().says(quiet(), seconds=30).codes() == [], "no other microphone, no proof"


def test_another_microphone_than_in_the_rehearsal() -> None:
    other = InputReport("microphone", device="Laptop", level_db=-20.0, voice=True)
    page = Page().says(quiet("Laptop"), running=False).says(LAPEL, seconds=3, running=False)
    assert page.says(LAPEL).codes() == []
    assert page.says(other).codes() == ["wrong_microphone"]
    chosen = InputReport("microphone", device="Laptop", chosen=True)
    assert page.says(chosen).says(other).codes() == [], "somebody has chosen it"
    assert Page().says(other).codes() == [], "there was no rehearsal"


def test_a_battery_that_runs_out_is_a_warning() -> None:
    page = Page().says(LAPEL, battery=0.12, charging=False)
    (found,) = troubles(page.state, "main", page.now_ms, up=True, lapel_muted_ms=8000)
    assert (found.code, found.level, found.details["percent"]) == ("laptop_battery", "warning", 12)
    assert page.says(LAPEL, battery=0.12, charging=True).codes() == []


def test_the_upload_is_judged_when_the_browser_has_measured_it() -> None:
    page = Page().says(LAPEL, seconds=14, sent_kbps=600, available_kbps=580)
    assert page.state.upload == (None, None)
    assert page.says(LAPEL, sent_kbps=2500, available_kbps=4000).state.upload == (2500, 4000)
    assert page.says(LAPEL, seconds=15, sent_kbps=2500, available_kbps=2600).state.upload == (2500, 2600)
    assert page.says(LAPEL).state.upload == (None, None), "it does not tell any more"
