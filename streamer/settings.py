"""One settings tree. The docstring under each field tells its unit and what changes when it is raised or lowered.
``configs/streamer.toml``, the commented default file, is made from these docstrings and tested against this module.

Order of precedence: command line, environment (``STREAMER_``, sections by ``__``), ``--config`` file, defaults.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamer.problems import UNKNOWN, Problems
from streamer.sections import (
    AlarmSettings,
    ArchiveSettings,
    BusSettings,
    EdgeSettings,
    LogSettings,
    MetricsSettings,
    Networks,
    NotifySettings,
    Section,
    is_http_url,
)


class ServerSettings(Section):
    host: str = "127.0.0.1"
    """The address to listen on. 0.0.0.0 or :: listens on all interfaces, a loopback address for this machine only."""
    port: int = Field(8080, ge=0, le=65535)
    """The TCP port to listen on. 0 takes a free one, which is printed at the start."""
    public_url: str = ""
    """The address that people type. It is used in every link and cookie. Empty: it is made from host and port."""
    tls_cert: Path | None = None
    """A PEM file with the certificate chain. With tls_key the server speaks HTTPS."""
    tls_key: Path | None = None
    """A PEM file with the private key of tls_cert."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies. Their X-Forwarded-For and X-Forwarded-Proto are believed, nobody else's."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may publish or send commands with cookies. The own origin always may."""
    max_body_bytes: int = Field(1_000_000, ge=1_000)
    """The largest request body, bytes. A larger one is refused with 413. Higher takes larger uploads and more
    memory."""
    shutdown_s: float = Field(10.0, gt=0, le=120)
    """The time that requests have to end after SIGTERM, seconds. Higher cuts fewer of them; lower stops sooner."""
    headers_s: float = Field(10.0, ge=1, le=120)
    """The time for TLS and the headers of a request, seconds. Higher helps slow links; lower frees idle places
    sooner."""
    body_s: float = Field(15.0, ge=1, le=600)
    """The time for the body of a request, seconds. Higher helps slow uploads; lower frees places sooner."""
    idle_s: float = Field(75.0, ge=1, le=3600)
    """A connection without requests is closed after this time, seconds. Higher saves handshakes; lower saves places."""
    slow_reader_s: float = Field(20.0, ge=1, le=600)
    """The speed of a slow client is measured over this time, seconds. Higher forgives longer pauses of its link."""
    slow_reader_bytes_per_s: int = Field(2000, ge=1, le=1_000_000)
    """A client that takes less than this on average is cut off, bytes per second. Higher frees memory sooner; lower
    keeps poor links."""
    max_unsent_bytes: int = Field(256 * 1024 * 1024, ge=1_000_000)
    """The bytes that may wait to be sent to all clients together. Above it the clients with most to send are cut off.
    Higher takes more memory."""
    max_connections: int = Field(0, ge=0)
    """The connections in all. Higher serves more people and takes more file descriptors. 0: as many as the descriptors
    allow, less those for files and the crew."""
    max_connections_per_household: int = Field(0, ge=0)
    """The connections of one household: an IPv4 address or an IPv6 /56; a hall is one. Higher lets larger halls in. 0:
    a fair share, half of all at most."""
    web_processes: int = Field(0, ge=0, le=32)
    """The processes that take connections, serve media and deliver what is said; one more, behind them, does all
    else. Higher serves more viewers on more cores; each takes memory of its own, and an equal part of the limits of
    connections and of waiting playlist requests. 0: one process does all."""
    standby: bool = False
    """Whether a second web process waits, started and idle, for the end of the first one: it serves within a second,
    on a busy machine too, and takes about 85 MB while it waits. One that hangs and lives is not replaced."""
    security_contact: str = ""
    """The contact in /.well-known/security.txt for reports of weaknesses: mailto:, https:// or tel:. Empty: there is no
    such file."""

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
    """The addresses that media uses. Empty: server.host if it is one address, else those of all interfaces."""
    announce_addresses: tuple[str, ...] = ()
    """The addresses to announce instead (NAT 1:1), in the order of host_addresses."""
    port_min: int = Field(0, ge=0, le=65535)
    """The lowest UDP port for media. 0: any port."""
    port_max: int = Field(0, ge=0, le=65535)
    """The highest UDP port for media. 0: any port. A wider range takes more publishers and viewers at a time."""
    stun_servers: tuple[str, ...] = ()
    """STUN servers, such as stun:stun.example.org:3478."""
    turn_servers: tuple[str, ...] = ()
    """TURN servers, such as turn:turn.example.org?transport=udp."""
    turn_username: str = ""
    """The user name for the TURN servers."""
    turn_credential: str = ""
    """The password for the TURN servers."""
    connect_timeout_s: float = Field(10.0, gt=0, le=60)
    """A publication that has not connected after this time is given up, seconds. Higher waits for slow networks; lower
    frees the source sooner."""
    silence_timeout_s: float = Field(30.0, gt=1, le=600)
    """A publication that has sent nothing for this time is closed, seconds. Higher forgives longer breaks of its link;
    lower frees the source sooner."""
    socket_buffer_bytes: int = Field(4 * 1024 * 1024, ge=65536)
    """The receive buffer of a media socket, bytes. Higher loses fewer packets on a busy machine and takes more memory.
    The kernel may allow less."""
    max_publish_kbps: int = Field(60_000, ge=1000, le=500_000)
    """A publication's packets above this bitrate are dropped, kbit/s. Lower protects the network and the processor; too
    low damages the picture."""
    max_candidates: int = Field(64, ge=1)
    """The remote candidates that are taken for one publication. Higher tries more paths and takes longer to fail."""
    video_start_kbps: int = Field(2500, ge=100, le=50_000)
    """The video bitrate that browsers (Chromium) begin with, kbit/s. Higher is sharp sooner; lower is safer on poor
    links."""
    video_min_kbps: int = Field(300, ge=30, le=50_000)
    """The video bitrate that browsers are asked not to go below, kbit/s. Higher keeps the picture sharp; lower survives
    poorer links."""
    video_max_kbps: int = Field(8000, ge=100, le=50_000)
    """The video bitrate that browsers are asked not to exceed, kbit/s. Higher is sharper and takes more bandwidth."""
    opus_kbps: int = Field(128, ge=16, le=510)
    """The Opus bitrate that publishers are asked for, kbit/s. Higher sounds better and takes more bandwidth."""


class Rung(Section):
    height: int = Field(ge=90, le=2160)
    """The picture's height, pixels."""
    bitrate_kbps: int = Field(ge=50, le=20_000)
    """The average bitrate, kbit/s."""


