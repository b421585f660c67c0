"""Networks of participants' addresses, and holds on them after a ban. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from streamer.audience.people import Participant
from streamer.conference.participation import AddressHold
from streamer.errors import Unprocessable
from streamer.household import household

V4_PREFIX = 24


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


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
