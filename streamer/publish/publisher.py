"""``streamer publish``: a WHIP client that sends a feed and never gives up.

One :class:`Publisher` has one feed (a thread, see :mod:`inputs`) and one connection at a time. When the other side
goes away, which shows in missing receiver reports within some three seconds, it publishes anew, with a back-off.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp
import structlog

from streamer import __version__
from streamer.control.ice_servers import IceServer, parse_link_headers
from streamer.errors import StreamerError
from streamer.publish.inputs import Encoded, FeedOptions, open_feed
from streamer.publish.understudy import Understudy
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import binding_towards
from streamer.rtc.sender import EncodedSender

log = structlog.get_logger(__name__)

HTTP_TIMEOUT_S = 10.0
DELETE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 3.0
WATCH_S = 0.2
FIRST_REPORT_S = 6.0
"""RFC 3550 lets receivers wait 5 s with their first report."""
LOST_REPORTS = 2.5
LEAST_SILENCE_S = 2.5
BACKOFF_S = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0)
STEADY_S = 10.0
MAX_WAITING = 120
"""Frames on their way from the feed's thread to the loop. With more of them the loop is stuck, and they are dropped."""
GIVE_WAY_AFTER = 5
"""Attempts of an understudy that has not been on air yet: its own predecessor may not be silent for long enough."""
FINAL = frozenset((400, 401, 403, 404, 405, 406, 413, 415, 422))
"""Answers to the first POST that do not change by waiting."""

hooks.install()


class PublishRefused(StreamerError):
    """The endpoint refused for good: wrong address, token or offer."""

    code, status = "publish_refused", 400


class SessionLost(Exception):
    """This connection has ended; the next may work."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0, occupied: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.occupied = occupied
        """Somebody else publishes there."""


@dataclass(slots=True)
class PublisherState:
    """The publisher's activity, for logs and tests."""

    connected: bool = False
    connections: int = 0
    attempts: int = 0
    frames_dropped: int = 0
    last_error: str = ""


