"""One settings tree. Each field has its unit, bounds and a description; the commented default file
``configs/streamer.toml`` is the manual and is tested against this module.

Order of precedence: command line, environment (``STREAMER_``, sections by ``__``), ``--config`` file, defaults.
"""

from __future__ import annotations

import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def is_http_url(text: str) -> bool:
    """Whether it is the address of a server that speaks HTTP, as far as its form goes."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in text)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port to listen on; 0 picks a free one."""
    public_url: str = ""
    """Address that people type, used for every link and cookie; empty: from host and port."""
    tls_cert: Path | None = None
    """PEM file with the certificate chain; with tls_key: HTTPS."""
    tls_key: Path | None = None
    """PEM file with the private key."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    allowed_origins: tuple[str, ...] = ()
    """Other sites' origins that may publish or send commands with cookies; own is implied."""
    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """Largest request body, bytes."""
    shutdown_s: float = Field(10.0, gt=0, le=120)
    """Time for requests to end on SIGTERM, seconds."""
    headers_s: float = Field(10.0, ge=1, le=120)
    """Time for a request's headers, and before them for TLS, seconds."""
    body_s: float = Field(15.0, ge=1, le=600)
    """Time for a request's body, seconds."""
    idle_s: float = Field(75.0, ge=1, le=3600)
    """A connection that asks nothing more is closed after this, seconds."""
    slow_reader_s: float = Field(20.0, ge=1, le=600)
    """Over this long a client is to take what it asked for, seconds."""
    slow_reader_bytes_per_s: int = Field(2000, ge=1, le=1_000_000)
    """A client that takes less is cut off, bytes per second."""
    max_unsent_bytes: int = Field(256 * 1024 * 1024, ge=1_000_000)
    """What may wait to be sent, to all clients together, bytes."""
    max_connections: int = Field(0, ge=0)
    """Connections in all; 0: as many as descriptors allow, less those for files and the crew."""
    max_connections_per_household: int = Field(0, ge=0)
    """The same per address (IPv6: per /56), a hall's is one; 0: its share, half at most."""
    security_contact: str = ""
    """Who is told of weaknesses, in /.well-known/security.txt: mailto:, https:// or tel:."""

    @field_validator("security_contact")
    @classmethod
    def _is_a_contact(cls, value: str) -> str:
        # RFC 9116, 2.5.3: a URI; "mailto" and "tel" for addresses and numbers, "https" for pages.
        if value and not re.fullmatch(r"(?:mailto:[^@\s]+@[^@\s]+|https://[^\s]+|tel:\+?[0-9-]+)", value):
            raise ValueError("is an address such as mailto:security@example.org or https://example.org/security")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and (not is_http_url(value) or "?" in value or "#" in value):
            raise ValueError("is an address such as https://live.example.org")
        return value


class IceSettings(Section):
    host_addresses: tuple[str, ...] = ()
    """Addresses to bind media to. Empty: server.host if it is one address, else all interfaces'."""
    announce_addresses: tuple[str, ...] = ()
    """Addresses to announce instead (NAT 1:1), in the order of host_addresses."""
    port_min: int = Field(0, ge=0, le=65535)
    """Lowest UDP port for media; 0: any."""
    port_max: int = Field(0, ge=0, le=65535)
    """Highest UDP port for media; 0: any."""
    stun_servers: tuple[str, ...] = ()
    """STUN URIs, e.g. stun:stun.example.org:3478."""
    turn_servers: tuple[str, ...] = ()
    """TURN URIs, e.g. turn:turn.example.org?transport=udp."""
    turn_username: str = ""
    """User name for the TURN servers."""
    turn_credential: str = ""
    """Password for the TURN servers."""
    connect_timeout_s: float = Field(10.0, gt=0, le=60)
    """Give up a connection not made in this, seconds."""
    silence_timeout_s: float = Field(30.0, gt=1, le=600)
    """Close a publication that has sent nothing for this long, seconds."""
    socket_buffer_bytes: int = Field(4 * 1024 * 1024, ge=65536)
    """Receive buffer of a media socket, bytes."""
    max_publish_kbps: int = Field(60_000, ge=1000, le=500_000)
    """What a publication sends above this is dropped, kbit/s."""
    max_candidates: int = Field(64, ge=1)
    """Remote candidates taken for one publication."""
    video_start_kbps: int = Field(2500, ge=100, le=50_000)
    """Bitrate that browsers are asked to begin with (Chromium), kbit/s."""
    video_min_kbps: int = Field(300, ge=30, le=50_000)
    """Bitrate that they should not go below, kbit/s."""
    video_max_kbps: int = Field(8000, ge=100, le=50_000)
    """Bitrate that they should not exceed, kbit/s."""
    opus_kbps: int = Field(128, ge=16, le=510)
    """Opus bitrate that publishers are asked for, kbit/s."""


