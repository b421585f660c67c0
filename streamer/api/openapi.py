"""The OpenAPI 3.1 document, made from the route table and the models; and how documents of this kind are answered."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from streamer import __version__
from streamer.api.cookies import COOKIE
from streamer.api.idempotency import HEADER
from streamer.api.models import ErrorBody
from streamer.api.routing import PREFIX, Route
from streamer.store.answers import MOST_ID

_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": MOST_ID},
    "description": (
        "Made by the client, in quotes. A repeat with the same key within an hour gets the first answer and changes "
        "nothing; objects in it are as they are then. Refusals are not kept. 422 `id_reused`: the key belongs to "
        "another request."
    ),
}
_REF = "#/components/schemas/{model}"


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """JSON-able. It has every route of the table and no other."""
    inputs: set[type[BaseModel]] = {route.body for route in routes if route.body is not None}
    outputs: set[type[BaseModel]] = {ErrorBody}.union(answer for route in routes for answer in route.answers)
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in sorted(inputs, key=_name)]
    wanted += [(model, "serialization") for model in sorted(outputs, key=_name)]
    references, definitions = models_json_schema(wanted, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.full_path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Streamer",
            "version": __version__,
            "description": (
                "Rooms, venues and grants of one Streamer. Media goes by WHIP (`/whip/{room}`), WHEP "
                "(`/whep/{room}`) and HLS (`/live/{room}/index.m3u8`)."
            ),
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "grant": {"type": "http", "scheme": "bearer"},
                "login": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def answered_with(make: Callable[[], dict[str, Any]]) -> Handler:
    """A handler that answers with a document. The first request makes it: a process that starts has no time for it."""
    made = functools.cache(lambda: json.dumps(make()))

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(text=made(), headers={hdrs.CACHE_CONTROL: "public, max-age=300"})

    return answer


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route, references),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        schema = route.query.model_json_schema()
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": field}
            for name, field in schema["properties"].items()
        ]
    if route.repeats:
        parameters.append(_KEY_PARAMETER)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[(route.body, "validation")]}},
        }
    # An empty requirement beside the others: everybody may ask, and a grant shows more.
    operation["security"] = [{"grant": []}, {"login": []}] if route.action is not None else [{}, {"grant": []}]
    return operation


def _responses(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    schemas = [references[(answer, "serialization")] for answer in route.answers]
    answer: dict[str, Any] = {"description": route.summary}
    if schemas:
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        answer["content"] = {"application/json": {"schema": schema}}
        answer["content"] |= {kind: {"schema": {"type": "string"}} for kind in route.texts}
    error = {
        "description": "An error",
        "content": {"application/json": {"schema": references[(ErrorBody, "serialization")]}},
    }
    codes = {"401"}
    if route.action is not None or route.method != "GET":
        codes |= {"403", "429"}
    if route.body is not None:
        codes |= {"400", "413", "415", "422"}
    if route.query is not None:
        codes |= {"400", "422"}
    if "{" in route.path:
        codes.add("404")
    return {str(route.status): answer, **dict.fromkeys(sorted(codes), error), "default": error}


DOCUMENT_PATH = f"{PREFIX}/openapi.json"
