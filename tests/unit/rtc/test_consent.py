"""A publisher that answers no checks, as FFmpeg after its handshake, stays for as long as it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aioice.ice
import aioice.stun
import pytest

from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc import consent
from streamer.rtc.aioice_hooks import ConsentChecks
from streamer.rtc.consent import Consent
from tests.fakes import virtual_time
from tests.fakes.peers import Pair, h264_frame, pair
from tests.fakes.virtual_time import VirtualLoop
from tests.fakes.waiting import until

S = 1_000_000_000
ADDRESS = ("127.0.0.1", 4000)
HURRIED_S = 1


def test_what_is_heard_keeps_a_connection_and_what_is_sent_without_answers_is_little() -> None:
    at = Consent(0)
    for second in range(120):
        at.heard(second * S)
        assert not at.over(second * S)
    assert sum(at.admits(29 * S) for _ in range(1000)) == 1000
    # No answer came for 30 s.
    sent = sum(at.admits(30 * S + n * S // 100) for n in range(1000))
    assert sent <= consent.RTCP_BURST + 10 * consent.RTCP_PER_S
    at.answered(41 * S)
    assert all(at.admits(41 * S) for _ in range(1000))
    assert not at.over(148 * S)
    assert at.over(149 * S)


class Line:
    """A connection of aioice's with one validated pair, whose peer answers if ``answers``."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.answers = True
        self.requests = 0
        self.closed_s: float | None = None
        self.remote_password = "x"
        self._query_consent_task: object = None
        self.pair = SimpleNamespace(protocol=self, remote_addr=ADDRESS)
        self._nominated = {1: self.pair}
        self.came_from: tuple[str, int] | None = None
        self._loop = loop
        self.checks = ConsentChecks(self, loop.time_ns)

    def build_request(self, pair: object, nominate: bool) -> object:
        return object()

    async def request(self, *_: object, **__: object) -> None:
        self.requests += 1
        if not self.answers:
            await asyncio.sleep(1.5)
            raise aioice.stun.TransactionTimeout

    async def close(self) -> None:
        self.closed_s = self._loop.time()

    def hear(self, address: tuple[str, int] = ADDRESS) -> None:
        self.came_from = address
        self.checks.came()
        self.came_from = None

    async def pass_time(self, seconds: float, hears: Callable[[], None] | None = None) -> None:
        for _ in range(round(seconds)):
            await asyncio.sleep(1)
            if hears is not None:
                hears()


@pytest.mark.parametrize("answers", [True, False])
def test_an_hour_on_air_and_then_silence(answers: bool) -> None:
    async def script(loop: VirtualLoop) -> Line:
        line = Line(loop)
        task = loop.create_task(line.checks())
        line.answers = answers
        await line.pass_time(3600, line.hear)
        assert line.closed_s is None
        silent_from = loop.time()
        line.answers = False
        await line.pass_time(60)
        assert line.closed_s is not None
        assert 23 < line.closed_s - silent_from < 40
        await task
        return line

    line = virtual_time.run(script)
    assert 3660 / 8 < line.requests < 3660 / 4


def test_what_comes_from_elsewhere_does_not_count() -> None:
    async def script(loop: VirtualLoop) -> None:
        line = Line(loop)
        task = loop.create_task(line.checks())
        line.answers = False
        await line.pass_time(60, lambda: line.hear(("127.0.0.1", 4001)))
        assert line.closed_s is not None
        await task

    virtual_time.run(script)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    # More than the loop of a busy machine stands still: a peer that cannot send meanwhile must not be over.
    monkeypatch.setattr(consent, "CONSENT_NS", HURRIED_S * S)
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 0.02)


def connection(pc: Any) -> Any:
    return hooks.dtls_transports(pc)[0].transport._connection


def fall_deaf(joined: Pair) -> None:
    """The sender answers no checks and sends none."""
    sender = connection(joined.sender_pc)
    sender.request_received = lambda *_: None
    sender._query_consent_task.cancel()


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("what", ["media", "checks"])
async def test_a_peer_that_answers_nothing_is_kept_by_its_media_or_by_its_checks(what: str) -> None:
    async with pair(publication=True) as joined:
        fall_deaf(joined)
        sender, receiver = connection(joined.sender_pc), connection(joined.receiver_pc)
        (at,) = sender._nominated.values()
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.5 * HURRIED_S
        while loop.time() < end:
            if what == "media":
                joined.senders["video"].push(h264_frame(100, key=True), 1, key=True)
            else:
                request = sender.build_request(at, nominate=False)
                request.add_message_integrity(sender.remote_password.encode())
                at.protocol.send_stun(request, at.remote_addr)
            await asyncio.sleep(0.02)
        assert joined.receiver_pc.connectionState == "connected"
        # A flood of requests for lost packets would go out otherwise.
        dtls = hooks.dtls_transports(joined.receiver_pc)[0]
        assert sum(hooks.send(dtls, b"\x81\xc9\0\1\0\0\0\1") for _ in range(500)) <= consent.RTCP_BURST
        assert not receiver._closing
        await until(lambda: receiver._closed)


@pytest.mark.usefixtures("hurry")
async def test_media_that_are_forged_or_replayed_keep_nobody() -> None:
    async with pair(publication=True) as joined:
        sender, receiver = connection(joined.sender_pc), connection(joined.receiver_pc)
        (at,) = sender._nominated.values()
        sent: list[bytes] = []
        sendto = at.protocol.transport.sendto
        at.protocol.transport = SimpleNamespace(
            sendto=lambda data, to: (sent.append(data), sendto(data, to)),
            is_closing=lambda: False,
            close=at.protocol.transport.close,
        )
        joined.senders["video"].push(h264_frame(100, key=True), 1, key=True)
        await until(lambda: joined.of("video"))
        fall_deaf(joined)
        (packet, *_) = [data for data in sent if 127 < data[0] < 192]
        while not receiver._closed:
            sendto(packet, at.remote_addr)
            sendto(packet[:-1] + bytes([packet[-1] ^ 1]), at.remote_addr)
            await asyncio.sleep(0.02)
