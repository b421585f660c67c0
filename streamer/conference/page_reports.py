"""Reports of studio pages about their devices and themselves, and the troubles that follow from them. Pure.

A room sees that sound or picture is missing. Only the page knows whether the microphone was unplugged, the camera lost
its power, or the browser took the permission away; and what it said last tells a laptop that sleeps from a tab that was
closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.conference.alarms import Detail, Trouble

STALE_MS = 3_000
"""A page reports every second. One that was not heard of for this long is gone."""
FORGOTTEN_MS = 10 * 60_000
LEFT_MS = 1_000
"""A report that was on its way may come after the page's last word, which goes another way."""
DEVICE_MS = 2_000
"""On-time of troubles with devices: changing one takes a moment."""
MUTED_MS = 2_500
"""On-time of dead sound and a camera without power. The first report of it came up to a second after it."""
LONGEST_STEP_MS = 3_000
UPLOAD_REPORTS = 15
"""The upload is judged by the best of so many reports."""
LAPEL_SILENT_DB = -55.0
BATTERY_LOW = 0.15

InputName = Literal["camera", "microphone", "ambient", "screen", "screen_sound"]
InputState = Literal["live", "off", "muted", "unplugged", "denied", "ended"]
Decibels = Annotated[float, Meta(ge=-200, le=20)]
Kbps = Annotated[float, Meta(ge=0, le=10_000_000)]


class InputReport(msgspec.Struct, frozen=True):
    """One input of a studio page, before mixing. ``ambient``: a microphone that hears the room, for comparison.

    ``live``: it delivers; ``off``: a person has turned it off; ``muted``: the device delivers nothing; ``unplugged``;
    ``denied``: the browser may not use it; ``ended``: for another reason.
    """

    name: InputName
    state: InputState = "live"
    device: Annotated[str, Meta(max_length=200)] = ""
    """The device's name."""
    chosen: bool = False
    """Whether a person has chosen this device in the last seconds."""
    level_db: Decibels | None = None
    """The peak of the last second, dBFS."""
    voice: bool = False
    """Whether somebody spoke in the last second."""
    suppression: bool | None = None
    """Whether the browser suppresses noise; None: unknown."""


@dataclass(frozen=True, slots=True)
class PageReport:
    """A page's report of the source that it sends."""

    inputs: tuple[InputReport, ...] = ()
    visibility: Literal["visible", "hidden"] = "visible"
    leaving: Literal["", "pagehide", "freeze"] = ""
    """The page is being closed, or put to sleep by the browser: the last report."""
    battery: float | None = None
    """From 0 to 1."""
    charging: bool | None = None
    sent_kbps: float | None = None
    available_kbps: float | None = None
    """The browser's own estimate of its upload."""

    def input(self, name: InputName) -> InputReport | None:
        return next((one for one in self.inputs if one.name == name), None)


@dataclass(frozen=True, slots=True)
class PageState:
    """The last known state of the page that sends a source. Times are UTC ms."""

    report: PageReport = field(default_factory=PageReport)
    at_ms: int = 0
    since_ms: tuple[tuple[str, int], ...] = ()
    """Condition -> the time since which it lasts."""
    lapel_quiet_ms: int = 0
    """Voice, ms, that the room's microphone has heard since the lapel microphone heard any."""
    rehearsed: str = ""
    """The microphone that was heard in the rehearsal."""

    available_kbps: tuple[float, ...] = ()
    """The browser's newest estimates of its upload, one a report."""

    @property
    def upload(self) -> tuple[float | None, float | None]:
        """The rate that the page sends at, and the one that it could send at; kbit/s. A browser's estimate begins low,
        and follows what is sent."""
        if len(self.available_kbps) < UPLOAD_REPORTS:
            return None, None
        return self.report.sent_kbps, max(self.available_kbps)

    def since(self, condition: str) -> int | None:
        return dict(self.since_ms).get(condition)


