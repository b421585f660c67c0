"""The WHEP relay: a real relay process, and a viewer (aiortc) that decodes what comes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from streamer.control import process_files, run_folder
from streamer.control.messages import Answer, Candidates, Offer
from streamer.errors import StreamerError
from streamer.formats.types import AccessUnit
from streamer.room.relay import Relay
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import LOOPBACK, IceBinding
from streamer.rtc.receiver import EncodedReceiver
from streamer.settings import Settings
from tests.fakes.encoded import FPS, GREYS, h264_seconds, opus_second
from tests.fakes.waiting import LIMIT_S, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKS = 90_000


class Stage:
    """A relay that is fed in real time by a made-up programme."""

    def __init__(
        self, tmp_path: Path, *, whep: dict[str, float] | None = None, idle_s: float = 60.0, feed: str = "public"
    ) -> None:
        self.feed = feed
        self.settings = Settings.model_validate({"data": tmp_path, "whep": whep or {"max_viewers": 3}})
        run_folder.make_run_dir(self.settings.run_dir)
        process_files.write_settings(self.settings)
        self.keyframes_wanted = 0
        self.relay = Relay("main", self.settings, on_keyframe_wanted=self._wanted, idle_s=idle_s)
        self._task = asyncio.create_task(self._play())

    def _wanted(self) -> None:
        self.keyframes_wanted += 1

    @property
    def pid(self) -> int:
        process = self.relay._process
        assert process is not None
        return process._child.pid

    async def _play(self) -> None:
        video, audio = h264_seconds(), opus_second()
        loop = asyncio.get_running_loop()
        began, frames, packets = loop.time(), 0, 0
        while True:
            elapsed = loop.time() - began
            while frames <= elapsed * FPS:
                data, idr = video[frames % len(video)]
                if self.feed == "public" or self.relay.wants(self.feed):
                    self.relay.push_video(data, frames * TICKS // FPS, idr, feed=self.feed)
                frames += 1
            while packets <= elapsed * 50:
                if self.feed == "public" or self.relay.wants(self.feed):
                    self.relay.push_audio(audio[packets % len(audio)], packets * TICKS // 50, feed=self.feed)
                packets += 1
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.relay.close()


class Watcher:
    """A WHEP player on aiortc."""

    def __init__(self) -> None:
        self.pc = RTCPeerConnection()
        self.pictures: list[tuple[float, float]] = []
        """(loop time, mean luma)"""
        self.peaks: list[int] = []
        self.frequencies: list[float] = []
        self.answer: Answer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def offer(self, kinds: tuple[str, ...] = ("audio", "video")) -> str:
        self.pc = hooks.new_peer(bundle=True)
        for kind in kinds:
            self.pc.addTransceiver(kind, direction="recvonly")
        self.pc.on("track", lambda track: self._tasks.append(asyncio.create_task(self._watch(track))))
        hooks.bind(self.pc, IceBinding(addresses=(LOOPBACK,)))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def play(self, relay: Relay, kinds: tuple[str, ...] = ("audio", "video"), offer: Offer | None = None) -> None:
        sdp = await self.offer(kinds)
        asked = offer or Offer(kind="play", sdp="")
        asked.sdp = sdp
        self.answer = await relay.offer(asked)
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer.sdp, "answer"))

    async def _watch(self, track: object) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()  # type: ignore[attr-defined]
                samples = frame.to_ndarray()
                if track.kind == "video":  # type: ignore[attr-defined]
                    self.pictures.append((loop.time(), float(samples[: frame.height].mean())))
                else:
                    left = samples.reshape(-1)[::2].astype(float)
                    self.peaks.append(int(np.abs(left).max()))
                    self.frequencies.append(float(np.sum(left[1:] * left[:-1] < 0)) * 25)

    async def close(self) -> None:
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    await stage.close()


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_stage: Stage) -> Stage:
    """One for all tests: it costs a process. Those before have gone, also those that never connected."""
    await until(lambda: shared_stage.relay.viewers == 0 and not shared_stage.relay.wants("public"))
    return shared_stage


@pytest_asyncio.fixture(loop_scope="module")
async def watcher() -> AsyncIterator[Watcher]:
    watcher = Watcher()
    yield watcher
    await watcher.close()


async def test_a_viewer_sees_and_hears_the_programme(stage: Stage, watcher: Watcher) -> None:
    wanted = stage.keyframes_wanted
    await watcher.play(stage.relay)
    await until(lambda: watcher.pictures and watcher.peaks)
    # It begins with the pictures since the last IDR: no waiting for the next one, no request to the camera.
    assert stage.keyframes_wanted == wanted
    await until(lambda: len(watcher.pictures) > 75)
    greys = {min(GREYS, key=lambda grey: abs(grey - luma)) for _, luma in watcher.pictures[-70:]}
    assert len(greys) >= 2
    assert all(min(abs(grey - luma) for grey in GREYS) < 4 for _, luma in watcher.pictures[5:])
    await until(lambda: len(watcher.peaks) > 100)
    assert 6000 < max(watcher.peaks[50:]) < 10_000
    assert abs(sorted(watcher.frequencies[50:])[len(watcher.frequencies[50:]) // 2] - 440) < 30
    assert stage.relay.viewers == 1
    assert stage.relay.wants("public")
    assert not stage.relay.wants("source/spare")
    await until(lambda: stage.relay.counters.get("whep_packets_total", 0) > 100)


async def test_sound_and_pictures_alone(stage: Stage) -> None:
    ears, eyes = Watcher(), Watcher()
    await ears.play(stage.relay, ("audio",))
    await eyes.play(stage.relay, ("video",))
    await until(lambda: ears.peaks and eyes.pictures)
    await ears.close()
    await eyes.close()


async def test_viewers_are_bounded_and_hanging_up_makes_room(stage: Stage) -> None:
    watchers = [Watcher() for _ in range(4)]
    for watcher in watchers[:3]:
        await watcher.play(stage.relay)
    with pytest.raises(StreamerError) as caught:
        await watchers[3].play(stage.relay)
    assert (caught.value.code, caught.value.status) == ("too_many_viewers", 503)
    assert caught.value.headers == {"Retry-After": "5"}
    assert watchers[0].answer is not None
    await until(lambda: stage.relay.viewers == 3)
    await stage.relay.hangup(watchers[0].answer.resource)
    await until(lambda: stage.relay.viewers == 2)
    with pytest.raises(StreamerError) as caught:
        await stage.relay.hangup(watchers[0].answer.resource)
    assert (caught.value.code, caught.value.status) == ("no_such_resource", 404)
    # One that closed its connection first may still send its DELETE.
    left = watchers[1].answer
    assert left is not None
    await watchers[1].close()
    await until(lambda: stage.relay.viewers == 1)
    await stage.relay.hangup(left.resource)
    await watchers[3].close()
    await watchers[3].play(stage.relay)
    await until(lambda: watchers[3].pictures)
    for watcher in watchers:
        await watcher.close()


async def test_a_preview_is_fed_while_it_is_watched_and_begins_anew_each_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, feed="source/spare")
    wanted: list[str] = []
    stage.relay._on_source_keyframe_wanted = wanted.append
    for round_ in range(2):
        await until(lambda: not stage.relay.wants("source/spare"))
        watcher = Watcher()
        await watcher.play(stage.relay, offer=Offer(kind="play", sdp="", source="spare", output="preview"))
        assert stage.relay.wants("source/spare")
        assert not stage.relay.wants("public")
        await until(lambda seen=watcher.pictures: len(seen) > 20)
        # No picture from the round before: every picture is whole.
        assert all(min(abs(grey - luma) for grey in GREYS) < 4 for _, luma in watcher.pictures), round_
        assert watcher.answer is not None
        await stage.relay.hangup(watcher.answer.resource)
        await watcher.close()
    assert set(wanted) <= {"spare"}
    await stage.close()


async def test_offers_that_cannot_be_served(stage: Stage, watcher: Watcher) -> None:
    sdp = await watcher.offer()
    without_h264 = sdp.replace("H264/90000", "H265/90000")
    with pytest.raises(StreamerError) as caught:
        await stage.relay.offer(Offer(kind="play", sdp=without_h264))
    assert (caught.value.code, caught.value.status) == ("unsupported_media", 406)
    with pytest.raises(StreamerError) as caught:
        await stage.relay.offer(Offer(kind="play", sdp="hello"))
    assert (caught.value.code, caught.value.status) == ("bad_offer", 400)
    assert stage.relay.viewers == 0
    assert not stage.relay.wants("public")


async def test_a_viewer_that_just_goes_makes_room(stage: Stage, watcher: Watcher) -> None:
    await watcher.play(stage.relay)
    await until(lambda: watcher.pictures)
    await watcher.close()
    await until(lambda: stage.relay.viewers == 0)


class ClockReader:
    """A player that reads the sender's clock off each frame instead of decoding it."""

    def __init__(self) -> None:
        self.units: dict[str, list[AccessUnit]] = {"audio": [], "video": []}

    async def play(self, relay: Relay) -> RTCPeerConnection:
        pc = hooks.new_peer(bundle=True)
        for kind in ("audio", "video"):
            transceiver = pc.addTransceiver(kind, direction="recvonly")
            receiver = EncodedReceiver(
                kind,  # type: ignore[arg-type]
                transceiver.receiver.transport,
                on_unit=self.units[kind].append,
            )
            hooks.use_receiver(transceiver, receiver)
        hooks.bind(pc, IceBinding(addresses=(LOOPBACK,)))
        hooks.tap(pc)
        await pc.setLocalDescription(await pc.createOffer())
        answer = await relay.offer(Offer(kind="play", sdp=pc.localDescription.sdp))
        await pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return pc