class Rung(Section):
    height: int = Field(ge=90, le=2160)
    """Picture height, pixels."""
    bitrate_kbps: int = Field(ge=50, le=20_000)
    """Average bitrate, kbit/s."""


class MediaSettings(Section):
    rungs: tuple[Rung, ...] = (
        Rung(height=720, bitrate_kbps=2500),
        Rung(height=480, bitrate_kbps=1200),
        Rung(height=360, bitrate_kbps=700),
        Rung(height=240, bitrate_kbps=350),
    )
    """Encoded renditions below the source; those not smaller than the source are left out."""
    top_bitrate_kbps: int = Field(4500, ge=200, le=30_000)
    """Bitrate of an encoded top rendition at 1080p."""
    max_height: int = Field(1080, ge=144, le=2160)
    """Largest picture height that is made or passed."""
    max_frame_rate: int = Field(30, ge=10, le=60)
    """Frame rate above which encoded rungs drop frames."""
    preset: str = "veryfast"
    """libx264 preset."""
    encoder: str = "libx264"
    """H.264 encoder: libx264, h264_nvenc, h264_qsv, h264_v4l2m2m."""
    encoder_threads: int = Field(1, ge=0, le=16)
    """Threads inside each encoder; 0: the encoder's choice."""
    audio_bitrate_kbps: int = Field(128, ge=32, le=320)
    """AAC bitrate, kbit/s."""
    overload_behind_ms: int = Field(250, ge=50, le=5000)
    """An encoder this far behind gives up frames, then its rendition, ms."""
    poor_link_audio_kbps: int = Field(48, ge=0, le=128)
    """AAC bitrate of a second sound for poor links, kbit/s; 0: none."""
    passthrough: bool = True
    """Let a fitting H.264 source be the top rendition as it is."""
    max_source_megapixels: float = Field(9.5, ge=1, le=36)
    """Largest picture of a source that is decoded, millions of pixels."""
    silence_before_slate_s: float = Field(1.0, ge=0.3, le=10)
    """No packet for this long ends a take, s."""
    still_interval_s: float = Field(5.0, ge=1, le=60)
    """How often a still is made, seconds."""
    slate_frame_rate: int = Field(30, ge=5, le=60)
    """Frame rate of the slate."""


class HlsSettings(Section):
    segment_s: float = Field(2.0, ge=1, le=6)
    """Nominal segment duration, seconds."""
    target_duration_s: int = Field(3, ge=2, le=10)
    """EXT-X-TARGETDURATION, seconds."""
    part_target_ms: int = Field(334, ge=100, le=1000)
    """Longest part, ms: latency, and what a crash may lose."""
    ring_s: float = Field(30.0, ge=9, le=300)
    """How much is kept in memory, seconds."""
    dvr_s: int = Field(7200, ge=60, le=86_400)
    """How far back viewers may seek, seconds."""
    live_window_s: int = Field(600, ge=30, le=7200)
    """Length of the playlist without ?dvr=1, seconds."""
    max_held_total: int = Field(20_000, ge=10)
    """Requests held for a blocking reload, in all."""
    max_held_per_address: int = Field(1000, ge=1)
    """The same per household (an IPv4 address, 56 bits of IPv6; a hall is one)."""
    max_held_per_connection: int = Field(16, ge=1)
    """The same per connection."""
    cache_bytes_per_room: int = Field(96 * 1024 * 1024, ge=1_000_000)
    """Part cache of a web process, bytes."""


class WhepSettings(Section):
    max_viewers: int = Field(20, ge=0, le=500)
    """Lowest-latency viewers per room; past it 503."""
    max_pending: int = Field(40, ge=2, le=1000)
    """Offers per room that have not connected yet; no household may hold all of them."""
    max_previews: int = Field(40, ge=2, le=500)
    """The crew's previews per room, beside the viewers."""
    connect_timeout_s: float = Field(6.0, ge=1, le=60)
    """Give up a viewer that has not connected in this, seconds."""


