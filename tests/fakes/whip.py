"""A WHIP endpoint over :class:`Publications` alone, and a sink that keeps the units."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from streamer.control.messages import Candidates, Offer
from streamer.errors import StreamerError
from streamer.formats.types import AccessUnit
from streamer.room.publications import Publications
from streamer.rtc.receiver import Drop
from streamer.settings import IceSettings, Settings


class KeepingSink:
    """Keeps the units of publications, in order."""

    def __init__(self) -> None:
        self.units: list[AccessUnit] = []
        self.events: list[tuple[str, ...]] = []
        self.changes = 0

    def source_up(self, name: str) -> None:
        self.events.append(("up", name))

    def access_unit(self, name: str, unit: AccessUnit) -> None:
        self.units.append(unit)

    def source_down(self, name: str, reason: str) -> None:
        self.events.append(("down", name, reason))

    def changed(self) -> None:
        self.changes += 1

    def of(self, kind: str) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.kind == kind]


def loopback_settings(**ice: object) -> Settings:
    return Settings(ice=IceSettings.model_validate({"host_addresses": ("127.0.0.1",), **ice}))


class WhipShim:
    """``POST /whip/{room}`` and the resource. ``requests`` keeps methods and headers as they came."""

    def __init__(self, settings: Settings | None = None, *, drop: Drop | None = None, host: str = "127.0.0.1") -> None:
        self.host = host
        self.sink = KeepingSink()
        self.settings = settings or loopback_settings()
        self.drop = drop
        self.publications = Publications(self.settings, self.sink, drop=drop)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.offers: list[str] = []
        self.answers: list[str] = []
        self.url = ""
        self.refuse: int | None = None
        """Answer each POST with this status."""
        app = web.Application()
        app.router.add_post("/whip/{room}", self._post)
        app.router.add_get("/api/v1/rooms/{room}", self._room)
        app.router.add_patch("/whip/{room}/{resource}", self._patch)
        app.router.add_delete("/whip/{room}/{resource}", self._delete)
        self._runner = web.AppRunner(app)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.url = f"http://{host}:{port}/whip/hall"

    async def stop(self) -> None:
        await self.publications.close()
        await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        self.requests.append(("POST", dict(request.headers)))
        if self.refuse is not None:
            return web.json_response({"error": {"code": "refused", "message": "no"}}, status=self.refuse)
        text = await request.text()
        self.offers.append(text)
        offer = Offer(
            kind="publish",
            sdp=text,
            grant=request.headers.get("Authorization", ""),
            takeover="takeover" in request.query,
            client=request.headers.get("User-Agent", ""),
        )
        try:
            answer = await self.publications.offer(offer)
        except StreamerError as error:
            return web.json_response(error.body(), status=error.status)
        self.answers.append(answer.sdp)
        headers = {"Location": f"/whip/hall/{answer.resource}", "ETag": f'"{answer.etag}"'}
        return web.Response(text=answer.sdp, status=201, content_type="application/sdp", headers=headers)

    async def _room(self, _request: web.Request) -> web.Response:
        up = {name: {"up": status.up} for name, status in self.publications.status().items()}
        return web.json_response({"id": "hall", "sources": up})

    async def _patch(self, request: web.Request) -> web.Response:
        self.requests.append(("PATCH", dict(request.headers)))
        candidates = Candidates(
            resource=request.match_info["resource"],
            fragment=await request.text(),
            if_match=request.headers.get("If-Match"),
        )
        try:
            await self.publications.candidates(candidates)
        except StreamerError as error:
            return web.json_response(error.body(), status=error.status)
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        self.requests.append(("DELETE", dict(request.headers)))
        try:
            await self.publications.hangup(request.match_info["resource"])
        except StreamerError as error:
            return web.json_response(error.body(), status=error.status)
        return web.Response(status=200)


@asynccontextmanager
async def whip_shim(
    settings: Settings | None = None, *, drop: Drop | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[WhipShim]:
    shim = WhipShim(settings, drop=drop, host=host)
    await shim.start()
    try:
        yield shim
    finally:
        await shim.stop()
