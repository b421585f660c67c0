"""One test per private attribute of python-engineio that :mod:`streamer.realtime.engine` uses.

They fail when a new version of the library moves something, and say what.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import ClientWebSocketResponse, web
from aiohttp.test_utils import TestClient, TestServer
from engineio.packet import MESSAGE, NOOP, PING, Packet

from streamer.errors import BadRequest
from streamer.realtime import engine
from streamer.realtime.engine import EngineServer, SendQueue, WebSocket, Wire
from streamer.realtime.packets import EVENT, OutgoingMessage, pack
from tests.fakes.waiting import until

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
ADDRESS = "192.0.2.7"


@dataclass
class Recorder:
    """A handler of connections that lets everybody in and remembers who came and went."""

    came: list[tuple[Wire, str]] = field(default_factory=list)
    went: list[tuple[Wire, str]] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)

    def opened(self, wire: Wire, address: str) -> None:
        self.came.append((wire, address))

    def ended(self, wire: Wire, address: str) -> None:
        self.went.append((wire, address))

    async def enter(self, wire: Wire, namespace: str, auth: Any, request: web.Request) -> Any:
        self.requests.append(request)
        return type("Client", (), {"sid": "c1", "namespace": namespace})()

    def entered(self, client: Any) -> None:
        """Does nothing."""

    async def command(self, client: Any, name: str, payload: list[Any]) -> dict[str, Any]:
        return {"ok": True, "name": name}

    def left(self, client: Any) -> None:
        """Does nothing."""


@dataclass
class Served:
    server: EngineServer
    handler: Recorder
    http: TestClient[web.Request, web.Application]

    async def poll(self, sid: str = "") -> str:
        async with self.http.get(f"{POLLING}&sid={sid}" if sid else POLLING) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def post(self, sid: str, body: str) -> int:
        async with self.http.post(f"{POLLING}&sid={sid}", data=body) as response:
            await response.read()
            return response.status

    async def polling(self) -> tuple[str, Any]:
        """A session that polls: its id, and Engine.IO's socket."""
        sid: str = json.loads((await self.poll())[1:])["sid"]
        return sid, self.server.engine.sockets[sid]

    async def websocket(self, sid: str = "") -> ClientWebSocketResponse:
        return await self.http.ws_connect(f"{WEBSOCKET}&sid={sid}" if sid else WEBSOCKET)


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Served]:
    handler = Recorder()
    known = {"cors_allowed_origins": [], "max_http_buffer_size": 1000, "ping_interval": 5, "ping_timeout": 5}
    server = EngineServer(handler, frozenset({"/a"}), **{**known, "http_compression": False, **options})

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await server.answer(request, ADDRESS, await request.read())
        except BadRequest as error:
            return web.json_response(error.body(), status=400)

    app = web.Application()
    app.router.add_route("*", engine.PATH, answer)
    async with TestClient(TestServer(app)) as http:
        try:
            yield Served(server, handler, http)
        finally:
            await server.engine.close()


def test_the_versions_are_those_that_were_read_and_no_others_are_installed() -> None:
    known = {"python-engineio": "4.15.1", "python-socketio": "5.18.1"}
    assert {name: version(name) for name in known} == known
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    assert dict(re.findall(r'"(python-(?:engineio|socketio))==([\d.]+)"', project)) == known


# --- the driver: ``_async`` ---


async def test_a_websocket_is_served_by_our_driver() -> None:
    async with served() as at:
        assert at.server.engine._async["websocket"] is WebSocket
        socket = await at.websocket()
        assert (await socket.receive_str())[0] == "0"
        [(wire, _)] = at.handler.came
        assert wire._transport is not None, "our driver attached it"
        # The driver is given the session's bound method and the server.
        assert wire._socket._websocket_handler.__self__ is wire._socket
        await socket.close()


async def test_the_environment_of_a_request_is_ours() -> None:
    async with served() as at:
        sid, _ = await at.polling()
        assert await at.post(sid, "40/a,") == 200
        [(_, address)] = at.handler.came
        assert address == ADDRESS
        [request] = at.handler.requests
        assert request.path == engine.PATH
        environment = at.server._environments[sid]
        assert not [name for name in environment if "FORWARDED" in name]


async def test_a_body_is_read_from_the_environment() -> None:
    async with served() as at:
        sid, _ = await at.polling()
        assert await at.post(sid, '40/a,\x1e42/a,7["x"]') == 200
        assert json.loads((await at.poll(sid)).split("\x1e")[-1].removeprefix("43/a,7")) == [{"ok": True, "name": "x"}]


async def test_a_larger_body_than_the_buffer_is_refused() -> None:
    async with served() as at:
        assert at.server.engine.max_http_buffer_size == 1000
        sid, _ = await at.polling()
        assert await at.post(sid, "4" + "x" * 1001) == 400


# --- what the server tells ---


async def test_events_are_told_in_order_and_waited_for() -> None:
    async with served() as at:
        assert at.server.engine.async_handlers is False
        sid, _ = await at.polling()
        assert await at.post(sid, "40/a,\x1e" + "\x1e".join(f'42/a,{n}["x{n}"]' for n in range(5))) == 200
        answers = [one for one in (await at.poll(sid)).split("\x1e") if one.startswith("43")]
        assert [one[:6] for one in answers] == [f"43/a,{n}" for n in range(5)]
        assert await at.post(sid, "1") == 200
        assert [wire for wire, _ in at.handler.went] == [wire for wire, _ in at.handler.came]