class RoomSettings(Section):
    close_after_s: float = Field(1800, ge=5)
    """A room closes this long after its last publication, seconds."""
    open_timeout_s: float = Field(5.0, ge=0.5, le=60)
    """Wait for the first picture's size before the renditions are fixed, seconds."""
    max_sources: int = Field(8, ge=1, le=64)
    """Sources a room holds at once."""
    max_rooms: int = Field(32, ge=1, le=500)
    """Room processes under one media host."""
    memory_mb: int = Field(2048, ge=256, le=65_536)
    """A room process that takes more memory is restarted, it alone, MB."""
    warm_spare: bool = True
    """Keep a room process ready (about 80 MB), so that a camera is answered at once."""
    restart_backoff_s: float = Field(0.5, ge=0, le=60)
    """First wait before a crashed room is restarted, s."""
    attempts_per_minute: int = Field(60, ge=1)
    """Publication attempts per household and minute."""
    failed_attempts_per_minute: int = Field(20, ge=1)
    """Refused tokens per household and minute."""


class StoreSettings(Section):
    url: str = ""
    """SQLAlchemy database URL; empty: SQLite in the data folder."""
    director_absent_s: float = Field(20.0, ge=2, le=300)
    """Another server on the same database takes over when this one has given no sign for so long, s."""


class ScheduleSettings(Section):
    allow_networks: tuple[str, ...] = ()
    """Private addresses or networks that schedules may be fetched from, such as 10.1.0.0/16."""
    fetch_timeout_s: float = Field(15.0, gt=0, le=120)
    """Time for fetching a schedule in all, seconds."""
    max_bytes: int = Field(20_000_000, ge=10_000, le=20_000_000)
    """Largest schedule, unpacked, bytes."""
    poll_s: float = Field(300.0, ge=10, le=86_400)
    """How often an event's schedule is looked at, seconds."""

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text, strict=False)
        return value


class RealtimeSettings(Section):
    max_connections: int = Field(20_000, ge=10)
    """Socket.IO connections, in all."""
    max_connections_per_address: int = Field(2000, ge=1)
    """The same per household (an IPv4 address, 56 bits of IPv6; a hall is one)."""
    max_connections_per_participant: int = Field(20, ge=2)
    """The same per participant of audiences (tabs and devices)."""
    max_message_bytes: int = Field(131_072, ge=69_632, le=10_000_000)
    """Largest message of a client, bytes; more costs the connection."""
    max_behind_bytes: int = Field(2 * 1024 * 1024, ge=65_536)
    """A client that more than this waits for is cut off, bytes."""
    max_behind_events: int = Field(2000, ge=10)
    """The same, events."""
    stall_s: float = Field(20.0, ge=1, le=300)
    """A client that takes nothing for this long is cut off, s."""
    log_events: int = Field(5000, ge=100)
    """Events kept for those who come back, per room and namespace."""
    log_bytes: int = Field(4 * 1024 * 1024, ge=100_000)
    """The same, bytes."""
    log_s: float = Field(900.0, ge=10, le=86_400)
    """How long they are kept at most, seconds."""
    join_s: float = Field(10.0, ge=1, le=120)
    """A connection that joins nothing for this long ends, s."""
    command_s: float = Field(10.0, ge=0.1, le=15)
    """A command that takes longer is answered as late, s."""
    commands_burst: int = Field(20, ge=1)
    """Commands that a client may send at once."""
    commands_per_s: float = Field(10.0, ge=0.1)
    """Commands that a client may go on sending, per second."""
    address_commands_burst: int = Field(2000, ge=10)
    """Commands of an audience's participants from one household at once (a hall is one)."""
    address_commands_per_s: float = Field(500.0, ge=1)
    """The same, per second after that."""
    newcomer_s: float = Field(60.0, ge=0, le=3600)
    """How long a participant counts as new, seconds; 0: not at all."""
    newcomers_burst: int = Field(24, ge=1)
    """Messages and questions of new participants of one household at once."""
    newcomers_per_s: float = Field(12.0, ge=0.1)
    """The same, per second after that; votes are twice as often let in."""
    newcomers_votes_burst: int = Field(400, ge=1)
    """Votes of new participants of one household at once (a hall is one)."""
    ping_interval_s: int = Field(20, ge=1, le=120)
    """Heartbeat, seconds."""
    ping_timeout_s: int = Field(20, ge=1, le=120)
    """Wait for its answer, seconds."""


