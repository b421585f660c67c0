"""Debian's ntfy server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.ports import free_port
from tests.fakes.waiting import until_answered


def ntfy_program() -> str | None:
    return shutil.which("ntfy")


@contextlib.asynccontextmanager
async def ntfy(folder: Path) -> AsyncIterator[str]:
    """The server's address. It sends nothing on to the manufacturers of phones."""
    program, port = ntfy_program(), free_port()
    assert program is not None
    config = folder / "ntfy.yml"
    # Tests ask for its messages again and again.
    config.write_text('visitor-request-limit-exempt-hosts: "127.0.0.1"\n')
    arguments = ["--config", str(config), "--listen-http", f"127.0.0.1:{port}", "--log-level", "error"]
    process = await asyncio.create_subprocess_exec(program, "serve", *arguments)
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:

            async def healthy() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/v1/health") as answer:
                        return answer.status == 200
                return False

            await until_answered(healthy)
            yield url
    finally:
        process.terminate()
        await process.wait()


async def messages(url: str, topic: str) -> list[dict[str, Any]]:
    """Messages that were published to a topic, oldest first."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/{topic}/json?poll=1") as answer:
        answer.raise_for_status()
        return [json.loads(line) for line in (await answer.text()).splitlines()]