async def test_sessions_are_numbered_by_the_engine() -> None:
    async with served() as at:
        made = {at.server.engine.generate_id() for _ in range(100)}
        assert len(made) == 100
        sid, socket = await at.polling()
        assert (socket.sid, at.server.engine.sockets) == (sid, {sid: socket})
        assert at.server.engine.wire_of(socket) is at.server.engine.wires[sid]


# --- queues ---


async def test_each_session_has_a_queue_of_ours() -> None:
    async with served() as at:
        _, socket = await at.polling()
        assert isinstance(socket.queue, SendQueue)


async def test_the_queue_counts_by_what_asyncio_calls() -> None:
    queue = SendQueue()
    await queue.put(Packet(MESSAGE, data="12345"))
    queue.put_nowait(Packet(PING))
    assert (queue.size, queue.qsize()) == (5, 2)
    assert (await queue.get()).data == "12345"
    assert (queue.size, queue.get_nowait().packet_type) == (0, PING)


async def test_a_packet_in_the_queue_is_encoded_as_the_frame_is() -> None:
    message: OutgoingMessage = pack(EVENT, "/a", ["x", {"y": "é"}])
    assert message.packet.encode().encode() == b"4" + message.payload
    assert Packet(NOOP).data is None


async def test_a_session_that_sends_no_packet_is_not_waited_for() -> None:
    """Engine.IO joins the queue of one whose packet it does not know: for ever, where nobody polls any more."""
    async with served() as at:
        sid, socket = await at.polling()
        socket.queue.put_nowait(Packet(MESSAGE, data="unread"))
        async with asyncio.timeout(30):
            assert await at.post(sid, "6") == 400
        assert socket.closed


# --- the socket's flags ---


async def test_a_polling_session_is_connected_and_not_upgraded() -> None:
    async with served() as at:
        _, socket = await at.polling()
        assert (socket.connected, socket.upgraded, socket.upgrading, socket.closing, socket.closed) == (
            True, False, False, False, False,
        )  # fmt: skip


async def test_a_session_by_websocket_alone_is_connected_only_after_our_driver_is_made() -> None:
    async with served() as at:
        socket = await at.websocket()
        await socket.receive_str()
        [(wire, _)] = at.handler.came
        assert (wire._socket.connected, wire._socket.upgraded) == (True, True)
        assert wire._direct, "from its first frame"
        await socket.close()


async def test_an_upgrade_goes_through_its_flags() -> None:
    async with served() as at:
        sid, socket = await at.polling()
        wire = at.server.engine.wires[sid]
        upgraded = await at.websocket(sid)
        await upgraded.send_str("2probe")
        assert await upgraded.receive_str() == "3probe"
        assert socket.queue.get_nowait().packet_type == NOOP, "what is to end the poll"
        assert (socket.upgrading, socket.upgraded, wire.ready) == (True, False, False)
        assert await at.poll(sid) == "6"
        await upgraded.send_str("5")
        await until(lambda: socket.upgraded)
        assert (socket.upgrading, wire._direct) == (False, False)
        for _ in range(3):
            await until(socket.queue.empty)
            wire.settle()
        assert wire._direct
        wire.write(pack(EVENT, "/a", ["direct"]))
        assert await upgraded.receive_str() == '42/a,["direct"]'
        await upgraded.close()


async def test_none_in_the_queue_answers_a_poll_that_is_held() -> None:
    async with served() as at:
        sid, _ = await at.polling()
        held = asyncio.create_task(at.poll(sid))
        await asyncio.sleep(0.05)
        assert not held.done()
        at.server.engine.wires[sid].release()
        assert await asyncio.wait_for(held, 2) == ""


# --- ends ---


async def test_a_session_is_closed_without_a_word_and_told_of() -> None:
    async with served() as at:
        sid, socket = await at.polling()
        seen: list[str] = []
        at.server.engine.on("disconnect", lambda _sid, reason: seen.append(reason))
        at.server.engine.hang_up(socket)
        await until(lambda: sid not in at.server.engine.sockets)
        assert (socket.closed, socket.closing, seen) == (True, True, [at.server.engine.reason.SERVER_DISCONNECT])


async def test_a_body_for_a_session_that_has_just_ended_is_refused() -> None:
    async with served() as at:
        sid, socket = await at.polling()
        await socket.close(wait=False, abort=True)
        assert at.server.engine.sockets[sid] is socket, "it stays until somebody looks"
        assert await at.post(sid, "40/a,") == 400


async def test_a_body_whose_first_packet_ends_the_session_is_refused() -> None:
    """Engine.IO has no answer for it: a local variable of its ``handle_request`` is not set."""
    async with served() as at:
        sid, socket = await at.polling()

        async def gone(_packet: Any) -> None:
            del at.server.engine.sockets[sid]
            await type(socket).receive(socket, Packet(NOOP))

        socket.receive = gone
        assert await at.post(sid, "40/a,") == 400


async def test_the_heartbeat_is_a_task_that_ends_with_the_engine() -> None:
    async with served() as at:
        assert at.server.engine.service_task_handle is None
        await at.polling()
        task = at.server.engine.service_task_handle
        assert task is not None
        assert not task.done()
        await at.server.engine.close()
        assert task.done()
        assert at.server.engine.service_task_handle is None
