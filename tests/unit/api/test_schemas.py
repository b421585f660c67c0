"""The application keeps what its OpenAPI document promises: some requests for each operation (``make soak``: 300)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.fuzzed_app import AS_ADMIN, fuzzed


async def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    # Loads schemathesis, for a second: not in each worker.
    from tests.fakes.schemas import search

    async with fuzzed(tmp_path) as app:
        async with app.client.get("/api/v1/openapi.json") as response:
            document = await response.json()
        for headers in ({}, AS_ADMIN):
            assert await asyncio.to_thread(search, app.url, document, headers, 2, fixed=True) == []
        assert app.exceptions() == []
