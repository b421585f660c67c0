"""The words of a room's slate. Pure."""

from __future__ import annotations

from streamer.control.messages import RoomConfig
from streamer.media.slate import SlateText, countdown


def slate_text(config: RoomConfig, at_ms: int) -> SlateText:
    """The slate's texts at a time of day, UTC milliseconds."""
    slate = config.orders.slate
    title = slate.title or config.slate_title
    said = [slate.text or config.slate_text]
    if slate.until_ms is not None:
        said.append(countdown(config.language, slate.until_ms - at_ms))
    return SlateText(
        room=config.name,
        venue=config.venue,
        # The room's own name stands on the slate already.
        title="" if title == config.name else title,
        text=" · ".join(filter(None, said)),
        language=config.language,
        logos=slate.logos,
        colours=slate.colours,
    )