class MediaSettings(Section):
    rungs: tuple[Rung, ...] = (
        Rung(height=720, bitrate_kbps=2500),
        Rung(height=480, bitrate_kbps=1200),
        Rung(height=360, bitrate_kbps=700),
        Rung(height=240, bitrate_kbps=350),
    )
    """The encoded renditions below the source. Those that are not smaller than the source are left out. More of them
    serve more kinds of links and take more of the processor."""
    top_bitrate_kbps: int = Field(4500, ge=200, le=30_000)
    """The bitrate of an encoded top rendition at 1080p, kbit/s. Higher is sharper and takes more bandwidth and disk."""
    max_height: int = Field(1080, ge=144, le=2160)
    """The largest picture height that is made or passed on, pixels. Higher is sharper and takes more of the
    processor."""
    max_frame_rate: int = Field(30, ge=10, le=60)
    """Encoded renditions leave out frames above this rate, frames per second. Higher moves more smoothly and takes more
    of the processor."""
    preset: str = "veryfast"
    """The preset of libx264. Slower presets look better at the same bitrate and take more of the processor."""
    encoder: str = "libx264"
    """The H.264 encoder: libx264, h264_nvenc, h264_qsv or h264_v4l2m2m. All but libx264 need their hardware."""
    encoder_threads: int = Field(1, ge=0, le=16)
    """The threads inside each encoder. Higher uses more cores for one rendition and adds delay. 0: the encoder
    decides."""
    audio_bitrate_kbps: int = Field(128, ge=32, le=320)
    """The AAC bitrate, kbit/s. Higher sounds better and takes more bandwidth."""
    overload_behind_ms: int = Field(250, ge=50, le=5000)
    """An encoder that is later than this leaves out frames, then its whole rendition, ms. Higher keeps renditions
    longer on a busy machine; lower keeps the delay small."""
    poor_link_audio_kbps: int = Field(48, ge=0, le=128)
    """The AAC bitrate of a second sound for poor links, kbit/s. Lower reaches poorer links and sounds worse. 0: there
    is no second sound."""
    passthrough: bool = True
    """Whether an H.264 source that fits becomes the top rendition without being encoded again. false takes more of the
    processor."""
    max_source_megapixels: float = Field(9.5, ge=1, le=36)
    """The largest picture of a source that is decoded, millions of pixels. Higher takes larger cameras and more
    memory."""
    silence_before_slate_s: float = Field(1.0, ge=0.3, le=10)
    """A source without packets for this time goes off the programme, seconds. Higher forgives longer breaks; lower
    shows the slate sooner."""
    still_interval_s: float = Field(5.0, ge=1, le=60)
    """The time from one still to the next, seconds. Higher takes less of the processor; lower shows newer stills."""
    slate_frame_rate: int = Field(30, ge=5, le=60)
    """The frame rate of the slate, frames per second. Higher takes more of the processor."""


