"""Moderators' tools: presets, address prefixes and holds on them, undo of images. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeVar

from streamer.audience.people import Participant
from streamer.conference.participation import AddressHold
from streamer.errors import Conflict, Unprocessable
from streamer.household import household

LONGEST_MUTE_S = 30 * 86_400
REMOVE_BACK_MS = 15 * 60_000
"""Removing *what they wrote lately* covers this time."""
CLAIM_MS = 30_000
V4_PREFIX = 24

T = TypeVar("T")


def prefix_of(address: str) -> str:
    """The network in which the participant's next address will most likely lie; the text itself if it is no address."""
    parsed = _parsed(address)
    if parsed is None or parsed.version == 6:
        return household(address)
    return str(ip_network(f"{parsed}/{V4_PREFIX}", strict=False))


def exempt(address: str, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the networks."""
    parsed = _parsed(address)
    if parsed is None:
        return False
    return any(parsed in ip_network(network, strict=False) for network in networks)


def checked_networks(networks: Iterable[str]) -> tuple[str, ...]:
    """Raises Unprocessable ``invalid``."""
    found = []
    for text in networks:
        try:
            found.append(str(ip_network(text.strip(), strict=False)))
        except ValueError as error:
            raise Unprocessable(f"{text[:60]} is no network.", code="invalid", details={"field": "networks"}) from error
    return tuple(found)


def address_held(who: Participant, prefixes: Iterable[str], holds: dict[str, AddressHold], now_ms: int) -> bool:
    """Whether the participant is new since a ban of one of their prefixes."""
    for prefix in prefixes:
        hold = holds.get(prefix)
        if hold is not None and now_ms < hold.until_ms and who.since_ms >= hold.since_ms:
            return True
    return False


def undone(before: T, after: T, now: T) -> T:
    """``now`` with the old values of ``before`` in the fields that the change to ``after`` touched.

    Raises Conflict ``superseded`` where somebody has changed one of them since.
    """
    assert is_dataclass(now)
    back: dict[str, Any] = {}
    for field in fields(now):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if getattr(now, field.name) != new:
            raise Conflict("It has been changed again since.", code="superseded")
        back[field.name] = old
    return replace(now, **back)  # type: ignore[type-var]


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
