"""The base of the settings' sections, and the sections of alarms, messages, archive, logs, metrics, edges and the bus.
See :mod:`streamer.settings`."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


def is_http_url(text: str) -> bool:
    """Whether the text has the form of an HTTP or HTTPS address. Nothing is connected to."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in text)


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        ip_network(text, strict=False)
    return value


Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]
"""Addresses or networks, such as 10.1.0.7 or 10.1.0.0/16."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AlarmSettings(Section):
    sound_dead_s: float = Field(3, ge=1, le=300)
    """The time for which sound must be dead before it rings, seconds; 4.8 at least where packets come and nothing at
    all is in them, since players and films pause so. Of this one and of the next: lower rings sooner and more often
    wrongly. A trouble ends when its cause was gone for three times as long, ten seconds at least."""
    sound_silent_s: float = Field(15, ge=2, le=300)
    """The time for which there must be no sound, seconds. Higher rings later."""
    sound_quiet_s: float = Field(10, ge=3, le=300)
    """The voice, seconds, that must be quieter than -30 LUFS. Higher rings later."""
    sound_loud_s: float = Field(10, ge=3, le=300)
    """The voice, seconds, that must be louder than -14 LUFS. Higher rings later."""
    sound_clipping_s: float = Field(10, ge=2, le=300)
    """The time, seconds, in which sound must clip three times. Higher rings later."""
    sound_one_channel_s: float = Field(20, ge=3, le=300)
    """The time for which sound must be on one channel only, seconds. Higher rings later."""
    sound_polarity_s: float = Field(20, ge=3, le=300)
    """The time for which the channels must cancel each other, seconds. Higher rings later."""
    sound_hum_s: float = Field(20, ge=3, le=300)
    """The time for which sound must hum, seconds. Higher rings later."""
    sound_howl_s: float = Field(20, ge=3, le=300)
    """The time for which sound must howl, seconds. Higher rings later."""
    sound_dropouts_s: float = Field(30, ge=5, le=300)
    """The time, seconds, in which sound must drop out three times. Higher rings later."""
    picture_broken_s: float = Field(5, ge=2, le=300)
    """The time for which pictures must come that cannot be decoded, seconds. Higher rings later."""
    picture_black_s: float = Field(3, ge=1, le=300)
    """The time for which the picture must be black, seconds. Higher rings later."""
    picture_flat_s: float = Field(3, ge=1, le=300)
    """The time for which the picture must be one flat colour, seconds. Higher rings later."""
    picture_frozen_s: float = Field(10, ge=3, le=300)
    """The time for which the picture of a camera must stand still, seconds. Higher rings later.
    Slides and mixed pictures never ring for it."""
    picture_dark_s: float = Field(20, ge=3, le=300)
    """The time for which the picture must be dark for a warning, seconds. Higher rings later."""
    picture_washed_out_s: float = Field(20, ge=3, le=300)
    """The time for which the picture must be washed out for a warning, seconds. Higher rings later."""
    frames_few_s: float = Field(10, ge=2, le=300)
    """The time for which few frames must come, seconds. Higher rings later."""
    keyframes_rare_s: float = Field(30, ge=5, le=300)
    """The time for which key frames must be rare for a warning, seconds. Higher rings later."""
    upload_weak_s: float = Field(3, ge=1, le=300)
    """The time for which the upload must be too weak, seconds. Higher rings later."""
    encoder_slow_s: float = Field(5, ge=1, le=300)
    """The time for which the server's encoder must not keep up, seconds. Higher rings later."""
    lapel_muted_s: float = Field(8, ge=3, le=300)
    """The voice, seconds, that the room's microphone must hear while the lapel microphone is silent. Higher rings
    later."""
    forgotten_end_minutes: float = Field(5, ge=1, le=120)
    """The time for which nobody must speak or move after a session's planned end, minutes. Higher rings later."""
    disk_hours: float = Field(1, ge=0.5, le=72)
    """A disk that is full in less than this rings, hours. Higher rings earlier."""
    viewers_least: int = Field(3, ge=1, le=1000)
    """This many viewers with the same trouble within 30 s ring, if they are viewers_percent of those who play. Higher
    rings later."""
    viewers_percent: float = Field(5, ge=0, le=100)
    """The share of those who play that must have the trouble, percent. Higher rings later. 0:
    viewers_least alone counts."""

    def enough_viewers(self, people: int, viewers: int) -> bool:
        """Whether ``people`` with the same trouble, of ``viewers`` who play, are an alarm."""
        return people >= self.viewers_least and people * 100 >= self.viewers_percent * viewers

    def media_rules(self) -> dict[str, float]:
        """Code -> on-time in seconds, where it differs from the room process's own."""
        of_room = [name for name in type(self).model_fields if name.startswith(("sound_", "picture_"))]
        rules = {}
        for name in (*of_room, "frames_few_s", "keyframes_rare_s", "upload_weak_s", "encoder_slow_s"):
            value = float(getattr(self, name))
            if value != type(self).model_fields[name].default:
                rules[name.removesuffix("_s")] = value
        return rules