class HlsSettings(Section):
    segment_s: float = Field(2.0, ge=1, le=6)
    """The usual length of a segment, seconds. Higher compresses better; lower lets viewers join and change quality
    sooner."""
    target_duration_s: int = Field(3, ge=2, le=10)
    """EXT-X-TARGETDURATION, seconds: no segment is longer, so it should be more than segment_s. Players that do not
    read parts stay three times as long behind."""
    part_target_ms: int = Field(334, ge=100, le=1000)
    """The length of a part at most, ms. Higher means fewer requests; lower means less delay, and less is lost in a
    crash."""
    ring_s: float = Field(30.0, ge=9, le=300)
    """The newest media is kept in memory for this time, seconds. Higher serves more without the disk and takes more
    memory."""
    dvr_s: int = Field(7200, ge=60, le=86_400)
    """Viewers may go back this far in a live broadcast, seconds. Higher means longer playlists and a larger disk."""
    live_window_s: int = Field(600, ge=30, le=7200)
    """The length of a playlist that is asked for without ?dvr=1, seconds. Higher lets players go back further; lower
    makes playlists smaller."""
    max_held_total: int = Field(20_000, ge=10)
    """The playlist requests that may wait for the next part (blocking reload), in all. Higher serves more viewers and
    takes more memory; further ones are answered with 503."""
    max_held_per_address: int = Field(1000, ge=1)
    """The waiting playlist requests of one household: an IPv4 address or an IPv6 /56; a hall is one. Higher lets larger
    halls in. It is also how often per minute a household may begin to watch over WHEP."""
    max_held_per_connection: int = Field(16, ge=1)
    """The waiting playlist requests of one connection. A player needs one for each rendition that it reads. Higher lets
    one connection of a proxy serve more players; further ones are answered with 429."""
    cache_bytes_per_room: int = Field(18 * 1024 * 1024, ge=1_000_000)
    """The memory in which a web process keeps the newest parts of a room, bytes. The default is the last fifteen
    seconds of six renditions; older parts come from files, which the system keeps in memory as well. Higher reads less
    from them."""


class WhepSettings(Section):
    max_viewers: int = Field(20, ge=0, le=500)
    """The viewers with the lowest delay (WHEP) in each room. Further ones are answered with 503 and watch over HLS.
    Higher takes more bandwidth and processor."""
    max_pending: int = Field(40, ge=2, le=1000)
    """The offers in each room that have not connected yet. No household may hold all of them. Higher lets more people
    begin at once."""
    max_previews: int = Field(40, ge=2, le=500)
    """The previews of the crew in each room, beside the viewers. Higher takes more bandwidth."""
    connect_timeout_s: float = Field(6.0, ge=1, le=60)
    """A viewer that has not connected after this time is given up, seconds. Higher waits for slow networks; lower frees
    places sooner."""