class Publisher:
    """Publishes ``source`` (None: the test card) at the WHIP endpoint ``url``. Make it on its loop."""

    def __init__(
        self,
        url: str,
        token: str,
        source: str | None = None,
        options: FeedOptions | None = None,
        *,
        takeover: bool = False,
        understudy: Understudy | None = None,
    ) -> None:
        self.url = url
        self.state = PublisherState()
        self.options = options or FeedOptions()
        self.feed = open_feed(source, self._from_thread, self.options)
        self._token = token
        self._takeover = takeover
        self._understudy = understudy
        self._loop = asyncio.get_running_loop()
        self._senders: dict[str, EncodedSender] = {}
        self._waiting = 0
        self._servers: tuple[IceServer, ...] = ()

    # --- frames ---

    def _from_thread(self, encoded: Encoded) -> None:
        if self._waiting > MAX_WAITING:
            self.state.frames_dropped += 1
            if encoded.kind == "video":
                self.feed.request_keyframe()
            return
        self._waiting += 1
        try:
            self._loop.call_soon_threadsafe(self._push, encoded)
        except RuntimeError:
            self._waiting -= 1  # the loop is closed

    def _push(self, encoded: Encoded) -> None:
        self._waiting -= 1
        sender = self._senders.get(encoded.kind)
        if sender is not None:
            sender.push(encoded.data, encoded.media_us, key=encoded.key)

    # --- life ---

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until ``stop`` is set. Raises :class:`PublishRefused` if the first POST is refused for good."""
        self.feed.start()
        failures = 0
        try:
            async with aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S),
                headers={"User-Agent": f"streamer-publish/{__version__}"},
            ) as http:
                while not stop.is_set():
                    began = self._loop.time()
                    wait = 0.0
                    try:
                        await self._session(http, stop)
                    except (SessionLost, aiohttp.ClientError, TimeoutError, OSError) as error:
                        self.state.last_error = str(error) or type(error).__name__
                        wait = error.retry_after_s if isinstance(error, SessionLost) else 0.0
                        log.info("publishing_interrupted", reason=self.state.last_error)
                        if self._understudy is not None and self._is_taken(error, failures):
                            await self._understudy.until_free(http, stop)
                    failures = 0 if self._loop.time() - began > STEADY_S else failures + 1
                    back_off = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311
                    await _wait_for(stop, max(wait, back_off))
        finally:
            self.feed.wanted.clear()
            await asyncio.to_thread(self.feed.stop)

    def _is_taken(self, error: Exception, failures: int) -> bool:
        occupied = isinstance(error, SessionLost) and error.occupied
        return occupied and (self.state.connections > 0 or failures >= GIVE_WAY_AFTER)

    async def _session(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """One connection, from its POST to its end. Returns when ``stop`` is set, else raises."""
        self.state.attempts += 1
        pc = hooks.new_peer(self._servers, bundle=True)
        resource = ""
        try:
            await self._offer(pc)
            resource = await self._post(http, pc)
            await self._connect(pc, stop)
            await self._stay(pc, stop)
        finally:
            self.state.connected = False
            self.feed.wanted.clear()
            self._senders = {}
            if resource:
                await self._delete(http, resource)
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await pc.close()
            except TimeoutError:
                log.warning("peer_close_timeout")

    async def _offer(self, pc: hooks.Peer) -> None:
        options = self.options
        if options.video:
            transceiver = pc.addTransceiver("video", "sendonly")
            codecs = [("H264", "42e01f")] if options.codec == "h264" else [("VP8", "")]
            hooks.offer_codecs(transceiver, codecs)
            self._senders["video"] = EncodedSender.on(transceiver, on_keyframe_wanted=self.feed.request_keyframe)
        if options.audio:
            transceiver = pc.addTransceiver("audio", "sendonly")
            hooks.offer_codecs(transceiver, [("opus", "")])
            self._senders["audio"] = EncodedSender.on(transceiver)
        hooks.bind(pc, binding_towards(self.url))
        hooks.tap(pc)
        await pc.setLocalDescription(await pc.createOffer())

    async def _post(self, http: aiohttp.ClientSession, pc: hooks.Peer) -> str:
        """The POST. Returns the resource's address."""
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {self._token}"}
        query = {"takeover": "1"} if self._takeover else None
        async with http.post(self.url, data=pc.localDescription.sdp, headers=headers, params=query) as response:
            body = await response.text()
            if response.status != 201:
                message = f"{response.status}: {_message(body)}"
                if response.status in FINAL and self.state.attempts == 1:
                    raise PublishRefused(f"The endpoint refused with {message}", status=response.status)
                retry_after_s = _seconds(response.headers.get("Retry-After", ""))
                raise SessionLost(message, retry_after_s=retry_after_s, occupied=response.status == 409)
            location = response.headers.get("Location", "")
            resource = urljoin(str(response.url), location) if location else ""
            # For the next attempt: our candidates are gathered before the first answer comes.
            self._servers = parse_link_headers(response.headers.getall("Link", []))
        try:
            await hooks.describe_remote(pc, body, "answer")
        except Exception as error:
            await self._delete(http, resource)
            raise SessionLost(f"the answer cannot be read: {error}") from error
        return resource

    async def _connect(self, pc: hooks.Peer, stop: asyncio.Event) -> None:
        limit = self._loop.time() + CONNECT_TIMEOUT_S
        while not all(sender.ready for sender in self._senders.values()):
            if stop.is_set():
                return
            if pc.connectionState in ("failed", "closed") or self._loop.time() > limit:
                raise SessionLost("no media connection could be made")
            await asyncio.sleep(0.02)
        self.state.connected = True
        self.state.connections += 1
        log.info("publishing", url=self.url, video=self.options.video, audio=self.options.audio)
        self.feed.request_keyframe()
        self.feed.wanted.set()

    async def _stay(self, pc: hooks.Peer, stop: asyncio.Event) -> None:
        heard = self._loop.time()
        gap = 0.0
        limit = FIRST_REPORT_S
        while not await _wait_for(stop, WATCH_S):
            if pc.connectionState in ("failed", "closed"):
                raise SessionLost("the other side closed the connection")
            reports = [s.last_report_at for s in self._senders.values() if s.last_report_at is not None]
            if reports and max(reports) > heard:
                gap = max(gap * 0.9, max(reports) - heard) if limit != FIRST_REPORT_S else 0.0
                heard = max(reports)
                limit = max(LEAST_SILENCE_S, LOST_REPORTS * gap)
            if self._loop.time() - heard > limit and not self.feed.error:
                raise SessionLost("no receiver report came in time")

    async def _delete(self, http: aiohttp.ClientSession, resource: str) -> None:
        if not resource:
            return
        try:
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                async with http.delete(resource, headers={"Authorization": f"Bearer {self._token}"}):
                    return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("resource_not_deleted", reason=str(error) or type(error).__name__)


async def publish(
    url: str,
    token: str,
    source: str | None = None,
    *,
    stop: asyncio.Event,
    options: FeedOptions | None = None,
    takeover: bool = False,
    understudy: Understudy | None = None,
) -> None:
    """Publish until ``stop`` is set, reconnecting for ever. See :class:`Publisher`."""
    await Publisher(url, token, source, options, takeover=takeover, understudy=understudy).run(stop)


async def _wait_for(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _seconds(value: str) -> float:
    return min(float(value), 30.0) if value.strip().isdigit() else 0.0


def _message(body: str) -> str:
    """The message of our own error shape, else the beginning of the body."""
    try:
        parsed: Any = json.loads(body)
        return str(parsed["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return body[:200].strip()
