"""Faults of the way, of devices and of this server: in packets, in media, in what a page reports, in workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import structs

from streamer.conference.alarm_memory import WAIT_MS
from streamer.conference.page_reports import InputReport, InputState
from tests.day_of_troubles.faults import SEVERITIES
from tests.day_of_troubles.runs import SLACK_S, Run
from tests.day_of_troubles.way import FPS, WATCH_S, FailingEncoder, LiveHall, PacedWorker, Page, clip, silence, virtual
from tests.fakes import virtual_time

BEFORE_S = 12.0
AFTER_S, CLEARS_S = 4.0, 240.0
LATER_S = SLACK_S + WAIT_MS / 1000
"""So much later than its on-time the crew knows of what may be a symptom."""


@dataclass(frozen=True)
class WayFault:
    """``put`` breaks a hall, at a severity. ``code``: what must be told of it. ``lasts_s``: how long it stays;
    ``under_s``: the same just under its threshold, where that is a time."""

    code: str
    put: Callable[[LiveHall, str], None]
    within_s: float
    lasts_s: float = 12.0
    under_s: float | None = None
    page: bool = False


def _of(severity: str, under: float, plain: float, strong: float) -> float:
    return {"under": under, "plain": plain, "strong": strong}[severity]


# --- the way ----------------------------------------------------------------------------------------------


def loss(hall: LiveHall, severity: str) -> None:
    """Packets are lost by chance, as on Wi-Fi that is far away."""
    hall.up.loss = _of(severity, 0.015, 0.08, 0.25)


def jitter(hall: LiveHall, severity: str) -> None:
    """Packets overtake each other: two ways, or a mobile network. Their jitter is a third of it."""
    hall.up.jitter_s = _of(severity, 0.2, 0.45, 0.8)


def round_trip(hall: LiveHall, severity: str) -> None:
    """A queue somewhere holds everything."""
    hall.up.delay_s = hall.down.delay_s = _of(severity, 0.12, 0.3, 0.9)


def narrow(hall: LiveHall, severity: str) -> None:
    """Others use the upload, and the sender goes on at its rate: some 620 kbit/s with its headers."""
    hall.up.kbps = _of(severity, 850.0, 480.0, 250.0)


def starved(hall: LiveHall, severity: str) -> None:
    """The sender adapts to an upload with less than is asked for: 300 kbit/s at least, of which 70 % are enough."""
    hall.clip = clip(hall.seed, kbps=round(_of(severity, 245, 150, 80)))


# --- the sender -------------------------------------------------------------------------------------------


def few_frames(hall: LiveHall, severity: str) -> None:
    """A camera in the dark, or a computer that is too slow."""
    hall.clip = clip(hall.seed, fps=_of(severity, 14.0, 9.0, 4.0))


def rare_keys(hall: LiveHall, severity: str) -> None:
    """An encoder with another interval, which gives no key frame when it is asked."""
    hall.clip = replace(clip(hall.seed, gop_s=_of(severity, 4.0, 8.0, 12.0)), answers=False)


def broken_pictures(hall: LiveHall, severity: str) -> None:
    """The sender's encoder makes slices that no decoder can read: some of each, or (strong) all but their begin."""
    rng = np.random.default_rng([hall.seed, 47])

    def garbled(data: bytes) -> bytes:
        kept = data.rindex(b"\0\0\0\1") + (8 if severity == "strong" else 400)
        return data[:kept] + rng.bytes(max(0, len(data) - kept)).replace(b"\0\0", b"\1\1")

    hall.garble = garbled


def no_picture(hall: LiveHall, severity: str) -> None:
    hall.camera_on = False


def no_sound(hall: LiveHall, severity: str) -> None:
    hall.sound_on = False


# --- devices and pages ------------------------------------------------------------------------------------


def _camera(state: InputState) -> Callable[[LiveHall, str], None]:
    def put(hall: LiveHall, severity: str) -> None:
        assert hall.page is not None
        hall.page.camera = structs.replace(hall.page.camera, state=state)
        hall.camera_on = False

    return put


def _microphone(state: InputState) -> Callable[[LiveHall, str], None]:
    """The page mixes on: what it sends is silence, or nothing at all."""

    def put(hall: LiveHall, severity: str) -> None:
        assert hall.page is not None
        hall.page.microphone = structs.replace(hall.page.microphone, state=state, level_db=None, voice=False)
        if severity == "strong":
            hall.sound_on = False
        else:
            hall.sound = silence()

    return put


def lapel_muted(hall: LiveHall, severity: str) -> None:
    """The lapel's switch is off, and the room's microphone hears somebody speak."""
    assert hall.page is not None
    level_db = -90.0 if severity == "strong" else -62.0
    hall.page.microphone = structs.replace(hall.page.microphone, level_db=level_db, voice=False)
    hall.page.ambient = InputReport("ambient", device="Room", level_db=-30.0, voice=True)


def wrong_microphone(hall: LiveHall, severity: str) -> None:
    """The browser takes another device. Under: a person has chosen it."""
    assert hall.page is not None
    other = structs.replace(hall.lapel, device="Webcam")
    if severity == "under":
        hall.lapel, other = other, structs.replace(other, chosen=True)
    hall.page.microphone = other


def asleep(hall: LiveHall, severity: str) -> None:
    """The lid is shut, or (strong) the network is gone."""
    hall.up.dead = True
    hall.camera_on = hall.sound_on = severity == "strong"


def left(reason: str) -> Callable[[LiveHall, str], None]:
    def put(hall: LiveHall, severity: str) -> None:
        hall.alarms.page_reports.leave(hall.day, "main", reason, hall.room.time_ms())  # type: ignore[arg-type]
        hall.up.dead, hall.camera_on, hall.sound_on = True, False, False

    return put