class NotifySettings(Section):
    smtp_host: str = ""
    """The mail server for alarms by mail. Empty: none is sent."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """The mail server's TCP port. 587 is usual for STARTTLS, 465 for TLS."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """The way to the mail server: starttls, tls, or none for a server on this machine."""
    smtp_user: str = ""
    """The user name for the mail server. Empty: it wants none."""
    smtp_password: str = ""
    """The password for the mail server."""
    mail_from: str = ""
    """The sender of mails, such as streamer@example.org. Empty: streamer at the host of server.public_url."""
    apprise_urls: tuple[str, ...] = ()
    """Addresses for Apprise, if it is installed. They are told every alarm, and stand among the admin's ways to be
    reached, with a log and a test. Rules for addresses do not hold for them: Apprise resolves names and follows
    redirects by itself."""
    send_timeout_s: float = Field(5.0, gt=0, le=30)
    """The time for one message to one hook, seconds. Higher waits for slow receivers; lower frees places sooner."""
    heartbeat_url: str = ""
    """An address that the server asks for every minute while it is ready, so that a service that misses it tells of the
    server's death. The rules for addresses are those of schedules.allow_networks. Empty: none is asked for."""
    max_hooks: int = Field(200, ge=1, le=2000)
    """The ways to reach people in all; one person has 20 at most. Higher takes more memory and connections."""

    @field_validator("heartbeat_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password):
            raise ValueError("The address does not begin with http:// or https://, or contains a password")
        return value


class ArchiveSettings(Section):
    bucket: str = ""
    """A bucket of an S3 store, s3://bucket/prefix, that finished media files of recordings are copied to. Its keys come
    from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION. A bucket that keeps
    versions is refused. Empty: nothing is copied."""
    upload_while_open: bool = False
    """Whether files are copied to the bucket while a room is open. true copies sooner, and takes bandwidth from those
    who watch. Where a room is always open, only true copies anything."""
    local_days: int = Field(0, ge=0, le=36_500)
    """Files of pictures whose copies in the bucket were compared with them are deleted here after this time, days, and
    read from the bucket by ranges. Lower frees the disk sooner. 0: they stay."""
    max_downloads: int = Field(64, ge=2, le=1000)
    """The MP4 downloads at a time. No household may hold all of them. The crew has as many of its own. Higher takes
    more disk and bandwidth."""
    retention_days: int = Field(0, ge=0, le=36_500)
    """Recordings that are older are deleted, unless they are pinned, days. Higher takes more disk. 0: they are kept."""
    level_replays: bool = True
    """Replays and MP4 files that are more than 2 LU from -18 LUFS are brought to it: their sound is encoded again, in
    the background. It takes some more disk. false: the sound stays as it was recorded."""
    audit_days: int = Field(365, ge=1, le=36_500)
    """The audit log, and links that have ended, are deleted after this time, days. Higher keeps personal data
    longer."""
    speakers_days: int = Field(0, ge=0, le=36_500)
    """The names of speakers of past sessions without a recording are deleted after this time, days. Higher keeps
    personal data longer. 0: they are kept."""

    @field_validator("bucket")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(?:/[^?#]*)?", value):
            raise ValueError("The address is not of the form s3://bucket/prefix")
        return value


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged: debug, info, warning or error. debug logs most."""
    format: Literal["auto", "console", "json"] = "auto"
    """console is for people (sentences, local time), json for programs. auto: console on a terminal, else json."""


class MetricsSettings(Section):
    token: str = ""
    """A bearer token that opens /metrics, 32 characters or more. Empty: no token does."""
    networks: Networks = ()
    """Addresses or networks that may read /metrics without a token. The loopback address always may."""

    @field_validator("token")
    @classmethod
    def _is_long(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("has 32 characters or more")
        return value


class EdgeSettings(Section):
    addresses: tuple[str, ...] = ()
    """The addresses of edges (configs/edge), such as https://edge1.example.org. Each is told what it must not serve any
    more."""
    names: tuple[str, ...] = ()
    """The names by which viewers reach each edge by itself, such as edge1.example.org, with the scheme and port of
    server.public_url. Players whose edge fails go on at another one of them. Empty: they ask again under the public
    name."""
    secret: str = ""
    """The secret by which edges know this server, 32 characters or more. Each has it in its own file."""

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not is_http_url(text) or "?" in text or "#" in text:
                raise ValueError("are addresses such as https://edge1.example.org")
        return value

    @field_validator("names")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name) for name in value):
            raise ValueError("are names such as edge1.example.org")
        if len({name.lower() for name in value}) < len(value):
            raise ValueError("has a name twice")
        return value

    @model_validator(mode="after")
    def _have_a_secret(self) -> Self:
        if self.addresses and not re.fullmatch(r"[!-~]{32,}", self.secret):
            raise ValueError("secret has 32 characters or more, without spaces. `openssl rand -hex 32` makes one")
        return self


class BusSettings(Section):
    url: str = ""
    """A NATS server that carries messages between the core and its front processes, such as tls://nats.example.org:4222
    (configs/bus). nats:// is without TLS, for a network of one's own. Empty: a Unix socket in the data folder does."""
    core_credentials: Path | None = None
    """A file by which the core is known to the NATS server: a line user:password, or credentials as nsc writes them. It
    is read at each connection. Empty: the server asks for none."""
    front_credentials: Path | None = None
    """The same for front processes."""
    ca: Path | None = None
    """A PEM file with the authority that signed the certificate of a tls:// server. Empty: those of the system."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.username is not None:
            raise ValueError("has no password in it: bus.core_credentials and bus.front_credentials have it")
        rest = parts.path.rstrip("/") or parts.query or parts.fragment or re.search(r"[\s,]", value)
        if parts.scheme not in ("nats", "tls") or not parts.hostname or rest:
            raise ValueError("is an address such as nats://127.0.0.1:4222 or tls://nats.example.org:4222")
        return value

    @field_validator("ca")
    @classmethod
    def _has_tls(cls, value: Path | None, others: ValidationInfo) -> Path | None:
        if value and not others.data.get("url", "tls://").startswith("tls://"):
            raise ValueError("goes with an address that begins with tls://")
        return value
