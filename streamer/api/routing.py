"""The REST route table. The handler, its checks and its OpenAPI entry all come from one :class:`Route`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from streamer.api.auth import authenticate, caller_of, require, require_role
from streamer.api.context import SERVICES, Services
from streamer.api.idempotency import idempotency_key, may_repeat
from streamer.api.languages import locale_of
from streamer.api.models import ListQuery
from streamer.api.uncancelled import to_the_end
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller
from streamer.errors import BadRequest, StreamerError, Unprocessable
from streamer.store.answers import CommandId

PREFIX = "/api/v1"

_Model = TypeVar("_Model", bound=BaseModel)


class RequestTimeout(StreamerError):
    code, status = "timeout", 408


class TooLarge(StreamerError):
    code, status = "too_large", 413


class UnsupportedMediaType(StreamerError):
    code, status = "unsupported_media_type", 415


@dataclass(slots=True)
class Call:
    """One request of the REST interface, as a handler sees it."""

    request: web.Request
    services: Services
    grant: Grant | None
    action: Action | None
    _body: BaseModel | None
    _query: BaseModel | None
    headers: dict[str, str] = field(default_factory=dict)
    """Extra headers of the answer."""
    asked: CommandId | None = None
    """The request's ``Idempotency-Key``, of routes that take one."""

    def body(self, kind: type[_Model]) -> _Model:
        assert isinstance(self._body, kind)
        return self._body

    def query(self, kind: type[_Model]) -> _Model:
        assert isinstance(self._query, kind)
        return self._query

    def path(self, name: str) -> str:
        return self.request.match_info[name]

    @property
    def language(self) -> str:
        """For words of the server: ``en`` or ``fr``."""
        return locale_of(self.request)

    @property
    def holder(self) -> Grant:
        """The caller's grant; of routes with an action only."""
        assert self.grant is not None
        return self.grant

    def caller(self, session: Session | None = None) -> Caller:
        """The caller; with the link to ``session`` if the request has it."""
        return caller_of(self.request, self.grant, session)

    async def after(self, query: ListQuery) -> str | None:
        """The place after which the asked page begins. Raises BadRequest ``bad_cursor``."""
        return await self.services.cursors.open(self._list(query), query.cursor)

    async def cursor(self, query: ListQuery, place: str | None) -> str | None:
        """The cursor of the next page, for the answer."""
        return await self.services.cursors.seal(self._list(query), place)

    def _list(self, query: ListQuery) -> str:
        """The name of the list with its filters."""
        filters = query.model_dump(mode="json", exclude=ListQuery.NO_FILTERS, exclude_none=True)
        return json.dumps([self.request.path, filters], sort_keys=True)

    def require(self, target: Target) -> Grant:
        """Check role and scope for the route's action. Every handler of a route with an action calls it."""
        assert self.action is not None
        return require(self.grant, self.action, target)


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is no JSON. ``content_type`` includes its parameters. ``status`` None: the route's status."""

    text: str | bytes
    content_type: str
    status: int | None = None


Handler = Callable[[Call], Coroutine[Any, Any, BaseModel | Text | None]]


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is below ``/api/v1``. ``action`` None: open to everybody. ``answers``: alternatives of one shape."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    action: Action | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answers: tuple[type[BaseModel], ...] = ()
    texts: tuple[str, ...] = ()
    """Media types of the answers that are no JSON."""
    status: int = 200

    @property
    def full_path(self) -> str:
        return PREFIX + self.path

    @property
    def repeats(self) -> bool:
        """Whether a request with an ``Idempotency-Key`` may be sent again."""
        return may_repeat(self.method, self.full_path)


def add_routes(app: web.Application, routes: Sequence[Route]) -> None:
    for route in routes:
        if route.method == hdrs.METH_GET:
            # HEAD is added with it.
            app.router.add_get(route.full_path, _adapter(route))
        else:
            app.router.add_route(route.method, route.full_path, _adapter(route))


def _adapter(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        grant = await authenticate(request, services)
        if route.action is not None:
            require_role(grant, route.action)
        query = None if route.query is None else _validate(route.query, dict(request.query), "query")
        body = None if route.body is None else await _read_json(request, route.body)
        call = Call(request, services, grant, route.action, body, query)
        if route.repeats and grant is not None and (key := idempotency_key(request)):
            call.asked = CommandId(grant.id, key)
        # A client that hangs up must not leave a change half done.
        answer = await (route.handler(call) if route.method == "GET" else to_the_end(route.handler(call)))
        # The answer may hold things for the token's holder alone, so no cache keeps it.
        headers = {hdrs.CACHE_CONTROL: "no-store", hdrs.VARY: "Authorization, Cookie", **call.headers}
        if answer is None:
            return web.Response(status=204, headers=headers)
        if isinstance(answer, Text):
            headers[hdrs.CONTENT_TYPE] = answer.content_type
            body_bytes = answer.text if isinstance(answer.text, bytes) else answer.text.encode("utf-8")
            return web.Response(status=answer.status or route.status, body=body_bytes, headers=headers)
        return web.Response(
            status=route.status,
            body=answer.model_dump_json().encode("utf-8"),
            content_type="application/json",
            headers=headers,
        )

    return handle


@contextlib.asynccontextmanager
async def body_limit(request: web.Request) -> AsyncIterator[None]:
    """A time limit for reading a request's body, so that a slow client does not hold a handler. Raises
    RequestTimeout."""
    try:
        async with asyncio.timeout(request.app[SERVICES].settings.server.body_s):
            yield
    except TimeoutError as error:
        raise RequestTimeout("The body did not come in time.", headers={"Connection": "close"}) from error


async def read_file(request: web.Request, most: int) -> bytes:
    """A body that is a file, which may be larger than other bodies. Raises TooLarge, RequestTimeout."""
    chunks, size = [], 0
    async with body_limit(request):
        async for chunk in request.content.iter_chunked(64 * 1024):
            size += len(chunk)
            if size > most:
                raise TooLarge(f"The file is larger than {most // 1000} kB.", headers={hdrs.CONNECTION: "close"})
            chunks.append(chunk)
    return b"".join(chunks)


async def _read_json(request: web.Request, model: type[_Model]) -> _Model:
    if not request.body_exists:
        # An empty body counts as an empty object: many commands need no more than their address.
        return _validate(model, {}, "body")
    if request.content_type != "application/json":
        raise UnsupportedMediaType("The body must be application/json.", headers={"Accept": "application/json"})
    async with body_limit(request):
        raw = await request.read()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_url=False)):
            raise BadRequest("The body is not JSON.", code="bad_json") from error
        raise invalid(error, "body") from error


def _validate(model: type[_Model], values: dict[str, Any], where: str) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, where) from error


def invalid(error: ValidationError, where: str) -> Unprocessable:
    """One error for all wrong fields: ``details`` is ``[{"field": "name", "message": …}]``."""
    details = [
        {"field": ".".join(str(step) for step in item["loc"]) or where, "message": item["msg"], "code": item["type"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Unprocessable(f"The {where} is not valid.", code="invalid", details=details)


def invalid_field(name: str, message: str, code: str = "unknown_reference") -> Unprocessable:
    """The error of a field whose value the body's model alone cannot judge."""
    return Unprocessable(
        "The body is not valid.",
        code="invalid",
        details=[{"field": name, "message": message, "code": code}],
    )