class AudienceSettings(Section):
    chat_characters: int = Field(200, ge=20, le=2000)
    """Longest chat message, characters."""
    question_characters: int = Field(500, ge=20, le=4000)
    """Longest question, characters."""
    blocked_words: tuple[str, ...] = ()
    """Words that hold a message for review in every room; look-alikes count."""
    usual_delay_ms: int = Field(5000, ge=0, le=60_000)
    """How far behind viewers usually watch, where their player does not say, ms."""
    address_hold_minutes: int = Field(60, ge=0, le=1440)
    """After a ban, new names from that address prefix are reviewed so long, minutes."""
    exempt_networks: tuple[str, ...] = ()
    """Networks whose newcomers no ban holds, such as a hall's own."""
    messages_in_memory: int = Field(300, ge=20, le=5000)
    """Newest messages of an audience kept in memory."""
    open_questions: int = Field(10, ge=1, le=100)
    """Open questions that a participant may have."""
    keep_days: int = Field(365, ge=1, le=36_500)
    """What an audience writes, and what was done about it, is deleted then, days."""

    @field_validator("exempt_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text, strict=False)
        return value


class ArchiveSettings(Section):
    max_downloads: int = Field(64, ge=2, le=1000)
    """MP4 downloads at a time; no household may hold all. The crew has as many."""
    retention_days: int = Field(0, ge=0, le=36_500)
    """Recordings older than this are deleted unless pinned, days; 0: kept."""
    audit_days: int = Field(365, ge=1, le=36_500)
    """The audit log, and links that have ended, are deleted after this, days."""
    speakers_days: int = Field(0, ge=0, le=36_500)
    """Speakers of past sessions without a recording go after this, days; 0: kept."""


class MetricsSettings(Section):
    token: str = ""
    """Bearer token that opens /metrics, 32 characters or more; empty: none does."""
    networks: tuple[str, ...] = ()
    """Addresses or networks that may read /metrics without a token; loopback may always."""

    @field_validator("token")
    @classmethod
    def _is_long(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("has 32 characters or more")
        return value

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            ip_network(text, strict=False)
        return value


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    format: Literal["auto", "console", "json"] = "auto"
    """auto: console on a terminal, else JSON."""


SHORTEST_ADMIN_TOKEN = 32
"""Characters. What may do everything is not to be guessed."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="STREAMER_", env_nested_delimiter="__", extra="ignore", frozen=True)

    data: Path = Path("data")
    """Folder for everything that is kept."""
    admin_token: str = ""
    """Accepted as an admin bearer token when set; 32 characters or more (environment only)."""
    web_dist: Path | None = None
    """Folder of the built pages; empty: beside the program."""
    server: ServerSettings = ServerSettings()
    ice: IceSettings = IceSettings()
    media: MediaSettings = MediaSettings()
    hls: HlsSettings = HlsSettings()
    whep: WhepSettings = WhepSettings()
    room: RoomSettings = RoomSettings()
    store: StoreSettings = StoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    realtime: RealtimeSettings = RealtimeSettings()
    audience: AudienceSettings = AudienceSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @field_validator("admin_token")
    @classmethod
    def _is_long_enough(cls, value: str) -> str:
        if value and len(value) < SHORTEST_ADMIN_TOKEN:
            raise ValueError(
                f"STREAMER_ADMIN_TOKEN has {len(value)} characters; at least {SHORTEST_ADMIN_TOKEN} are wanted. "
                "`openssl rand -hex 32` makes one"
            )
        return value

    @property
    def run_dir(self) -> Path:
        """Pid files and sockets."""
        return self.data / "run"

    def room_dir(self, room: str) -> Path:
        """Media files and index of one room."""
        return self.data / "rooms" / room


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings. ``overrides`` are nested dicts from the command line; None in them means: not given.

    Raises pydantic.ValidationError with the field's path, or OSError / tomllib.TOMLDecodeError for the file,
    or ValueError for a section that does not exist.
    """
    from_file: dict[str, Any] = tomllib.loads(config.read_text("utf-8")) if config else {}
    unknown = sorted(set(from_file) - set(Settings.model_fields))
    if unknown:
        raise ValueError(f"{config}: there is no setting or section called {', '.join(unknown)}")
    if "admin_token" in from_file:
        # A settings file is copied around and committed; the token that may do everything is not to be in it.
        raise ValueError(f"{config}: admin_token is taken from the environment only (STREAMER_ADMIN_TOKEN)")
    env = Settings().model_dump(exclude_unset=True)
    merged = _merge(_merge(from_file, env), overrides)
    return Settings.model_validate(merged)


def describe_problems(error: ValidationError) -> list[str]:
    """One line for each wrong setting: its path, what is wrong, what was found."""
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(step) for step in item["loc"]) or "settings"
        found = (
            ""
            if where in ("admin_token", "metrics.token") or isinstance(item["input"], dict)
            else f" (found {item['input']!r})"
        )
        lines.append(f"{where}: {item['msg']}{found}")
    return lines


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    out = dict(low)
    for key, value in high.items():
        if isinstance(value, dict):
            under = out.get(key)
            out[key] = _merge(under if isinstance(under, dict) else {}, value)
        elif value is not None:
            out[key] = value
    return out
