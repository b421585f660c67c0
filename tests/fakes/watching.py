"""A WHEP player on aiortc against a real server: it decodes the media and keeps them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiortc import RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from streamer.publish.testcard import decode_strip
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import LOOPBACK, IceBinding
from tests.fakes.decoding import luma_of
from tests.fakes.running import Running


@dataclass
class Seen:
    """``at_s``: loop time."""

    at_s: float
    strip: int | None
    deviation: float
    """Of the luma: nothing on a black picture."""


@dataclass
class Refusal(Exception):
    status: int
    code: str
    headers: dict[str, str]


@dataclass
class Player:
    seen: list[Seen] = field(default_factory=list)
    tones: list[tuple[float, float]] = field(default_factory=list)
    """(peak 0..1, frequency in Hz by zero crossings) of each sound frame."""
    heard: list[tuple[float, float]] = field(default_factory=list)
    """(loop time, peak 0..1) of each sound frame."""
    location: str = ""

    def peaks_since(self, at_s: float) -> list[float]:
        return [peak for heard_s, peak in self.heard if heard_s > at_s]

    def test_card_since(self, at_s: float) -> int:
        return sum(s.strip is not None for s in self.seen if s.at_s > at_s)

    def slate_since(self, at_s: float) -> int:
        return sum(s.strip is None and s.deviation > 5 for s in self.seen if s.at_s > at_s)


async def offer_to_play(kinds: tuple[str, ...] = ("audio", "video")) -> Any:
    """A peer whose offer is its local description. The caller closes it."""
    pc = hooks.new_peer(bundle=True)
    for kind in kinds:
        pc.addTransceiver(kind, direction="recvonly")
    hooks.bind(pc, IceBinding(addresses=(LOOPBACK,)))
    await pc.setLocalDescription(await pc.createOffer())
    return pc


@contextlib.asynccontextmanager
async def whep_player(
    server: Running, room: str, *, source: str = "", token: str = "", kinds: tuple[str, ...] = ("audio", "video")
) -> AsyncIterator[Player]:
    """Connected when the answer is applied; raises :class:`Refusal` if the POST is not answered with 201."""
    player, tasks = Player(), []
    pc = await offer_to_play(kinds)
    pc.on("track", lambda track: tasks.append(asyncio.create_task(_watch(track, player), name="whep track")))
    headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {token}"} if token else {})
    path = f"/whep/{room}" + (f"/{source}" if source else "")
    try:
        async with server.session.post(f"{server.url}{path}", data=pc.localDescription.sdp, headers=headers) as answer:
            if answer.status != 201:
                raise Refusal(answer.status, (await answer.json())["error"]["code"], dict(answer.headers))
            player.location = answer.headers["Location"]
            await pc.setRemoteDescription(RTCSessionDescription(await answer.text(), "answer"))
        yield player
        async with server.session.delete(f"{server.url}{player.location}") as answer:
            assert answer.status in (200, 404)
    finally:
        await pc.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(track: Any, player: Player) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(MediaStreamError):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                luma = luma_of(frame)
                player.seen.append(Seen(loop.time(), decode_strip(luma), float(luma.std())))
            else:
                left = frame.to_ndarray().reshape(-1)[::2].astype(float) / 32768
                crossings = float(np.sum(left[1:] * left[:-1] < 0))
                peak = float(np.abs(left).max())
                player.heard.append((loop.time(), peak))
                player.tones.append((peak, crossings * frame.sample_rate / len(left) / 2))
