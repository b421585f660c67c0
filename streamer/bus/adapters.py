"""Which bus it is: over the NATS server that the settings name, or else over a Unix socket in the data folder."""

from __future__ import annotations

from streamer.bus.local import LocalCore, LocalFront
from streamer.bus.port import CoreBus, FrontBus
from streamer.settings import Settings


def core_bus(settings: Settings) -> CoreBus:
    """Raises StreamerError where nats-py is wanted and not there."""
    if not settings.bus.url:
        return LocalCore(settings.run_dir)
    from streamer.bus.nats_connection import Access
    from streamer.bus.over_nats import NatsCore

    return NatsCore(Access.of(settings.bus, "core"))


def front_bus(settings: Settings) -> FrontBus:
    """Raises StreamerError where nats-py is wanted and not there."""
    if not settings.bus.url:
        return LocalFront(settings.run_dir)
    from streamer.bus.nats_connection import Access
    from streamer.bus.over_nats import NatsFront

    return NatsFront(Access.of(settings.bus, "front"))
