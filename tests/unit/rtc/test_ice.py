from __future__ import annotations

from streamer.control.ice_servers import IceServer, link_headers, parse_link_headers
from streamer.rtc.ice import IceBinding, binding_from, binding_towards, same_machine
from streamer.settings import IceSettings, ServerSettings, Settings


def test_media_is_bound_where_the_server_listens_if_that_is_one_address() -> None:
    def bound(host: str, *addresses: str) -> tuple[str, ...]:
        settings = Settings(server=ServerSettings(host=host), ice=IceSettings(host_addresses=addresses))
        return binding_from(settings).addresses

    assert bound("127.0.0.1") == ("127.0.0.1",)
    assert bound("localhost") == ("127.0.0.1",)
    assert bound("192.0.2.1") == ("192.0.2.1",)
    assert bound("0.0.0.0") == ()
    assert bound("::") == ()
    assert bound("0.0.0.0", "10.0.0.1") == ("10.0.0.1",)


def test_a_publisher_stays_on_loopback_with_its_server() -> None:
    assert binding_towards("http://127.0.0.1:8080/whip/x").addresses == ("127.0.0.1",)
    assert binding_towards("http://localhost/whip/x").addresses == ("127.0.0.1", "::1")
    assert "::1" in binding_towards("http://[::1]:8080/whip/x").addresses
    assert binding_towards("https://stream.example.org/whip/x").addresses == ()


def test_link_headers_are_read_as_they_are_written() -> None:
    settings = IceSettings(
        stun_servers=("stun:stun.example.org:3478",),
        turn_servers=("turn:turn.example.org?transport=udp",),
        turn_username="user",
        turn_credential='pa"ss\\word',
    )
    assert parse_link_headers(link_headers(settings)) == (
        IceServer("stun:stun.example.org:3478"),
        IceServer("turn:turn.example.org?transport=udp", "user", 'pa"ss\\word'),
    )
    assert parse_link_headers([", ".join(link_headers(settings))]) == parse_link_headers(link_headers(settings))


def test_other_links_are_passed_over() -> None:
    assert parse_link_headers(['<https://x/>; rel="next"', "<http://evil>; rel=ice-server", "nonsense"]) == ()


def test_only_own_addresses_are_met_on_the_same_machine() -> None:
    assert same_machine(IceBinding(("127.0.0.1",)), ["198.51.100.7", "127.0.0.1"]) == []
    assert same_machine(IceBinding(("192.0.2.2",)), ["127.0.0.1"]) == []
