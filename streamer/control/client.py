"""The web plane's only connection to the media plane. All on the loop.

:class:`MediaPlaneClient` knows the rooms that are open on this machine, opens them by the media host, and finds them
again when the web process starts. It keeps no state that it could not ask for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
import structlog

from streamer.control import run_folder
from streamer.control.channel import Channel
from streamer.control.framing import builtins_to
from streamer.control.link import NOT_THE_DIRECTOR, OrderEpoch, RoomClient, no_epoch
from streamer.control.media_plane import Change, RoomLink
from streamer.control.messages import ControlEvent, RoomConfig, RoomEntry
from streamer.errors import StreamerError, Unavailable
from streamer.settings import Settings
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 1.0
ENSURE_LIMIT_S = 15.0
HOST_LIMIT_S = 5.0
"""A request waits this long for a media host that is restarting."""
FIND_LIMIT_S = 2.0
LINGER_S = 10.0
"""The link of a closed room stays for this long, so that waiting players see the end."""

Listener = Callable[[RoomLink, Change], None]


class MediaPlaneClient:
    """A :class:`streamer.control.media_plane.MediaPlane`. ``order_epoch``: see there; ``doubt`` is called when a
    room or the media host has obeyed a newer epoch."""

    def __init__(
        self,
        settings: Settings,
        *,
        linger_s: float = LINGER_S,
        order_epoch: OrderEpoch = no_epoch,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._order_epoch = order_epoch
        self._doubt = doubt
        self._settings = settings
        self._run_dir = settings.run_dir
        self._linger_s = linger_s
        self._links: dict[str, RoomClient] = {}
        self.rooms: Mapping[str, RoomClient] = MappingProxyType(self._links)
        self.host_reconnects = 0
        self._entries: dict[str, RoomEntry] = {}
        self._listeners: dict[object, Listener] = {}
        self._host: Channel | None = None
        self._host_changed = asyncio.Event()
        self._lingering: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        run_folder.make_run_dir(self._run_dir)
        await self._find_rooms()
        self._tasks.append(start_kept("media host link", self._keep_host))
        try:
            async with asyncio.timeout(FIND_LIMIT_S):
                for link in list(self._links.values()):
                    await link.wait_up()
        except TimeoutError:
            log.warning("rooms_still_silent", rooms=[room for room, link in self._links.items() if not link.up])

    async def close(self) -> None:
        tasks = [*self._tasks, *self._lingering.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._host is not None:
            await self._host.close()
        for link in list(self._links.values()):
            await link.disconnect()
        self._links.clear()

    @property
    def host_up(self) -> bool:
        return self._host is not None and self._host.up

    @property
    def entries(self) -> Mapping[str, RoomEntry]:
        """Room -> its last entry from the media host."""
        return MappingProxyType(self._entries)

    def listen(self, listener: Listener) -> Callable[[], None]:
        ticket = object()
        self._listeners[ticket] = listener

        def end() -> None:
            self._listeners.pop(ticket, None)

        return end

    async def ensure(self, config: RoomConfig) -> RoomClient:
        run_folder.check_room_id(config.id)
        try:
            async with asyncio.timeout(ENSURE_LIMIT_S):
                while True:
                    try:
                        await self._ask_host(config)
                    except _HostAway:
                        # The host is away, but its rooms are not: a room that is up can be used.
                        link = self._links.get(config.id)
                        if link is None or not link.up:
                            raise
                        await link.request(
                            "configure", msgspec.structs.replace(config, epoch=await self._order_epoch())
                        )
                        return link
                    if await self._comes_up(config.id):
                        return self._links[config.id]
        except TimeoutError as error:
            raise Unavailable(
                "The room could not be opened in time.", code="room_start_failed", headers={"Retry-After": "5"}
            ) from error

    async def configure(self, config: RoomConfig) -> None:
        if config.id in self._links:
            await self.ensure(config)

    async def stop(self, room: str) -> None:
        host = await self._reach_host()
        await host.request("stop", {"room": room}, epoch=await self._order_epoch())

    # --- the media host --------------------------------------------------------------------------------

    async def _ask_host(self, config: RoomConfig) -> None:
        host = await self._reach_host()
        epoch = await self._order_epoch()
        try:
            order = msgspec.structs.replace(config, epoch=epoch)
            entry = builtins_to(await host.request("ensure", order, epoch=epoch), RoomEntry)
        except StreamerError as error:
            if error.code in ("connection_lost", "timed_out"):
                raise _HostAway() from error
            if error.code == NOT_THE_DIRECTOR:
                self._doubt()
            raise
        except msgspec.ValidationError as error:
            raise StreamerError("The media host's answer is unreadable.", code="bad_reply") from error
        self._take_in(entry)

    async def _reach_host(self) -> Channel:
        try:
            async with asyncio.timeout(HOST_LIMIT_S):
                while self._host is None or not self._host.up:
                    await self._host_changed.wait()
                return self._host
        except TimeoutError as error:
            raise _HostAway() from error

    async def _comes_up(self, room: str) -> bool:
        """False if it closed instead: it was closing already, and must be opened again."""
        while True:
            link = self._links.get(room)
            if link is None or room in self._lingering:
                return False
            if link.up:
                return True
            try:
                async with asyncio.timeout(FIRST_RETRY_S):
                    await link.wait_up()
            except TimeoutError:
                continue

    async def _keep_host(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                host = await Channel.open(self._run_dir, run_folder.MEDIA_SOCKET, self._on_event)
                try:
                    await self._greet(host)
                    retry_s = FIRST_RETRY_S
                    await host.wait_closed()
                finally:
                    await host.close()
                    self._set_host(None)
                self.host_reconnects += 1
                log.warning("media_host_away")
            except (OSError, StreamerError) as error:
                log.debug("media_host_not_reached", error=str(error))
            except Exception:
                log.exception("media_host_link_failed")
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)
            await self._find_rooms()

    async def _greet(self, host: Channel) -> None:
        try:
            entries = builtins_to(await host.request("list", epoch=await self._order_epoch()), list[RoomEntry])
        except msgspec.ValidationError as error:
            raise StreamerError("The media host's answer is unreadable.", code="bad_reply") from error
        for entry in entries:
            self._take_in(entry)
        known = {entry.room for entry in entries}
        for room in [room for room in self._links if room not in known]:
            self._linger(room)
        self._set_host(host)
        log.info("media_host_found", rooms=len(entries))

    def _set_host(self, host: Channel | None) -> None:
        self._host = host
        self._host_changed.set()
        self._host_changed = asyncio.Event()

    def _on_event(self, event: ControlEvent) -> None:
        if event.kind != "room":
            return
        try:
            self._take_in(builtins_to(event.data, RoomEntry))
        except msgspec.ValidationError as error:
            log.error("media_host_event_unreadable", error=str(error))

    def _take_in(self, entry: RoomEntry) -> None:
        if entry.state == "closed":
            self._entries.pop(entry.room, None)
            self._linger(entry.room)
            return
        self._entries[entry.room] = entry
        lingering = self._lingering.pop(entry.room, None)
        if lingering is not None:
            lingering.cancel()
        self._link(entry.room).ended = False

    # --- links -----------------------------------------------------------------------------------------

    async def _find_rooms(self) -> None:
        """Find the rooms that answer without a media host."""
        for room in run_folder.rooms_with_sockets(self._run_dir):
            if room in self._links:
                continue
            try:
                channel = await Channel.open(self._run_dir, run_folder.control_socket(room))
            except OSError:
                continue
            await channel.close()
            self._link(room)

    def _link(self, room: str) -> RoomClient:
        link = self._links.get(room)
        if link is None:
            link = RoomClient(
                self._run_dir,
                room,
                cache_bytes=self._settings.hls.cache_bytes_per_room,
                listener=self._tell,
                remember=self.configure,
                order_epoch=self._order_epoch,
                doubt=self._doubt,
            )
            self._links[room] = link
            self._tell(link, "added")
        return link

    def _linger(self, room: str) -> None:
        if room in self._links and room not in self._lingering:
            self._links[room].ended = True
            self._lingering[room] = asyncio.create_task(self._remove(room), name=f"room {room} ends")

    async def _remove(self, room: str) -> None:
        await asyncio.sleep(self._linger_s)
        link = self._links.pop(room)
        self._lingering.pop(room, None)
        self._tell(link, "removed")
        await link.disconnect()

    def _tell(self, link: RoomClient, what: Change) -> None:
        for listener in list(self._listeners.values()):
            listener(link, what)


class _HostAway(Unavailable):
    def __init__(self) -> None:
        super().__init__("The media host is away.", code="media_host_unavailable", headers={"Retry-After": "2"})
