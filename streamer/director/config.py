"""The room process's config: the room's names and the director's orders. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from streamer.broadcast.orders import RoomOrders
from streamer.conference.rooms import Room, Venue
from streamer.conference.sources import SourceSetting
from streamer.control.messages import RoomConfig

LOGO_PREFIX = "/logos/"
MAX_LOGOS = 6


def room_config(
    room: Room,
    venue: Venue | None,
    orders: RoomOrders,
    sources: tuple[SourceSetting, ...] = (),
    media_rules: Mapping[str, float] | None = None,
    suppressed: tuple[str, ...] = (),
) -> RoomConfig:
    """``media_rules``: on-times of troubles that differ from the room process's own. ``suppressed``: sources whose
    browser suppresses noise."""
    return RoomConfig(
        id=room.id,
        name=room.name,
        venue=venue.name if venue else "",
        language=venue.language if venue else "en",
        between=room.between.value,
        orders=msgspec.structs.replace(orders, levelling=room.levelling),
        caption_languages=room.caption_languages,
        media_rules=dict(media_rules or {}),
        source_kinds={one.name: one.kind.value for one in sources if one.kind is not None},
        suppressed_sources=suppressed,
    )


def logo_files(addresses: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Files of the logos that were uploaded here. Logos elsewhere appear on pages only."""
    names = [address.removeprefix(LOGO_PREFIX) for address in addresses if address.startswith(LOGO_PREFIX)]
    return tuple(str(folder / name) for name in names if "/" not in name)[:MAX_LOGOS]
