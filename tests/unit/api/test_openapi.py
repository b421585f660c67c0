"""The OpenAPI document and the routes are one thing."""

from __future__ import annotations

import re
from typing import Any

from streamer.api.routes import ROUTES
from tests.unit.api.conftest import Api, Client


async def _document(client: Client) -> dict[str, Any]:
    async with client.get("/api/v1/openapi.json") as response:
        assert response.status == 200
        document: dict[str, Any] = await response.json()
        return document


async def test_the_document_names_every_route_and_no_other(client: Client) -> None:
    document = await _document(client)
    assert document["openapi"].startswith("3.1")
    written = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    served = {
        (resource.canonical, route.method)
        for resource in client.server.app.router.resources()  # type: ignore[attr-defined]
        for route in resource
        if resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    assert written == served - {("/api/v1/openapi.json", "GET"), ("/api/v1/docs", "GET")}
    assert len(written) == len(ROUTES)


async def test_every_reference_in_the_document_leads_somewhere(client: Client) -> None:
    document = await _document(client)
    references = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', await _text(client)))
    assert references
    assert references <= set(document["components"]["schemas"])
    identifiers = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(identifiers)) == len(identifiers)


async def _text(client: Client) -> str:
    async with client.get("/api/v1/openapi.json") as response:
        return await response.text()


async def test_answers_have_the_fields_that_the_document_promises(client: Client, api: Api) -> None:
    schemas = (await _document(client))["components"]["schemas"]
    venue = await api("POST", "/venues", {"name": "V"})
    room = await api("POST", "/rooms", {"id": "a", "name": "A"})
    public = await api.as_("")("GET", "/rooms/a")
    grant = await api("POST", "/grants", {"role": "viewer"})
    for answer, model in ((venue, "VenueView"), (room, "RoomCrewView"), (public, "RoomView"), (grant, "GrantCreated")):
        assert set(answer) == set(schemas[model]["properties"]), model


OPEN = {"/login", "/logout", "/first-admin", "/first-admin/look", "/rooms/{id}/playback"}


async def test_no_route_that_changes_anything_is_open(client: Client) -> None:
    for route in ROUTES:
        if route.method == "GET" or route.path in OPEN:
            continue
        path = route.full_path.replace("{id}", "a").replace("{code}", "a").replace("{name}", "main")
        async with client.request(route.method, path, json={}) as response:
            assert response.status == 401, (route.method, path)
