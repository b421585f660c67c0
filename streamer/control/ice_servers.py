"""ICE servers for peers, and the Link headers of WHIP and WHEP that name them (RFC 9725). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from streamer.settings import IceSettings


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065)."""

    url: str
    username: str = ""
    credential: str = ""


def ice_servers(ice: IceSettings) -> tuple[IceServer, ...]:
    stun = [IceServer(url) for url in ice.stun_servers]
    turn = [IceServer(url, ice.turn_username, ice.turn_credential) for url in ice.turn_servers]
    return (*stun, *turn)


def link_headers(ice: IceSettings) -> list[str]:
    """Values of the ``Link`` headers of a 201 answer (RFC 9725, section 4.6)."""
    values = []
    for server in ice_servers(ice):
        value = f'<{server.url}>; rel="ice-server"'
        if server.username:
            value += (
                f'; username="{_quoted(server.username)}"; credential="{_quoted(server.credential)}"'
                '; credential-type="password"'
            )
        values.append(value)
    return values


_LINK = re.compile(r'<([^<>]+)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,]+))*)')
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,]+))')


def parse_link_headers(values: Iterable[str]) -> tuple[IceServer, ...]:
    """The ICE servers in ``Link`` headers; links of other relations and other schemes are ignored."""
    servers = []
    for value in values:
        for match in _LINK.finditer(value):
            parameters = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
                for name, quoted, bare in _PARAMETER.findall(match[2])
            }
            if "ice-server" not in parameters.get("rel", "").split():
                continue
            if not match[1].startswith(("stun:", "turn:", "turns:")):
                continue
            servers.append(IceServer(match[1], parameters.get("username", ""), parameters.get("credential", "")))
    return tuple(servers)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