def heard(before: PageState, report: PageReport, at_ms: int, *, running: bool) -> PageState:
    """The state after a report. ``running``: whether a session is on air."""
    if before.report.leaving and not report.leaving and at_ms - before.at_ms < LEFT_MS:
        return before
    lasting = {name: before.since(name) or at_ms for name in _conditions(report)}
    lapel, ambient = report.input("microphone"), report.input("ambient")
    quiet_ms = before.lapel_quiet_ms
    if lapel is None or ambient is None or lapel.state != "live" or _speaks(lapel):
        quiet_ms = 0
    elif ambient.state == "live" and ambient.voice:
        quiet_ms += min(LONGEST_STEP_MS, max(0, at_ms - before.at_ms)) if before.at_ms else 0
    rehearsed = before.rehearsed
    if lapel is not None:
        proven = lapel.state == "live" and (lapel.chosen or (not running and _speaks(lapel)))
        rehearsed = lapel.device if proven or not rehearsed else rehearsed
    told = () if report.available_kbps is None else (report.available_kbps,)
    available = (*before.available_kbps, *told)[-UPLOAD_REPORTS:] if told else ()
    return PageState(report, at_ms, tuple(sorted(lasting.items())), quiet_ms, rehearsed, available)


def troubles(state: PageState, source: str, now_ms: int, *, up: bool, lapel_muted_ms: int) -> Iterator[Trouble]:
    """The troubles that the page explains. ``up``: whether its source comes in. ``lapel_muted_ms``: how much voice the
    lapel microphone may miss."""
    report, age_ms = state.report, now_ms - state.at_ms
    if not state.at_ms or age_ms >= FORGOTTEN_MS:
        return
    if not up and (report.leaving or age_ms >= STALE_MS):
        code = {"pagehide": "page_closed", "freeze": "tab_discarded"}.get(report.leaving, "laptop_asleep")
        yield _trouble(code, state.at_ms, source)
    if age_ms >= STALE_MS or report.leaving:
        return
    for condition, since_ms in state.since_ms:
        code, _, device = condition.partition("=")
        if now_ms - since_ms >= (MUTED_MS if code in ("sound_dead", "camera_power") else DEVICE_MS):
            yield _trouble(code, since_ms, source, **({"device": device} if device else {}))
    lapel = report.input("microphone")
    if state.lapel_quiet_ms >= lapel_muted_ms:
        yield _trouble("lapel_muted", state.at_ms - state.lapel_quiet_ms, source)
    if lapel is not None and lapel.state == "live" and lapel.device and lapel.device != state.rehearsed:
        yield _trouble("wrong_microphone", state.at_ms, source, device=lapel.device, before=state.rehearsed)
    if report.battery is not None and report.charging is False and report.battery <= BATTERY_LOW:
        found = _trouble("laptop_battery", state.at_ms, source, percent=round(report.battery * 100))
        yield replace(found, level="warning")


def _conditions(report: PageReport) -> Iterator[str]:
    camera, lapel = report.input("camera"), report.input("microphone")
    if camera is not None:
        found = {
            "muted": "camera_power",
            "denied": "camera_permission_lost",
            "unplugged": "camera_unplugged",
            "ended": "camera_unplugged",
        }.get(camera.state)
        if found is not None:
            yield f"{found}={camera.device}"
    if lapel is not None:
        found = {
            "muted": "sound_dead",
            "denied": "permission_lost",
            "unplugged": "device_unplugged",
            "ended": "device_unplugged",
        }.get(lapel.state)
        if found is not None:
            yield f"{found}={lapel.device}"


def _speaks(lapel: InputReport) -> bool:
    return lapel.voice or (lapel.level_db is not None and lapel.level_db > LAPEL_SILENT_DB)


def _trouble(code: str, since_ms: int, source: str, **details: Detail) -> Trouble:
    return Trouble(code, since_ms, about=source, details={"source": source, **details})
