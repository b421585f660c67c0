"""Rate limits and client addresses, as functions of values."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from streamer.api.addresses import Proxies
from streamer.api.limits import RateLimit
from streamer.errors import TooMany


def test_a_bucket_refills_evenly() -> None:
    now = [0.0]
    limit = RateLimit(6, clock=lambda: now[0])
    for _ in range(6):
        limit.take("a")
    with pytest.raises(TooMany) as caught:
        limit.take("a")
    assert caught.value.headers == {"Retry-After": "10"}
    limit.take("b")
    now[0] = 10.0
    limit.take("a")
    with pytest.raises(TooMany):
        limit.take("a")
    assert limit.refused == 2


def test_who_was_quiet_for_an_hour_may_do_no_more_at_once_than_others() -> None:
    now = [0.0]
    limit = RateLimit(6, clock=lambda: now[0])
    limit.take("a")
    now[0] = 3600.0
    for _ in range(6):
        limit.take("a")
    with pytest.raises(TooMany):
        limit.take("a")


def test_addresses_beyond_the_bound_push_out_the_one_that_was_idle_longest() -> None:
    limit = RateLimit(1, max_keys=2, clock=lambda: 0.0)
    for key in ("a", "b", "c"):
        limit.take(key)
    limit.take("a")
    with pytest.raises(TooMany):
        limit.take("c")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", "6.6.6.6", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.5, nonsense", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
    ],
)
def test_forwarded_addresses_are_believed_from_trusted_proxies_only(peer: str, forwarded: str, client: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded} if forwarded else {})
    request.transport.get_extra_info.side_effect = lambda name, default=None: (  # type: ignore[union-attr]
        (peer, 1) if name == "peername" else default
    )
    assert Proxies(["10.0.0.0/8"]).client_address(request) == client


@pytest.mark.parametrize(("fronts", "client", "https"), [(True, "203.0.113.5", True), (False, "local", False)])
def test_only_the_core_takes_the_word_of_its_unix_socket_on_who_asks(fronts: bool, client: str, https: bool) -> None:
    headers = {"Streamer-Client": "203.0.113.5", "Streamer-Scheme": "https"}
    request = make_mocked_request("GET", "/", headers=headers)
    peers: list[object] = [""]
    request.transport.get_extra_info.side_effect = lambda name, default=None: (  # type: ignore[union-attr]
        peers[-1] if name == "peername" else default
    )
    proxies = Proxies((), fronts=fronts)
    assert (proxies.client_address(request), proxies.is_https(request)) == (client, https)
    # Over TCP anybody could say it.
    peers.append(("198.51.100.1", 1))
    assert (proxies.client_address(request), proxies.is_https(request)) == ("198.51.100.1", False)
