"""Web Push: the encryption of RFC 8291 by its own example, and the server's key."""

from __future__ import annotations

import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from streamer.errors import Unprocessable
from streamer.notify.web_push import MOST_BYTES, Chance, Subscription, encrypt, kept_key
from tests.fakes.receivers import Browser, vapid_claims


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(bytes_of(text), "big"), ec.SECP256R1())


# RFC 8291, appendix A
SERVER = private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
SALT = bytes_of("DGv6ra1nlYgDCS1FRnbzlw")
SUBSCRIPTION = Subscription(
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", "BTBZMqHH6r4Tts7J_aSIgg"
)
ENCRYPTED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_a_message_is_encrypted_as_the_standard_s_example() -> None:
    body = encrypt(b"When I grow up, I want to be a watermelon", SUBSCRIPTION, Chance(SERVER, SALT))
    assert body == bytes_of(ENCRYPTED)
    browser = Browser(private_key("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), bytes_of(SUBSCRIPTION.auth))
    assert browser.read(body) == b"When I grow up, I want to be a watermelon"


def test_the_longest_message_fits_one_record_and_a_longer_one_is_refused() -> None:
    assert len(encrypt(b"x" * MOST_BYTES, SUBSCRIPTION)) == 4096
    with pytest.raises(ValueError, match="too long"):
        encrypt(b"x" * (MOST_BYTES + 1), SUBSCRIPTION)


@pytest.mark.parametrize(
    "keys",
    [Subscription("AAAA", SUBSCRIPTION.auth), Subscription(SUBSCRIPTION.p256dh, "AAAA"), Subscription("é", "é")],
)
def test_keys_that_are_no_browser_s_are_refused(keys: Subscription) -> None:
    with pytest.raises(Unprocessable) as refused:
        encrypt(b"", keys)
    assert refused.value.code == "bad_subscription"


def test_the_server_s_key_is_made_once_and_is_the_service_s_alone(tmp_path: Path) -> None:
    first, second = kept_key(tmp_path), kept_key(tmp_path)
    assert first.public == second.public
    assert stat.S_IMODE((tmp_path / "push.key").stat().st_mode) == 0o600
    claims = vapid_claims(first.authorization("https://push.example/wpush/v2/abc", "mailto:a@example.org"))
    assert (claims["aud"], claims["sub"]) == ("https://push.example", "mailto:a@example.org")
