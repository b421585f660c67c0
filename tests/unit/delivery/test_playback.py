"""From real samples to a player: packagers, outputs, mirror and delivery together, followed strictly and decoded."""

from __future__ import annotations

import asyncio
import io
import random
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.broadcast.media_events import MediaEvent, Opened
from streamer.broadcast.programme import Broadcast
from streamer.broadcast.view import BroadcastView
from streamer.delivery.rendering import Renderers
from streamer.formats import cmaf
from streamer.formats.types import Cut, Sample, TrackConfig
from streamer.media.feeds import PROGRAMME, SLATE_FEED, TrackFeed
from streamer.media.inits import Inits
from streamer.media.outputs import Output
from streamer.media.packager import TrackPackager
from tests.fakes.delivery_server import serve
from tests.fakes.hls_client import HlsFollower
from tests.fakes.hls_rules import TrackReader, check_alignment
from tests.fakes.packaging import AAC_FRAME, FRAME, LOW, SOUND, VIDEO, MemoryStore, Scripted, broadcast, pictures
from tests.fakes.waiting import LIMIT_S


@cache
def aac_second() -> tuple[bytes, ...]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "fltp", "stereo"
    encoder.time_base = Fraction(1, 48_000)
    wave = (np.sin(np.arange(48_000 * 2) * 2 * np.pi * 440 / 48_000) * 0.3).astype(np.float32)
    out: list[bytes] = []
    for at in range(0, len(wave) - 1024, 1024):
        frame = av.AudioFrame.from_ndarray(np.stack([wave[at : at + 1024]] * 2), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(out[4:51])


class Studio:
    """Feeds of a programme with two pictures and a sound into an output, by real packagers."""

    def __init__(self, of: Broadcast, emit: object) -> None:
        self.output = Output(of, Inits(), emit)  # type: ignore[arg-type]
        self.feed = TrackFeed(PROGRAMME, MemoryStore(), [self.output])
        self.packagers = {r.name: TrackPackager(r.name, self.feed) for r in of.renditions}
        self.configs: dict[str, TrackConfig] = {
            VIDEO.name: pictures(320, 180)[0],
            LOW.name: pictures(160, 90)[0],
            SOUND.name: cmaf.aac_config(),
        }
        self.cuts = 0
        self.frame = 0
        self.sound = 0

    def second(self) -> None:
        """A second of pictures and sound; a segment begins every other second."""
        frames = {VIDEO.name: pictures(320, 180)[1], LOW.name: pictures(160, 90)[1]}
        for _ in range(30):
            at = self.frame * FRAME
            if self.frame % 60 == 0:
                cut = Cut(self.cuts, at, discontinuity=self.cuts == 0)
                self.cuts += 1
                for name, packager in self.packagers.items():
                    packager.begin(cut, self.configs[name])
            for name, samples in frames.items():
                data, sync = samples[self.frame % len(samples)]
                self.packagers[name].push(Sample(data, at, sync))
            self.frame += 1
            while (self.sound + 1) * AAC_FRAME <= self.frame * FRAME:
                frame = aac_second()[self.sound % len(aac_second())]
                self.packagers[SOUND.name].push(Sample(frame, self.sound * AAC_FRAME, True))
                self.sound += 1


async def test_what_a_player_gets_plays(tmp_path: Path) -> None:
    async with serve(tmp_path) as served:
        events: list[MediaEvent] = []
        of = broadcast(room="salle")
        served.link.feed(Opened(broadcast=of))
        studio = Studio(of, events.append)

        async def make(seconds: int) -> None:
            for _ in range(seconds):
                studio.second()
                while events:
                    served.link.feed(events.pop(0))
                    await asyncio.sleep(0.001)

        await make(4)
        async with HlsFollower(f"{served.url}/live/salle/index.m3u8", prefetch=True) as follower:
            await follower.open()
            making = asyncio.create_task(make(14))
            await follower.follow(until=lambda f: all(f.edge(r)[0] >= 8 for r in f.tracks), limit_s=LIMIT_S)
            await making
            for name, (width, height) in ((VIDEO.name, (320, 180)), (LOW.name, (160, 90))):
                data = await follower.run_bytes(name, 2, 7)
                with av.open(io.BytesIO(data)) as container:
                    decoded = list(container.decode(video=0))
                assert len(decoded) == 6 * 60
                assert (decoded[0].width, decoded[0].height) == (width, height)
                assert decoded[0].time == pytest.approx(4.0, abs=0.001)
                steps = {round(float(b.time - a.time), 4) for a, b in pairwise(decoded)}
                assert steps == {0.0333}
            with av.open(io.BytesIO(await follower.run_bytes(SOUND.name, 2, 7))) as container:
                samples = sum(frame.samples for frame in container.decode(audio=0))
            assert samples / 48_000 == pytest.approx(12, abs=0.03)
            assert not follower.violations
            reader = follower.tracks[VIDEO.name].reader
            assert reader.hints > 20
            assert reader.hints_missed <= reader.hints // 5


async def test_ffmpegs_player_plays_the_same_address(tmp_path: Path) -> None:
    """A plain HLS player, by the address that people type."""
    async with serve(tmp_path) as served:
        of = broadcast(room="salle")
        served.link.feed(Opened(broadcast=of))
        studio = Studio(of, served.link.feed)
        for _ in range(13):
            studio.second()

        def watch() -> tuple[int, int]:
            with av.open(f"{served.url}/live/salle/index.m3u8", timeout=10, options={"live_start_index": "0"}) as hls:
                got = {"video": 0, "audio": 0}
                for packet in hls.demux(hls.streams.video[0], hls.streams.audio[0]):
                    got[packet.stream.type] += len(packet.decode()) if packet.size else 0
                    if got["video"] >= 120 and got["audio"] >= 180:
                        break
                return got["video"], got["audio"]

        video, audio = await asyncio.wait_for(asyncio.to_thread(watch), LIMIT_S)
        assert video >= 120
        assert audio >= 180


@pytest.mark.parametrize("seed", range(6))
def test_going_on_and_off_air_keeps_the_rules(seed: int) -> None:
    """Random taps, with a rendition that lags: every playlist on the way is held to the rules."""
    rng = random.Random(seed)
    of = broadcast()
    view, renderers = BroadcastView(), Renderers(60)
    readers = {r.name: TrackReader(r.name) for r in of.renditions}

    def emit(event: MediaEvent) -> None:
        view.apply(event)
        out = view.public
        for name, reader in readers.items():
            if out is not None and out.tracks[name].edge is not None and rng.random() < 0.3:
                renderer = renderers.track(of, out, out.tracks[name])
                skip = reader.last is not None and rng.random() < 0.5
                playlist = renderer.playlist(dvr=True, skip=skip, closed=False)
                reader.read(playlist.text.decode(), delta_allowed=skip)

    view.apply(Opened(broadcast=of))
    output = Output(of, Inits(), emit)
    store = MemoryStore()
    programme, slate = TrackFeed(PROGRAMME, store, [output]), TrackFeed(SLATE_FEED, store, [output])
    configs = {VIDEO.name: pictures(320, 180)[0], LOW.name: pictures(160, 90)[0], SOUND.name: cmaf.aac_config()}
    tracks = {
        feed.name: {name: Scripted(feed, name, config) for name, config in configs.items()}
        for feed in (programme, slate)
    }
    numbers = {PROGRAMME: 0, SLATE_FEED: 0}
    late: list[tuple[int, Scripted, Cut | None]] = []
    for tick in range(180):
        at = tick * 30_000
        for feed_name, scripted in tracks.items():
            if feed_name == SLATE_FEED and output.shows_programme:
                continue
            fresh = tick % 6 == 0 or (feed_name == SLATE_FEED and scripted[VIDEO.name].number < 0)
            cut = Cut(numbers[feed_name], at, discontinuity=tick == 0) if fresh else None
            numbers[feed_name] += cut is not None
            for name, track in scripted.items():
                lag = rng.randrange(0, 5) if name == LOW.name else 0
                due = max([when for when, t, _ in late if t is track] + [tick + lag])
                late.append((due, track, cut))
        still_late = []
        for due, track, cut in late:
            if due > tick:
                still_late.append((due, track, cut))
                continue
            if cut is not None:
                track.open(cut)
            track.part()
        late = still_late
        if rng.random() < 0.06:
            if output.aired:
                if output.go_off_air() is not None:
                    late = [item for item in late if item[1] not in tracks[SLATE_FEED].values()]
                    for track in tracks[SLATE_FEED].values():
                        track.close()
                        track.at = (tick + 1) * 30_000
            else:
                output.go_on_air()
    faults = [fault for reader in readers.values() for fault in reader.violations]
    assert not faults
    assert not check_alignment(readers.values())
    assert sum(reader.reloads for reader in readers.values()) > 100
