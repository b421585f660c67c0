"""For clients that have to know whom they talk to: the program's version, and the protocol's."""

from __future__ import annotations

from pydantic import Field

from streamer import PROTOCOL_VERSION, __version__
from streamer.api.models import LazyModel
from streamer.api.routing import Call, Route


class VersionView(LazyModel):
    version: str = Field(description="Of the program")
    protocol: int = Field(
        description="Of REST and Socket.IO. Within a version nothing is renamed or removed; unknown fields, events and "
        "codes may come and are to be ignored"
    )


async def version(_call: Call) -> VersionView:
    return VersionView(version=__version__, protocol=PROTOCOL_VERSION)


ROUTES = (Route("GET", "/version", version, "The versions of program and protocol", "version", answers=(VersionView,)),)
