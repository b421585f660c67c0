"""The machine's clock is set while a room is on air: by five seconds and by two hours, forward and back."""

from __future__ import annotations

import os
import struct
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.fakes.following import all_past, faultless, holes_ms
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import smallest_camera
from tests.fakes.running import serving
from tests.fakes.shared import PATIENT, SMALLEST
from tests.fakes.waiting import until_answered

pytestmark = pytest.mark.slow

HOUR_S = 3600.0
STEPS_S = (5.0, -10.0, 5.0, 2 * HOUR_S, -4 * HOUR_S, 2 * HOUR_S)
"""One after the other; together they come to nothing."""
ROOT = Path(__file__).resolve().parents[2]


def moment(in_s: float) -> str:
    return datetime.fromtimestamp(time.time() + in_s, UTC).isoformat()


async def test_media_time_goes_on_and_nobody_is_taken_off_air() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        step_file = Path(folder) / "step"
        step_file.write_bytes(struct.pack("<q", 0))
        environment = {
            **SMALLEST,
            **PATIENT,
            "CLOCK_STEP_FILE": str(step_file),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/fakes/stepped_clock"), str(ROOT)]),
        }
        moved_s = 0.0

        def step(by_s: float) -> None:
            nonlocal moved_s
            moved_s += by_s
            with step_file.open("r+b") as file:
                file.write(struct.pack("<q", round(moved_s * 1000)))

        async with serving(data=Path(folder) / "data", environment=environment) as server:
            await server.room("a")
            body = {"room": "a", "title": "Talk", "start": moment(-60), "end": moment(8 * HOUR_S)}
            talk = (await server.api("POST", "/sessions", body, status=201))["id"]
            async with (
                smallest_camera(server, "a") as source,
                HlsFollower(f"{server.url}/live/a/index.m3u8", retry_s=10) as follower,
            ):
                await server.wait_state("a", "slate")
                await server.api("POST", f"/sessions/{talk}/start", {}, status=200)
                await server.wait_state("a", "live")
                await follower.open()
                await follower.follow(until=all_past(1))
                pids = [server.pid(name) for name in ("web", "media", "room-a")]
                for by_s in STEPS_S:
                    step(by_s)
                    await follower.follow(until=all_past(0))
                    assert (await server.state("a"))["state"] == "live", f"off air after a step of {by_s} s"
                    assert (await server.api("GET", f"/sessions/{talk}"))["state"] == "on_air"
                faultless(follower)
                assert holes_ms(follower, "v90") == []
                times = [s.pdt_ms or 0 for _, s in sorted(follower.tracks["v90"].reader.known.items())]
                assert times == sorted(times), "media time went back"
                assert pids == [server.pid(name) for name in ("web", "media", "room-a")]
                assert source.publisher.state.connections == 1

                # The last minutes are forgotten, not those of two hours ago, also before the room has said that its
                # clock moved.
                step(2 * HOUR_S)
                track = follower.tracks["v90"]
                # The newest may end a few ms past the forgotten stretch: the one before lies in it.
                newest = max(msn for msn, segment in track.reader.known.items() if segment.complete)
                address = urljoin(track.url, follower.segment("v90", newest - 1).uri)
                async with server.session.get(address) as answer:
                    assert answer.status == 200
                await server.api("POST", "/rooms/a/forget", {"minutes": 1}, status=200)
                async with server.session.get(address) as answer:
                    assert answer.status != 200, "what was to be forgotten is served"

                # Off by two hours: that rings.
                async def rings() -> bool:
                    alarms = (await server.api("GET", "/alarms?room=a"))["items"]
                    return any("clock_moved" in alarm["id"] for alarm in alarms)

                await until_answered(
                    rings,
                )
                step(-2 * HOUR_S)

                async def quiet() -> bool:
                    return not await rings()

                await until_answered(
                    quiet,
                )
