"""The right to read ``/metrics``, which tell more about rooms, sources and loads than the public pages."""

from __future__ import annotations

import hmac
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from streamer.api.auth import authenticate, require
from streamer.api.context import SERVICES, Services
from streamer.conference.grants import EVERYTHING, Action
from streamer.errors import Forbidden, TooMany, Unauthorized

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
"""Headers that a proxy adds. A request from outside through a proxy on this machine comes from the loopback address."""


class MetricsAccess:
    """The check before ``/metrics``."""

    def __init__(self, services: Services) -> None:
        settings = services.settings.metrics
        self._token = settings.token.encode("utf-8")
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(text, strict=False) for text in settings.networks
        )

    async def __call__(self, request: web.Request) -> None:
        """Lets pass the loopback address, the settings' networks and token, and grants that may read the whole audit
        log.

        Raises Forbidden ``metrics_closed`` for all others, TooMany for an address that guesses tokens.
        """
        services = request.app[SERVICES]
        if self._is_near(services.proxies.client_address(request), request) or self._has_token(request):
            return
        try:
            grant = await authenticate(request, services)
            require(grant, Action.AUDIT_READ, EVERYTHING)
        except TooMany:
            raise
        except (Unauthorized, Forbidden):
            raise Forbidden("The metrics are not open to this address.", code="metrics_closed") from None

    def _is_near(self, address: str, request: web.Request) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if ip.is_loopback:
            return not any(name in request.headers for name in _FORWARDED)
        return any(ip in network for network in self._networks)

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        if not self._token or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(sent.strip().encode("utf-8", "surrogateescape"), self._token)
