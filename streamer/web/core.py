"""A front process's way to the core: requests and WebSockets over the core's Unix socket. On the loop.

The core judges all that goes this way: who asks (:mod:`streamer.api.addresses`), and what they may. While it is away,
what has not reached it waits for a moment; what may have reached it and changes something is not sent twice, except a
tap with an ``Idempotency-Key``, to which the core that comes gives the first answer. All use of aiohttp's private parts
for that, and for a WebSocket's bytes, stands here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from streamer.api.addresses import CLIENT, HOLDER, HOLDER_MARK, SCHEME, Proxies, speaks_tls
from streamer.api.idempotency import HEADER, may_repeat
from streamer.control import run_folder
from streamer.control.server import wait_cancelled
from streamer.delivery.responses import cut_off
from streamer.errors import BadRequest, Unavailable
from streamer.supervision import start_kept

WAIT_S = 5.0
"""The longest wait for a core that starts again: about the time that this takes."""
RETRY_S = 0.05
LOOK_S = 0.25
"""The time between two looks for answers that the core has ended and whose clients do not read."""
IDLE_S = 30.0
UNAVAILABLE, LOST = "core_unavailable", "core_lost"
REPORT_PATH = "/~front"

_HOPS = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection (RFC 9110, 7.6.1)."""
_OURS = "streamer-"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_KEPT = 64 * 1024
"""A body that is kept to be sent again, bytes. The taps' are a few hundred."""
Body = aiohttp.StreamReader | bytes | None
"""Bytes: a request that may be sent again."""
_AUTOMATIC = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)


