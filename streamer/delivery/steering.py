"""Content steering (RFC 8216bis, 4.4.6.6 and section 7): a player that loses its edge goes on at another one.

The pathway of the multivariant playlist is the public name. The others are its clones, which the steering manifest
tells, so that players without steering see one line that they do not know.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from streamer.delivery.responses import CORS
from streamer.errors import NotFound
from streamer.settings import Settings

PATH = "/live/steering.json"
LINE = f'#EXT-X-CONTENT-STEERING:SERVER-URI="{PATH}"'
PUBLIC = "."
"""4.4.6.2: the pathway of variants that name none."""
TTL_S = 300


def manifest(names: Sequence[str], turn: int) -> dict[str, Any]:
    """The steering manifest. Its order begins elsewhere with each ``turn``: those whose edge fails spread over the
    others."""
    first = turn % len(names)
    order = [*names[first:], *names[:first]]
    return {
        "VERSION": 1,
        "TTL": TTL_S,
        "PATHWAY-PRIORITY": [PUBLIC, *order],
        "PATHWAY-CLONES": [{"BASE-ID": PUBLIC, "ID": name, "URI-REPLACEMENT": {"HOST": name}} for name in order],
    }


def lines(settings: Settings) -> tuple[str, ...]:
    """Of multivariant playlists."""
    return (LINE,) if settings.edges.names else ()


async def answer(names: Sequence[str], _request: web.Request) -> web.Response:
    if not names:
        raise NotFound("There is one address for all.")
    headers = CORS | {"Cache-Control": "public, max-age=1, s-maxage=1"}
    return web.json_response(manifest(names, int(time.time())), headers=headers)
