"""The bus over a Unix socket in ``DIR/run`` (control/server.py and channel.py): the core listens, fronts connect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from streamer.bus.port import M, Stop, unavailable
from streamer.control import run_folder
from streamer.control.channel import Channel
from streamer.control.framing import FrameError, builtins_to, encode_frame
from streamer.control.messages import ControlEvent, Request
from streamer.control.outbound import Outbound
from streamer.control.server import ControlServer, Handler, typed, wait_cancelled
from streamer.errors import StreamerError
from streamer.supervision import start_kept

RETRY_S = 0.05
SUBSCRIBE = "bus.subscribe"
MAX_PENDING = 2000
"""Requests of one front that may run at once: a hall's phones vote together."""

log = structlog.get_logger(__name__)
A = TypeVar("A")


class _Listeners:
    def __init__(self) -> None:
        self._all: dict[Callable[[Any], None], None] = {}

    def add(self, listener: Callable[[Any], None]) -> Stop:
        self._all[listener] = None
        return partial(self._all.pop, listener, None)

    def tell(self, value: Any) -> None:
        for listener in list(self._all):
            listener(value)


class _Server(ControlServer):
    """A control server whose connections may each hear subjects of their own."""

    def __init__(self, path: Path, handlers: dict[str, Handler], gone: Callable[[str], None]) -> None:
        super().__init__(path, handlers, max_pending=MAX_PENDING)
        self._gone = gone
        self._hearing: dict[str, Outbound] = {}

    def tell(self, subject: str, message: msgspec.Struct) -> None:
        if (out := self._hearing.get(subject)) is None:
            return
        try:
            out.send(encode_frame(ControlEvent(kind=subject, data=message)))
        except FrameError as error:
            log.error("bus_message_lost", subject=subject, error=str(error))

    async def _call(self, request: Request, out: Outbound) -> Any:
        if request.method != SUBSCRIBE:
            return await super()._call(request, out)
        subject = str(request.params["subject"])
        if subject in self._hearing:
            # A front that was killed and is back, before the end of its former connection was seen.
            self._gone(subject)
        self._hearing[subject] = out
        return None

    def _ended(self, out: Outbound) -> None:
        for subject in [subject for subject, hearing in self._hearing.items() if hearing is out]:
            del self._hearing[subject]
            self._gone(subject)


class LocalCore:
    """The core's side. A new core takes the place of one that was killed."""

    def __init__(self, run_dir: Path) -> None:
        self._handlers: dict[str, Handler] = {}
        self._up, self._gone = _Listeners(), _Listeners()
        self._server = _Server(run_dir / run_folder.BUS_SOCKET, self._handlers, self._gone.tell)
        self.up = False

    async def start(self) -> None:
        await self._server.start()
        self.up = True
        self._up.tell(True)

    async def close(self) -> None:
        self.up = False
        await self._server.close()

    def listen(self, listener: Callable[[bool], None]) -> Stop:
        return self._up.add(listener)

    def on_gone(self, listener: Callable[[str], None]) -> Stop:
        return self._gone.add(listener)

    def answer(self, subject: str, kind: type[M], handler: Callable[[M], Awaitable[Any]]) -> Stop:
        self._handlers[subject] = typed(kind, handler)
        return partial(self._handlers.pop, subject, None)

    def publish(self, subject: str, message: msgspec.Struct) -> None:
        self._server.tell(subject, message)


class LocalFront:
    """A front's side. Subscribe before :meth:`start`."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._subscribed: dict[str, Callable[[Any], None]] = {}
        self._listeners = _Listeners()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._channel is not None and self._channel.up

    async def start(self) -> None:
        self._task = start_kept("bus", self._run)

    async def close(self) -> None:
        if self._task is not None:
            await wait_cancelled(self._task)

    def listen(self, listener: Callable[[bool], None]) -> Stop:
        return self._listeners.add(listener)

    async def request(self, subject: str, message: msgspec.Struct, answer: type[A], timeout_s: float) -> A:
        if (channel := self._channel) is None:
            raise unavailable()
        try:
            return builtins_to(await channel.request(subject, message, limit_s=timeout_s), answer)
        except StreamerError as error:
            if error.code in ("connection_lost", "timed_out"):
                raise unavailable() from error
            raise

    def subscribe(self, subject: str, kind: type[M], handler: Callable[[M], None]) -> Stop:
        def hear(data: Any) -> None:
            try:
                message = builtins_to(data, kind)
            except msgspec.ValidationError as error:
                log.error("bus_message_unreadable", subject=subject, error=str(error))
                return
            handler(message)

        self._subscribed[subject] = hear
        return partial(self._subscribed.pop, subject, None)

    async def _run(self) -> None:
        while True:
            try:
                channel = await Channel.open(self._run_dir, run_folder.BUS_SOCKET, self._hear)
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                for subject in self._subscribed:
                    await channel.request(SUBSCRIBE, {"subject": subject})
                self._channel = channel
                self._listeners.tell(True)
                await channel.wait_closed()
            except StreamerError as error:
                log.warning("bus_not_joined", error=str(error))
            finally:
                was_up, self._channel = self._channel is not None, None
                if was_up:
                    self._listeners.tell(False)
                await channel.close()

    def _hear(self, event: ControlEvent) -> None:
        if (hear := self._subscribed.get(event.kind)) is not None:
            hear(event.data)
