"""The TLS certificate that is served, read again when its file changes."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

_log = structlog.get_logger(__name__)


class Certificate:
    """A TLS context whose certificate is read again when its file changes. Loop only."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises OSError or ssl.SSLError."""
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._loaded: tuple[int, ...] = ()
        self.reload()

    def reload(self) -> None:
        """New connections get the new certificate; open ones go on. Raises OSError or ssl.SSLError."""
        times = self._times()
        certificate, key = self._files
        self.context.load_cert_chain(certificate, key)
        self._loaded = times

    def reload_if_changed(self) -> None:
        """If the file is being written it is read at the next look; the old certificate stays."""
        try:
            if self._times() != self._loaded:
                self.reload()
                _log.info("certificate_reloaded")
        except (OSError, ssl.SSLError) as error:
            _log.error("certificate_unreadable", error=str(error))

    def _times(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files)


def left_s(file: Path) -> float | None:
    """Seconds until the first certificate of a PEM file ends, negative after that. None: it cannot be read."""
    try:
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
    return (ends - datetime.now(UTC)).total_seconds()
