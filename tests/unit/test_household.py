"""Which addresses are one household."""

from __future__ import annotations

import pytest

from streamer.household import household


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1ff::7", "2001:db8:0:100::/56"),
        ("2001:db8:0:100:ffff:ffff:ffff:ffff", "2001:db8:0:100::/56"),
        ("2001:db8:0:200::1", "2001:db8:0:200::/56"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("local", "local"),
        ("unknown", "unknown"),
    ],
)
def test_a_household_is_an_ipv4_address_or_56_bits_of_ipv6(address: str, same: str) -> None:
    assert household(address) == same