class Core:
    """``start`` it before requests are forwarded."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._nobody = Proxies(())
        self._folder = -1
        self._session: aiohttp.ClientSession | None = None
        self._tunnels: set[asyncio.Future[None]] = set()
        self._unread: dict[int, Callable[[], None]] = {}
        """Descriptors from which nothing may be read now, and what to do when the core hangs up there."""
        self._looking: asyncio.Task[None] | None = None
        self._calling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OSError."""
        # An open folder gives an address of bounded length, see streamer.control.run_folder.
        self._folder = os.open(self._run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(
                f"/proc/self/fd/{self._folder}/{run_folder.CORE_SOCKET}", limit=0, keepalive_timeout=IDLE_S
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTOMATIC,
        )
        # Otherwise it would send DELETE and PUT once more by itself.
        self._session._retry_connection = False
        self._looking = start_kept("core hang-ups", self._look)

    async def close(self) -> None:
        for task in (self._looking, self._calling):
            if task is not None:
                await wait_cancelled(task)
        if self._session is not None:
            await self._session.close()
        if self._folder >= 0:
            os.close(self._folder)

    def release(self) -> None:
        """End all WebSockets: their clients come back to another process."""
        for done in self._tunnels:
            if not done.done():
                done.set_result(None)

    # --- requests -----------------------------------------------------------------------------------

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """The core's answer. Raises Unavailable ``core_unavailable`` if it did not get the request, ``core_lost`` if it
        may have; BadRequest ``bad_body``."""
        upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        body: Body = request.content if request.body_exists and not upgrade else None
        if _may_go_again(request):
            body = await _whole(request)
        headers = self.headers(request, upgrade=upgrade)
        if body is None:
            headers.popall(hdrs.CONTENT_LENGTH, None)
        async with await self._ask(request.method, request.rel_url.raw_path_qs, headers, body, upgrade) as answer:
            if upgrade and answer.status == 101:
                return await self._tunnel(request, answer)
            return await self._relay(request, answer)

    async def is_crew(self, request: web.BaseRequest) -> bool:
        """Whether the core knows a grant of the crew behind the request."""
        if hdrs.AUTHORIZATION not in request.headers and hdrs.COOKIE not in request.headers:
            return False
        headers = self.headers(request)
        headers.popall(hdrs.CONTENT_LENGTH, None)
        try:
            async with asyncio.timeout(WAIT_S), await self._ask("GET", "/api/v1/me", headers, None) as answer:
                return HOLDER_MARK in answer.headers
        except (Unavailable, TimeoutError):
            return False

    async def report(self, said: bytes) -> None:
        """Tell the core something of this process. Raises Unavailable, or aiohttp's errors."""
        assert self._session is not None
        async with self._session.put(URL(f"http://core{REPORT_PATH}"), data=said) as answer:
            answer.raise_for_status()

    async def told(self, path: str) -> bytes | None:
        """The core's answer to a question of this process's own; None for 404. ``path`` is percent-encoded. Raises
        Unavailable, also where a core that hangs does not answer."""
        try:
            async with asyncio.timeout(WAIT_S), await self._ask("GET", path, {}, None) as answer:
                if answer.status == 404:
                    return None
                answer.raise_for_status()
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _away(UNAVAILABLE) from error

    def headers(self, request: web.BaseRequest, *, upgrade: bool = False) -> CIMultiDict[str]:
        """The request's headers as they go to the core, with the client's address."""
        dropped = _HOPS - {"upgrade", "connection"} if upgrade else _HOPS
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in dropped and not name.lower().startswith(_OURS)
        )
        headers[CLIENT] = self._nobody.peer(request)
        headers[SCHEME] = "https" if speaks_tls(request) else "http"
        return headers

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Body,
        upgrade: bool = False,
    ) -> aiohttp.ClientResponse:
        assert self._session is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        away = UNAVAILABLE
        options: dict[str, Any] = {"read_until_eof": False} if upgrade else {}
        while True:
            try:
                return await self._session.request(
                    method,
                    URL(f"http://core{path}", encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    **options,
                )
            except aiohttp.ClientConnectorError:
                await self._reachable(deadline)
            except (aiohttp.ClientError, ConnectionError) as error:
                if isinstance(body, aiohttp.StreamReader) and body.exception() is not None:
                    raise BadRequest("The body cannot be decoded.", code="bad_body") from error
                if not isinstance(body, bytes) and (body is not None or method not in _SAFE):
                    # Whether it was done before the core went, nobody here can know.
                    raise _away(LOST) from error
                away = LOST if isinstance(body, bytes) else away
                await asyncio.sleep(RETRY_S)
            if loop.time() >= deadline:
                raise _away(away)

    async def _reachable(self, deadline: float) -> None:
        """Wait until the core listens, for all who wait by one look at a time: a hall's phones wait together."""
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call(), name="core is called")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(self._calling)

    async def _call(self) -> None:
        while True:
            # It refused a moment ago.
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(OSError):
                run_folder.connect(self._run_dir, run_folder.CORE_SOCKET).close()
                return

    async def _relay(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        if HOLDER_MARK in answer.headers:
            request[HOLDER] = True
        headers = CIMultiDict(
            (name, value)
            for name, value in answer.headers.items()
            if name.lower() not in _HOPS and not name.lower().startswith(_OURS)
        )
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if "close" in answer.headers.get(hdrs.CONNECTION, "").lower():
            response.force_close()
        await response.prepare(request)
        unwatch = self._watch(answer.connection, partial(_cut_short, request, answer))
        try:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        except (aiohttp.ClientError, ConnectionError):
            # The rest will not come: only the end of the connection can say so.
            cut_off(request)
            return response
        finally:
            unwatch()
        await response.write_eof()
        return response

    def _watch(self, connection: Any, hung_up: Callable[[], None]) -> Callable[[], None]:
        """Have ``hung_up`` called if the core ends a connection that is not read. Returns the function that cancels
        this."""
        transport = None if connection is None else connection.transport
        sock = None if transport is None else transport.get_extra_info("socket")
        if sock is None or (descriptor := sock.fileno()) < 0:
            return _nothing
        self._unread[descriptor] = hung_up

        def unwatch() -> None:
            # Closed, it may already be another connection's.
            if self._unread.get(descriptor) is hung_up:
                del self._unread[descriptor]

        return unwatch

    async def _look(self) -> None:
        """While a client does not read, its answer's end is not read either: a key that was revoked would stay open
        to it."""
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._unread:
                continue
            poll = select.poll()
            for descriptor in self._unread:
                poll.register(descriptor, 0)
            for descriptor, _ in poll.poll(0):
                if (hung_up := self._unread.pop(descriptor, None)) is not None:
                    hung_up()

    # --- WebSockets ---------------------------------------------------------------------------------

    async def _tunnel(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Bytes go both ways until one side ends; a side that does not read stops the other."""
        connection = answer.connection
        client, client_protocol = request.transport, request.protocol
        assert connection is not None
        assert connection.transport is not None
        core, core_protocol = connection.transport, connection.protocol
        if client is None:
            return _ended()
        head = b"".join(
            b"%s: %s\r\n" % (name, value)
            for name, value in answer.raw_headers
            if not name.lower().startswith(_OURS.encode())
        )
        client.write(b"HTTP/1.1 101 Switching Protocols\r\n%s\r\n" % head)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tunnels.add(done)
        up = _Pipe(client, core_protocol, done)
        down = _Pipe(core, client_protocol, done)

        def hung_up() -> None:
            cut_off(request)
            down.feed_eof()

        down.watch = partial(self._watch, connection, hung_up)
        try:
            core_protocol.set_parser(down, _NoReader())  # type: ignore[union-attr]
            client_protocol.set_parser(up)  # type: ignore[arg-type]
            await done
        finally:
            self._tunnels.discard(done)
            for pipe in (up, down):
                pipe.close()
            core.close()
            client.close()
        return _ended()


class _Pipe:
    """Takes one connection's bytes, in place of a parser, and writes them into the other one."""

    def __init__(self, source: Any, sink: Any, done: asyncio.Future[None]) -> None:
        self._source = source
        self._sink = sink
        self._done = done
        self._waiting: asyncio.Task[None] | None = None
        self.watch: Callable[[], Callable[[], None]] = lambda: _nothing
        """Called where the source is read no more; the function that it returns, where it is read again."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        transport = self._sink.transport
        if transport is None or transport.is_closing():
            self.feed_eof()
            return False, b""
        transport.write(data)
        if self._sink._paused and self._waiting is None:
            self._source.pause_reading()
            self._waiting = asyncio.create_task(self._go_on(self.watch()), name="tunnel waits")
        return False, b""

    def feed_eof(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def set_exception(self, _error: BaseException, _cause: BaseException | None = None) -> None:
        self.feed_eof()

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _go_on(self, unwatch: Callable[[], None]) -> None:
        try:
            await self._sink._drain_helper()
        except ConnectionError:
            self.feed_eof()
            return
        finally:
            self._waiting = None
            unwatch()
        if not self._source.is_closing():
            self._source.resume_reading()


class _NoReader:
    """aiohttp's client asks for the reader of what a parser finds; bytes that only pass have none."""

    def is_eof(self) -> bool:
        return True

    def set_exception(self, _error: BaseException, _cause: BaseException | None = None) -> None:
        pass


def _may_go_again(request: web.Request) -> bool:
    """Whether the core knows a request that it has had, and answers it as before."""
    small = request.content_length is not None and request.content_length <= MOST_KEPT
    keyed = HEADER in request.headers and may_repeat(request.method, request.path)
    return keyed and (small or not request.body_exists)


async def _whole(request: web.Request) -> bytes:
    """Raises BadRequest ``bad_body``."""
    try:
        return await request.content.read() if request.body_exists else b""
    except (aiohttp.ClientError, web.RequestPayloadError) as error:
        raise BadRequest("The body cannot be decoded.", code="bad_body") from error


def _nothing() -> None:
    """For what is not watched."""


def _cut_short(request: web.Request, answer: aiohttp.ClientResponse) -> None:
    # An answer that has come as a whole cannot be taken back.
    if not answer.content.is_eof():
        cut_off(request)


def _ended() -> web.Response:
    """For the log only: the connection is closed."""
    return web.Response(status=499)


def _away(code: str) -> Unavailable:
    return Unavailable("The server starts again.", code=code, headers={hdrs.RETRY_AFTER: "1"})