class RoomSettings(Section):
    close_after_s: float = Field(1800, ge=5)
    """A room closes this long after its last publication ended, seconds. Higher keeps its broadcast open over longer
    breaks; lower frees memory sooner."""
    open_timeout_s: float = Field(5.0, ge=0.5, le=60)
    """The time to wait for the first picture before the renditions are fixed without one, seconds. Higher waits for
    slow cameras; lower opens sooner."""
    max_sources: int = Field(8, ge=1, le=64)
    """The sources that a room holds at a time. Higher takes more memory and processor."""
    max_rooms: int = Field(32, ge=1, le=500)
    """The room processes under one media host. Opening a further room is refused. Higher takes more memory and
    processor."""
    memory_mb: int = Field(2048, ge=256, le=65_536)
    """A room process that takes more memory than this is restarted, MB. Other rooms go on. Lower protects the machine;
    too low interrupts large rooms."""
    warm_spare: bool = True
    """Whether a process is kept ready that rooms are forked from. It takes about 60 MB, and each room 40 MB less;
    without it a camera waits half a second for the start of its room."""
    restart_backoff_s: float = Field(0.5, ge=0, le=60)
    """The first wait before a crashed room is restarted, seconds. It doubles with each crash. Higher spares the
    machine; lower is back sooner."""
    attempts_per_minute: int = Field(60, ge=1)
    """The attempts to publish of one household per minute. Further ones are answered with 429. Lower protects the
    machine; too low keeps out encoders that try again and again behind one address."""
    failed_attempts_per_minute: int = Field(20, ge=1)
    """The wrong tokens of one household per minute. Further ones are answered with 429. Lower makes guessing slower."""


class StoreSettings(Section):
    url: str = ""
    """The database's address, as for SQLAlchemy. Empty: SQLite in the data folder."""
    director_absent_s: float = Field(20.0, ge=2, le=300)
    """When the directing server gives no sign for this time, another server on the same database takes over, seconds.
    Higher forgives longer breaks; lower takes over sooner."""


class ScheduleSettings(Section):
    allow_networks: Networks = ()
    """Private addresses or networks that schedules may be fetched from and alarms sent to, such as 10.1.0.0/16. Others
    are refused."""
    fetch_timeout_s: float = Field(15.0, gt=0, le=120)
    """The time for fetching a schedule, seconds. Higher waits for slow sites."""
    max_bytes: int = Field(20_000_000, ge=10_000, le=20_000_000)
    """The largest schedule after unpacking, bytes. A larger one is refused. Higher takes more memory."""
    poll_s: float = Field(300.0, ge=10, le=86_400)
    """The time from one look at an event's schedule to the next, seconds. Higher asks its site less often; lower sees
    changes sooner."""


