"""Short-lived processes that decode what came from elsewhere, so that damaged or hostile files end nothing else.

A decoder is a module of the media plane, run by name: the web plane does not import it.
"""

from __future__ import annotations

import asyncio
import sys

from streamer.control.process_files import child_environment

DECODE_S = 20.0


class NotDecoded(Exception):
    """The decoder could make nothing of the data, or took too long."""


async def decode(module: str, *order: str, data: bytes, limit_s: float = DECODE_S) -> bytes:
    """The answer of ``python -m module order…``, which reads ``data``. Raises NotDecoded."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *order),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=child_environment(),
    )
    try:
        async with asyncio.timeout(limit_s):
            told, _ = await child.communicate(data)
    except TimeoutError:
        raise NotDecoded("decoding takes too long") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise NotDecoded("nothing can be decoded")
    return told
