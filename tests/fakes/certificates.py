"""Self-signed certificates for tests."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificate(
    certificate: Path, key: Path, *, names: tuple[str, ...] = ("localhost",), serial: int = 1
) -> None:
    """A certificate for ``names`` and 127.0.0.1, good for an hour, and its key, as PEM files."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [*(x509.DNSName(item) for item in names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(private, hashes.SHA256())
    )
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


@dataclass
class Certificate:
    """``pin``: its key, as Chromium wants it told: the only certificate that it takes without a known issuer."""

    file: Path
    key: Path
    pin: str

    @classmethod
    def make(cls, folder: Path, names: tuple[str, ...]) -> Certificate:
        file, key = folder / "cert.pem", folder / "key.pem"
        write_certificate(file, key, names=names)
        public = x509.load_pem_x509_certificate(file.read_bytes()).public_key()
        encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls(file, key, base64.b64encode(hashlib.sha256(encoded).digest()).decode())