class RealtimeSettings(Section):
    max_connections: int = Field(20_000, ge=10)
    """The Socket.IO connections in all. Higher serves more people and takes more memory."""
    max_connections_per_address: int = Field(2000, ge=1)
    """The Socket.IO connections of one household: an IPv4 address or an IPv6 /56; a hall is one. Higher lets larger
    halls in."""
    max_connections_per_participant: int = Field(20, ge=2)
    """The Socket.IO connections of one participant. Each tab and device has its own. Higher takes more memory."""
    max_message_bytes: int = Field(131_072, ge=69_632, le=10_000_000)
    """The largest message of a client, bytes. A larger one ends the connection. Higher takes more memory."""
    max_behind_bytes: int = Field(2 * 1024 * 1024, ge=65_536)
    """A client for whom more than this waits to be sent is cut off, bytes. Higher keeps slow links and takes more
    memory."""
    max_behind_events: int = Field(2000, ge=10)
    """A client for whom more events than this wait to be sent is cut off. Higher keeps slow links and takes more
    memory."""
    stall_s: float = Field(20.0, ge=1, le=300)
    """A client that takes nothing for this time is cut off, seconds. Higher forgives longer breaks of its link."""
    log_events: int = Field(5000, ge=100)
    """The newest events of each room and namespace that are kept for clients that come back. Fewer send more clients a
    whole snapshot; more take more memory."""
    log_bytes: int = Field(4 * 1024 * 1024, ge=100_000)
    """The same in bytes. The limit that is reached first counts. Higher takes more memory."""
    log_s: float = Field(900.0, ge=10, le=86_400)
    """The time that these events are kept at most, seconds. Higher brings clients back without a snapshot after longer
    breaks."""
    join_s: float = Field(10.0, ge=1, le=120)
    """A connection that joins no namespace in this time is ended, seconds. Higher waits for slow links; lower frees
    places sooner."""
    command_s: float = Field(10.0, ge=0.1, le=15)
    """A command that takes longer is answered with an error, seconds; its work goes on. Higher waits longer on a busy
    machine."""
    commands_burst: int = Field(20, ge=1)
    """The commands that a client may send at once. Higher helps fast hands; lower slows floods."""
    commands_per_s: float = Field(10.0, ge=0.1)
    """The commands per second that a client may go on sending after that. Lower slows floods."""
    address_commands_burst: int = Field(2000, ge=10)
    """The commands that the participants of one household may send at once; a hall is one. Higher lets larger halls
    in."""
    address_commands_per_s: float = Field(500.0, ge=1)
    """The commands per second that a household may go on sending after that. Higher lets larger halls in."""
    newcomer_s: float = Field(60.0, ge=0, le=3600)
    """A participant counts as new for this time, seconds. Higher slows those who come back under new names. 0: nobody
    counts as new."""
    newcomers_burst: int = Field(24, ge=1)
    """The messages and questions that new participants of one household may send at once. Lower slows floods under new
    names."""
    newcomers_per_s: float = Field(12.0, ge=0.1)
    """The messages and questions per second that they may go on sending after that. Their votes are let in twice as
    often. Lower slows floods; higher lets a large hall write at once."""
    newcomers_votes_burst: int = Field(400, ge=1)
    """The votes that new participants of one household may cast at once; a hall is one. Higher lets a large hall vote
    together."""
    ping_interval_s: int = Field(20, ge=1, le=120)
    """The time from one heartbeat of a connection to the next, seconds. Higher sends less; lower finds dead connections
    sooner."""
    ping_timeout_s: int = Field(20, ge=1, le=120)
    """A connection that does not answer a heartbeat in this time is ended, seconds. Higher forgives longer breaks."""


class AudienceSettings(Section):
    chat_characters: int = Field(200, ge=20, le=2000)
    """The longest chat message, characters. A longer one is refused."""
    question_characters: int = Field(500, ge=20, le=4000)
    """The longest question, characters. A longer one is refused."""
    blocked_words: tuple[str, ...] = ()
    """A message with one of these words waits for a moderator, in every room. Letters that look alike count as the
    same."""
    usual_delay_ms: int = Field(5000, ge=0, le=60_000)
    """The delay that is assumed for a viewer whose player does not tell its own, ms. It places messages on the
    timeline: higher places them earlier."""
    address_hold_minutes: int = Field(60, ge=0, le=1440)
    """After a ban the messages of new participants from the same household wait for a moderator this long, minutes. 0:
    they do not wait. Higher keeps trolls away longer, and makes newcomers beside them wait."""
    exempt_networks: Networks = ()
    """Networks whose new participants never wait after a ban, such as a hall's own."""
    messages_in_memory: int = Field(300, ge=20, le=5000)
    """The newest messages of an audience that are kept in memory and sent to those who join. Higher shows more and
    takes more memory."""
    open_questions: int = Field(10, ge=1, le=100)
    """The open questions that a participant may have. A further one is refused. Lower leaves more room to others."""
    keep_days: int = Field(365, ge=1, le=36_500)
    """Messages, questions, votes and moderators' actions on them are deleted after this time, days. Higher keeps
    personal data longer."""


