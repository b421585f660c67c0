"""Three hundred requests for each operation of the OpenAPI document, the long form of ``unit/api/test_schemas.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.fuzzed_app import AS_ADMIN, fuzzed
from tests.fakes.schemas import search


@pytest.mark.parametrize("headers", [{}, AS_ADMIN], ids=["anonymous", "admin"])
async def test_answers_are_as_the_document_says(tmp_path: Path, headers: Mapping[str, str]) -> None:
    async with fuzzed(tmp_path) as app:
        async with app.client.get("/api/v1/openapi.json") as response:
            document = await response.json()
        assert await asyncio.to_thread(search, app.url, document, headers, 300, fixed=False) == []
        assert app.exceptions() == []