async def test_sound_and_picture_are_on_one_clock_and_it_is_the_time_of_day(stage: Stage) -> None:
    reader = ClockReader()
    pc = await reader.play(stage.relay)
    units = reader.units
    await until(lambda: all(u and u[-1].sender_us is not None for u in units.values()) and len(units["video"]) > 90)
    await pc.close()
    # Each is pushed when its time has come. A busy machine is late with most of them, and not with all: the youngest of
    # each kind tells how far the kind's clock is from the time of day.
    since_ns = time.time_ns() - time.monotonic_ns()
    youngest_ms = {
        kind: min((unit.arrival_ns + since_ns) / 1e6 - unit.sender_us / 1e3 for unit in newest if unit.sender_us)
        for kind, newest in (("video", units["video"][-45:]), ("audio", units["audio"][-75:]))
    }
    assert abs(youngest_ms["video"] - youngest_ms["audio"]) < 30, youngest_ms
    assert abs(youngest_ms["video"]) < 1000, youngest_ms
    # After the burst of kept pictures time runs in steps of a frame.
    steps = [b.rtp_time - a.rtp_time for a, b in itertools.pairwise(units["video"][-40:])]
    assert all(abs(step - TICKS // FPS) <= 2 for step in steps)


async def test_trickle(stage: Stage, watcher: Watcher) -> None:
    await watcher.play(stage.relay)
    assert watcher.answer is not None
    candidate = "a=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host\r\n"
    resource, etag = watcher.answer.resource, watcher.answer.etag
    await stage.relay.candidates(Candidates(resource, candidate, f'"{etag}"'))
    for wanted, status in (
        (Candidates("unknown", candidate), 404),
        (Candidates(resource, candidate, "another"), 412),
        (Candidates(resource, "a=ice-ufrag:new\r\na=ice-pwd:" + "x" * 24), 422),
        (Candidates(resource, "".join(candidate.replace(" 9 ", f" {1000 + n} ") for n in range(80))), 429),
        (Candidates(resource, "hello"), 400),
    ):
        with pytest.raises(StreamerError) as caught:
            await stage.relay.candidates(wanted)
        assert caught.value.status == status, wanted
    await until(lambda: watcher.pictures)


async def test_a_relay_that_is_killed_is_started_again_for_the_next_viewer(stage: Stage, watcher: Watcher) -> None:
    await watcher.play(stage.relay)
    await until(lambda: watcher.pictures)
    crashes = stage.relay.crashes
    os.kill(stage.pid, signal.SIGKILL)
    await until(lambda: stage.relay.crashes == crashes + 1)
    assert stage.relay.viewers == 0
    again = Watcher()
    await again.play(stage.relay)
    await until(lambda: again.pictures)
    await again.close()


async def test_a_relay_that_stands_still_costs_pictures_and_nothing_else(
    stage: Stage, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamer.room import relay_link

    await watcher.play(stage.relay)
    await until(lambda: watcher.pictures)
    monkeypatch.setattr(relay_link, "BEHIND_BYTES", 20_000)
    dropped = stage.relay.dropped
    os.kill(stage.pid, signal.SIGSTOP)
    try:
        await until(lambda: stage.relay.dropped > dropped + 10)
    finally:
        os.kill(stage.pid, signal.SIGCONT)
    seen = len(watcher.pictures)
    await until(lambda: len(watcher.pictures) > seen + 30)
    # It went on at an IDR: nothing torn.
    assert all(min(abs(grey - luma) for grey in GREYS) < 4 for _, luma in watcher.pictures[-20:])


async def test_the_relay_stops_when_nobody_watches_any_more(tmp_path: Path) -> None:
    stage = Stage(tmp_path, idle_s=0.3)
    watcher = Watcher()
    await watcher.play(stage.relay)
    await until(lambda: watcher.pictures)
    process = stage.relay._process
    assert process is not None
    assert watcher.answer is not None
    await stage.relay.hangup(watcher.answer.resource)
    await until(lambda: stage.relay._process is None)
    await until(lambda: process._child.returncode is not None)
    assert process._child.returncode == 0
    assert stage.relay.crashes == 0
    await watcher.close()
    again = Watcher()
    await again.play(stage.relay)
    await until(lambda: again.pictures)
    await again.close()
    await stage.close()


ROOM_SCRIPT = """
import asyncio, pathlib, sys
from streamer.control import process_files
from streamer.room.relay_link import RelayProcess

async def main():
    settings = process_files.read_settings(pathlib.Path(sys.argv[1]))
    process = await RelayProcess.start("main", settings, lambda event: None, lambda process: None)
    print(process._child.pid, flush=True)
    await asyncio.sleep(120)

asyncio.run(main())
"""


async def test_a_relay_does_not_outlive_a_room_that_is_killed(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path})
    file = process_files.write_settings(settings)
    room = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ROOM_SCRIPT, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert room.stdout is not None
    pid = int(await asyncio.wait_for(room.stdout.readline(), LIMIT_S))
    room.kill()
    await room.wait()

    def has_ended() -> bool:
        try:
            return "Z (zombie)" in Path(f"/proc/{pid}/status").read_text()
        except OSError:  # It is gone, perhaps since its file was opened.
            return True

    await until(has_ended)


async def _refusal(relay: Relay, offer: Offer) -> StreamerError | None:
    try:
        await relay.offer(offer)
    except StreamerError as error:
        return error
    return None


async def test_offers_that_never_connect_leave_room_for_a_viewer_and_for_the_technician(tmp_path: Path) -> None:
    stage = Stage(tmp_path, whep={"max_viewers": 3, "max_pending": 8, "max_previews": 4, "connect_timeout_s": 4})
    silent, viewer = Watcher(), Watcher()
    sdp = await silent.offer()
    answers = [Offer(kind="play", sdp=sdp, household="stranger") for _ in range(8)]
    refused = [e for e in [await _refusal(stage.relay, offer) for offer in answers] if e is not None]
    assert [error.code for error in refused] == ["too_many_viewers"] * 5
    assert stage.relay.viewers == 0, "nobody watches"
    await stage.relay.offer(Offer(kind="play", sdp=sdp, output="preview", source="main", grant="technician"))
    await viewer.play(stage.relay, offer=Offer(kind="play", sdp="", household="viewer"))
    await until(lambda: viewer.pictures and stage.relay.viewers == 1)
    # An offer that never connects is given up soon; a viewer stays.
    await until(lambda: stage.relay.counters["whep_refused_total"] == 5 and len(stage.relay._resources) == 1)
    assert stage.relay.viewers == 1
    await silent.close()
    await viewer.close()
    await stage.close()