SHORTEST_ADMIN_TOKEN = 32
"""Characters. A token that may do everything must be too long to guess."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="STREAMER_", env_nested_delimiter="__", extra="ignore", frozen=True)

    data: Path = Path("data")
    """The folder for everything that is kept."""
    admin_token: str = ""
    """A bearer token that may do everything, 32 characters or more. It is taken from the environment only."""
    web_dist: Path | None = None
    """The folder of the built pages. Empty: the one beside the program."""
    server: ServerSettings = ServerSettings()
    ice: IceSettings = IceSettings()
    media: MediaSettings = MediaSettings()
    hls: HlsSettings = HlsSettings()
    whep: WhepSettings = WhepSettings()
    room: RoomSettings = RoomSettings()
    store: StoreSettings = StoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    notify: NotifySettings = NotifySettings()
    realtime: RealtimeSettings = RealtimeSettings()
    audience: AudienceSettings = AudienceSettings()
    alarms: AlarmSettings = AlarmSettings()
    metrics: MetricsSettings = MetricsSettings()
    edges: EdgeSettings = EdgeSettings()
    bus: BusSettings = BusSettings()
    log: LogSettings = LogSettings()

    @field_validator("admin_token")
    @classmethod
    def _is_long_enough(cls, value: str) -> str:
        if value and len(value) < SHORTEST_ADMIN_TOKEN:
            raise ValueError(
                f"STREAMER_ADMIN_TOKEN has {len(value)} characters; at least {SHORTEST_ADMIN_TOKEN} are needed. "
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

    Raises ValidationError with all problems by the field's path, OSError or TOMLDecodeError for the file.
    """
    return merged_settings(tomllib.loads(config.read_text("utf-8")) if config else {}, str(config), overrides)


def merged_settings(from_file: dict[str, Any], title: str, overrides: dict[str, Any]) -> Settings:
    """As :func:`load_settings`, of a file that is parsed already. ``title`` names it in the error."""
    problems = Problems()
    known = {name: value for name, value in from_file.items() if name in Settings.model_fields}
    for name in from_file.keys() - known.keys():
        problems.add((name,), UNKNOWN, "There is no such setting or section", from_file[name])
    if known.pop("admin_token", None) is not None:
        # People copy and commit settings files. This token may do everything, so it must not stand in one.
        problems.add(("admin_token",), "in_a_file", "It is taken from the environment only (STREAMER_ADMIN_TOKEN)")
    env: dict[str, Any] = {}
    with problems.collected():
        env = Settings().model_dump(exclude_unset=True)
    for path, value in _unread(os.environ):
        problems.add(path, UNKNOWN, "There is no such setting", value)
    with problems.collected():
        settings = Settings.model_validate(_merge(_merge(known, env), overrides))
    problems.tell(title)
    return settings


def _unread(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Variables that were meant as settings and are none: they would be ignored. Others that begin with ``STREAMER_``
    are somebody else's (Kubernetes makes some for a service of this name)."""
    top = [name for name, field in Settings.model_fields.items() if not isinstance(field.default, Section)]
    flat = {f"{name}_{key}" for name, section in Settings.model_fields.items() for key in _keys(section.default)}
    for variable, value in environment.items():
        name = variable.lower().removeprefix("streamer_")
        if name == variable.lower() or value.startswith(("tcp://", "udp://")):
            continue
        section, *rest = name.split("__")
        if (rest and section not in Settings.model_fields) or name in flat:
            yield (section, *rest), value
        elif name not in Settings.model_fields and get_close_matches(name, top, 1, cutoff=0.85):
            yield (name,), value


def _keys(default: Any) -> Iterable[str]:
    return type(default).model_fields if isinstance(default, Section) else ()


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    out = dict(low)
    for key, value in high.items():
        if isinstance(value, dict):
            under = out.get(key)
            out[key] = _merge(under if isinstance(under, dict) else {}, value)
        elif value is not None:
            out[key] = value
    return out
