"""``/livez``, ``/readyz`` and ``/metrics``, and the application of a web process while another one directs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from streamer.errors import StreamerError, Unavailable
from streamer.observe.metrics import WebMetrics

Check = Callable[[], Awaitable[str | None]]
"""Raises a StreamerError if the thing that it checks does not work. An answer other than None is told instead of
``ok``: it works, and somebody should look."""
Guard = Callable[[web.Request], Awaitable[None]]
"""Raises a StreamerError for clients that may not ask."""

_NO_STORE: dict[str, str] = {hdrs.CACHE_CONTROL: "no-store"}
_NOT_READY: dict[str, str] = {**_NO_STORE, hdrs.RETRY_AFTER: "1"}
_WAITING: dict[str, str] = {**_NO_STORE, hdrs.RETRY_AFTER: "5", hdrs.CONNECTION: "close"}


def waiting_application(who: Callable[[], str]) -> web.Application:
    """For a web process that waits to direct: it serves nothing. ``who`` names the present director, in words."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "waiting"}, headers=_NO_STORE)

    async def refuse(request: web.Request) -> web.Response:
        code = "not_ready" if request.path == "/readyz" else "not_the_director"
        error = Unavailable("Another server directs.", code=code, details={"director": who()})
        return web.json_response(error.body(), status=503, headers=_WAITING)

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_route("*", "/{path:.*}", refuse)
    return app


async def livez(_request: web.Request) -> web.Response:
    """Answers if the loop runs. Nothing else is checked, or a slow disk would cause a restart."""
    return web.json_response({"status": "ok"}, headers=_NO_STORE)


def add_routes(app: web.Application, metrics: WebMetrics, checks: Mapping[str, Check], *, guard: Guard) -> None:
    """``checks`` by name: all must pass for ``/readyz``. ``guard`` stands before ``/metrics``."""

    async def readyz(_request: web.Request) -> web.Response:
        found: dict[str, str] = {}
        failed: list[str] = []
        for name, check in checks.items():
            try:
                found[name] = await check() or "ok"
            except StreamerError as error:
                found[name] = error.code
                failed.append(name)
        if failed:
            answer = Unavailable("Not ready.", code="not_ready", details=found).body()
            return web.json_response(answer, status=503, headers=_NOT_READY)
        return web.json_response({"status": "ok", "checks": found}, headers=_NO_STORE)

    async def metrics_page(request: web.Request) -> web.Response:
        await guard(request)
        return web.Response(
            body=metrics.render(),
            headers={str(hdrs.CACHE_CONTROL): "no-store", str(hdrs.CONTENT_TYPE): CONTENT_TYPE_PLAIN_0_0_4},
        )

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics_page)