# --- this server ------------------------------------------------------------------------------------------


def slow_encoder(hall: LiveHall, severity: str) -> None:
    """Other rooms take the processor. A picture has 42 ms."""
    PacedWorker.paces = {"worker": _of(severity, 0.85, 1.3, 3.0) / FPS}


def slow_decoder(hall: LiveHall, severity: str) -> None:
    PacedWorker.paces = {"feed": _of(severity, 0.85, 1.3, 3.0) / FPS}


def failing_encoder(hall: LiveHall, severity: str) -> None:
    FailingEncoder.refuses, FailingEncoder.opens = True, severity != "strong"


WAY_FAULTS: dict[str, WayFault] = {
    "packets lost": WayFault("upload_weak", loss, 5.0),
    "packets late": WayFault("upload_weak", jitter, 5.0),
    "long round trip": WayFault("upload_weak", round_trip, 5.0),
    "narrow upload": WayFault("upload_weak", narrow, 5.0),
    "starved upload": WayFault("upload_weak", starved, 5.0),
    "few frames": WayFault("frames_few", few_frames, 10 + LATER_S, 18.0),
    # The first interval that is too long has to be over.
    "rare key frames": WayFault("keyframes_rare", rare_keys, 30 + 4.5 + LATER_S, 46.0),
    "broken pictures": WayFault("picture_broken", broken_pictures, 5 + LATER_S, under_s=4.0),
    "no picture": WayFault("picture_frozen", no_picture, 10 + LATER_S, 18.0, under_s=8.0),
    "no sound": WayFault("sound_dead", no_sound, 5.0, under_s=2.0),
    "camera without power": WayFault("camera_power", _camera("muted"), 3 + LATER_S, under_s=2.0, page=True),
    "camera unplugged": WayFault("camera_unplugged", _camera("unplugged"), 2 + LATER_S, under_s=1.0, page=True),
    "camera denied": WayFault("camera_permission_lost", _camera("denied"), 2 + LATER_S, under_s=1.0, page=True),
    "microphone unplugged": WayFault("device_unplugged", _microphone("unplugged"), 2 + LATER_S, under_s=1.0, page=True),
    "microphone denied": WayFault("permission_lost", _microphone("denied"), 2 + LATER_S, under_s=1.0, page=True),
    "microphone muted": WayFault("sound_dead", _microphone("muted"), 5.0, under_s=2.0, page=True),
    "lapel muted": WayFault("lapel_muted", lapel_muted, 8 + LATER_S, 16.0, under_s=6.0, page=True),
    "wrong microphone": WayFault("wrong_microphone", wrong_microphone, LATER_S, page=True),
    "laptop asleep": WayFault("laptop_asleep", asleep, 3 + SLACK_S, under_s=0.7, page=True),
    "tab discarded": WayFault("tab_discarded", left("freeze"), SLACK_S, under_s=0.7, page=True),
    "page closed": WayFault("page_closed", left("pagehide"), SLACK_S, under_s=0.7, page=True),
    "slow encoder": WayFault("encoder_slow", slow_encoder, 5 + LATER_S, 20.0),
    "slow decoder": WayFault("encoder_slow", slow_decoder, 5 + LATER_S, 20.0),
    "failing encoder": WayFault("encoder_slow", failing_encoder, 5 + LATER_S, under_s=3.0),
}


def run_way(name: str, severity: str, seed: int, before_s: float = BEFORE_S) -> Run:
    """A talk on air, a fault, and the same talk without it until nothing is told any more. Times are those at which
    the crew is told, a second after the room's rules where a symptom waits for its cause."""
    fault = WAY_FAULTS[name]
    made = Run(name, severity, seed, within_s=fault.within_s)
    lasts_s = fault.under_s if severity == "under" and fault.under_s is not None else fault.lasts_s

    async def main(loop: virtual_time.VirtualLoop) -> None:
        with virtual(loop):
            hall = LiveHall(loop, seed, Page() if fault.page else None)
            await hall.connect()
            await asyncio.sleep(before_s)
            fault.put(hall, severity)
            await asyncio.sleep(lasts_s)
            hall.heal()
            last, healed_s = hall.changes[-1][1], hall.now_s
            while hall.changes[-1][1] or hall.now_s < healed_s + AFTER_S:
                await asyncio.sleep(0.5)
                if hall.now_s > healed_s + CLEARS_S:
                    break
            await hall.close()
            for at_s, codes in hall.changes:
                for code in codes:
                    made.told_s.setdefault(code, at_s - before_s)
            if made.told_s and not hall.changes[-1][1]:
                made.cleared_s = hall.changes[-1][0] - healed_s
            made.wrong = _wrong(made, fault, last, hall.rings)

    virtual_time.run(main)
    return made


def _wrong(made: Run, fault: WayFault, last: frozenset[str], rings: Sequence[str]) -> str:
    """``last``: what was told when the fault ended. A symptom whose cause took its place is no other ring."""
    if made.severity == "under":
        return f"rings: {', '.join(rings)}" if rings else ""
    if last != {fault.code}:
        return f"is told as {', '.join(sorted(last)) or 'nothing'}"
    if len(rings) > 1:
        return f"rings {len(rings)} times: {', '.join(rings)}"
    if made.told_s[fault.code] > made.within_s + WATCH_S:
        return f"late: {made.told_s[fault.code]:.1f} s of {made.within_s:.1f}"
    return "" if made.cleared_s is not None else "does not clear"


def all_way_runs(names: Sequence[str], seeds: Sequence[int]) -> Iterator[Run]:
    for name in names:
        for severity in SEVERITIES:
            for seed in seeds:
                yield run_way(name, severity, seed)
