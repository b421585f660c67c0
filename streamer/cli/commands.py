"""The ``streamer`` command. Exit codes: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamer import __version__
from streamer.errors import EXIT_FAILED, EXIT_USAGE, StreamerError
from streamer.sections import is_http_url
from streamer.settings import Settings, load_settings
from streamer.starting import quick_imports

if TYPE_CHECKING:
    from streamer.backup.restoring import Restored

app = typer.Typer(
    name="streamer",
    help="Self-hosted live broadcasting for public venues.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str | None, typer.Option(help="The address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port; 0 picks a free one.")]
Data = Annotated[Path | None, typer.Option(help="The folder for everything that is kept.")]
Config = Annotated[Path | None, typer.Option(help="A settings file, see configs/streamer.toml.")]
PublicUrl = Annotated[str | None, typer.Option(help="The address that people type.")]
TlsCert = Annotated[Path | None, typer.Option(help="A PEM file with the certificate chain.")]
TlsKey = Annotated[Path | None, typer.Option(help="A PEM file with the private key.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Ends with SystemExit."""
    try:
        app(arguments)
    except StreamerError as error:
        _complain(error.message)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(message: str) -> None:
    print(f"streamer: {message}", file=sys.stderr)


def read_settings(config: Path | None, **overrides: Any) -> Settings:
    """Settings from file, environment and command line; problems in plain words and exit code 2."""
    from streamer.cli.settings_problems import mistakes

    try:
        settings = load_settings(config, **overrides)
    except OSError as error:
        _complain(f"the settings file cannot be read: {error}")
    except ValueError:
        for line in mistakes(config, overrides):
            _complain(line)
    else:
        server = settings.server
        if (server.tls_cert is None) == (server.tls_key is None):
            # Children and later commands may run in another folder.
            return settings.model_copy(update={"data": settings.data.absolute()})
        _complain("--tls-cert and --tls-key go together")
    raise typer.Exit(EXIT_USAGE)


def _server_settings(
    host: str | None,
    port: int | None,
    data: Path | None,
    config: Path | None,
    public_url: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    web: int | None = None,
    standby: bool | None = None,
) -> Settings:
    server = {
        "host": host,
        "port": port,
        "public_url": public_url,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "web_processes": web,
        "standby": standby,
    }
    return read_settings(config, data=data, server=server)


def _data_settings(data: Path | None, config: Path | None) -> Settings:
    """For commands beside a running instance: its own settings, unless a file is named."""
    from streamer.serve import running_settings

    settings = read_settings(config, data=data)
    running = None if config is not None else running_settings(settings.data)
    return running if running is not None else settings


def _own_settings(data: Path | None, config: Path | None) -> Settings:
    """As :func:`_data_settings`. A folder of something else is refused: what is written there would be seen by
    nobody."""
    from streamer.data_folder import is_ours

    settings = _data_settings(data, config)
    if not is_ours(settings.data):
        what = "holds other things" if settings.data.exists() else "is not there"
        _complain(f"the data folder {settings.data} {what}: is --data right? streamer serve makes a new one")
        raise typer.Exit(EXIT_USAGE)
    return settings


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    config: Config = None,
    role: Annotated[Literal["all", "web", "media"], typer.Option(help="The plane to run.")] = "all",
    public_url: PublicUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    web: Annotated[
        int | None, typer.Option(min=0, max=32, help="Processes that serve viewers; 0: one process does all.")
    ] = None,
    standby: Annotated[
        bool | None, typer.Option("--standby/--no-standby", help="Whether a second web process waits to take over.")
    ] = None,
) -> None:
    """Serve: all in one, or one plane by --role."""
    settings = _server_settings(host, port, data, config, public_url, tls_cert, tls_key, web, standby)
    # rich is for structlog's console, which is not ours.
    with quick_imports("rich"):
        from streamer.observe.logs import configure_logging
        from streamer.serve import Child
        from streamer.serve import serve as run

    configure_logging(settings.log, role="media" if role == "media" else "serve")

    async def ready(url: str, _settings: Settings) -> list[Child]:
        print(f"Streamer {__version__} serves on {url}", flush=True)
        _tell_first_admin(settings)
        return []

    raise typer.Exit(asyncio.run(run(settings, role, ready)))


def _tell_first_admin(settings: Settings) -> None:
    """Print the one-time link of a new server, if somebody sits before it. A log would keep it."""
    from streamer.data_folder import FIRST_ADMIN_LINK

    if sys.stdout.isatty():
        with contextlib.suppress(OSError):
            link = (settings.data / FIRST_ADMIN_LINK).read_text("utf-8")
            print(f"\nNobody is admin here yet. Open this link to be:\n\n{link}", flush=True)


@app.command()
def demo(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    config: Config = None,
    public_url: PublicUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
) -> None:
    """Serve with a demo room on air: a test card published over WHIP."""
    settings = _server_settings(host, port, data, config, public_url, tls_cert, tls_key)
    from streamer.cli.demo import ready
    from streamer.observe.logs import configure_logging
    from streamer.serve import serve as run

    configure_logging(settings.log, role="serve")
    raise typer.Exit(asyncio.run(run(settings, "all", ready)))


@app.command()
def publish(
    url: Annotated[str, typer.Option(help="WHIP address, such as http://127.0.0.1:8080/whip/room.")],
    token: Annotated[str, typer.Option(envvar="STREAMER_PUBLISH_TOKEN", help="A publisher's or technician's token.")],
    source: Annotated[
        str | None,
        typer.Argument(metavar="INPUT", help="A file (looped), rtsp://, rtmp:// or udp:// address; else a test card."),
    ] = None,
    takeover: Annotated[bool, typer.Option("--takeover", help="Replace the present publisher.")] = False,
    give_way: Annotated[
        bool,
        typer.Option("--give-way", help="Leave it to whoever takes over; come back when it was free for a minute."),
    ] = False,
    parent: Annotated[int | None, typer.Option(hidden=True, help="End with this process.")] = None,
) -> None:
    """Publish a test card, a file or a camera over WHIP, until stopped."""
    from streamer.control.process_files import die_with_parent
    from streamer.observe.logs import configure_logging
    from streamer.publish.command import run_publisher

    if not is_http_url(url):
        _complain(f"--url is a WHIP address that begins with http:// or https://, not {url}")
        raise typer.Exit(EXIT_USAGE)
    if takeover and give_way:
        _complain("--takeover and --give-way exclude each other")
        raise typer.Exit(EXIT_USAGE)
    if source is not None and "://" not in source and not Path(source).exists():
        _complain(f"there is no file {source}")
        raise typer.Exit(EXIT_USAGE)
    if parent is not None:
        die_with_parent(parent)
    configure_logging(read_settings(None).log, role="publish")
    raise typer.Exit(asyncio.run(run_publisher(url, token, source, takeover=takeover, give_way=give_way)))


@app.command()
def grant(
    role: Annotated[
        Literal["admin", "organiser", "technician", "moderator", "captioner", "speaker", "viewer", "publisher"],
        typer.Option(help="The role of the link's holder."),
    ],
    room: Annotated[str | None, typer.Option(help="Only this room.")] = None,
    venue: Annotated[str | None, typer.Option(help="Only this venue's rooms.")] = None,
    event: Annotated[str | None, typer.Option(help="Only this event's sessions, and their rooms during them.")] = None,
    session: Annotated[str | None, typer.Option(help="Only this session, until half an hour after it.")] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.01, help="The link ends after this many hours; left out: never.")
    ] = None,
    label: Annotated[str, typer.Option(help="The holder's name, for the crew.")] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a grant and print its link and token."""
    from streamer.cli.granting import make_grant
    from streamer.conference.grants import Role

    scope = {"room": room, "venue": venue, "event": event, "session": session}
    if sum(value is not None for value in scope.values()) > 1:
        _complain("a grant has one scope: --room, --venue, --event or --session")
        raise typer.Exit(EXIT_USAGE)
    settings = _own_settings(data, config)
    expires_ms = None if hours is None else time.time_ns() // 1_000_000 + round(hours * 3_600_000)
    made = asyncio.run(make_grant(settings, Role(role), **scope, label=label, expires_ms=expires_ms))
    print(f"Link:  {made.link}\nToken: {made.token}")


@app.command()
def password(data: Data = None, config: Config = None) -> None:
    """Set the admin password: asked for twice on a terminal, else the first line of standard input."""
    from streamer.cli.granting import set_password

    settings = _own_settings(data, config)
    if sys.stdin.isatty():
        new = typer.prompt("New admin password", hide_input=True, confirmation_prompt=True)
    else:
        new = sys.stdin.readline().rstrip("\r\n")
    asyncio.run(set_password(settings, new))
    print("The admin password is set. Logins with the old one have ended.")


@app.command(name="import")
def import_(
    source: Annotated[
        str, typer.Argument(metavar="FILE_OR_URL", help="frab XML, c3voc JSON or iCalendar; - reads standard input.")
    ],
    event: Annotated[str | None, typer.Option(help="The event; left out: the one that the file names.")] = None,
    venue: Annotated[str | None, typer.Option(help="The venue of a new event and of new rooms.")] = None,
    room: Annotated[str | None, typer.Option(help="The room of sessions without a room.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also change sessions that are armed or on air.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Read a schedule: show what is new, moved, changed and cancelled, and apply it."""
    from streamer.cli.importing import ImportRequest, explain, import_schedule, show
    from streamer.schedules.reading import Unreadable

    if "://" in source and not is_http_url(source):
        _complain(f"an address begins with http:// or https://, not {source}")
        raise typer.Exit(EXIT_USAGE)
    if "://" not in source and source != "-" and not Path(source).is_file():
        _complain(f"there is no file {source}")
        raise typer.Exit(EXIT_USAGE)
    settings = _own_settings(data, config)
    try:
        imported = asyncio.run(import_schedule(settings, ImportRequest(source, event, venue, room, dry_run, yes)))
    except Unreadable as error:
        for line in explain(error):
            _complain(line)
        raise typer.Exit(EXIT_FAILED) from None
    from rich.console import Console

    show(imported, Console(soft_wrap=True, width=None if sys.stdout.isatty() else 200), everything=dry_run)


@app.command()
def backup(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="A folder or s3://bucket/prefix, for backups of this instance alone."),
    ],
    keep: Annotated[int, typer.Option(min=1, help="The number of copies of the database.")] = 14,
    data: Data = None,
    config: Config = None,
) -> None:
    """Back everything that is kept up, also while on air: only what is new is copied."""
    from streamer.backup.saving import backup as run
    from streamer.store.database import database_url

    settings = _own_settings(data, config)
    os.nice(10)  # a room on air comes first
    saved = run(settings.data, database_url(settings.store.url, settings.data), target, keep)
    print(
        f"Backed up to {target}: {saved.files} files and the database, {_size(saved.size)}; {_size(saved.copied)} were "
        f"new, {_size(saved.deleted)} went. {saved.seconds:.1f} s."
    )


@app.command()
def restore(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder or s3://bucket/prefix with a backup.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only try: restore to a scratch folder, compare.")] = False,
    at: Annotated[str, typer.Option(help="The database of this time, as the folder databases names it.")] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Put a backup back into a new data folder; or see with --verify that it can be put back."""
    from streamer.backup import restoring
    from streamer.serve import is_serving
    from streamer.store.database import database_url

    if verify:
        found = restoring.verify(source)
        print(f"The backup of {_time(found.made_ms)} is whole: {found.files} files, {_size(found.size)}{_gone(found)}.")
        return
    settings = read_settings(config, data=data)
    if is_serving(settings.data):
        _complain(f"{settings.data} is in use: stop the server first")
        raise typer.Exit(EXIT_FAILED)
    url = database_url(settings.store.url, settings.data)
    found = restoring.restore(source, settings.data, url, at=at)
    print(
        f"Restored to {settings.data}: {found.files} files and the database of {_time(found.made_ms)}, "
        f"{_size(found.size)}{_gone(found)}. What was erased is erased again when the server starts, before it serves."
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(" ", "seconds")


def _gone(found: Restored) -> str:
    return f"; {found.erased} files are missing because they were erased" if found.erased else ""


@app.command()
def check(
    data: Data = None,
    config: Config = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
) -> None:
    """Check settings, codecs, disk, ports, clock, access and pages before a broadcast, with the options of serve."""
    from rich.console import Console
    from rich.table import Table

    from streamer.cli.check import check as run
    from streamer.serve import is_serving, running_settings

    settings = _server_settings(host, port, data, config, public_url, tls_cert, tls_key)
    as_serving = (config, host, port, public_url, tls_cert, tls_key) == (None,) * 6
    if as_serving and is_serving(settings.data):
        settings = running_settings(settings.data) or settings
    marks = {"ok": "[green]ok[/]", "warn": "[yellow]look[/]", "bad": "[red]bad[/]"}
    table = Table(box=None, show_header=False, pad_edge=False)
    worst = 0
    for finding in run(settings):
        table.add_row(marks[finding.level], finding.subject, finding.text)
        worst = max(worst, EXIT_FAILED if finding.level == "bad" else 0)
    Console(soft_wrap=True).print(table)
    raise typer.Exit(worst)


@app.command()
def unit(
    role: Annotated[Literal["all", "web", "media"], typer.Option(help="The plane that the unit runs.")] = "all",
    backup: Annotated[str | None, typer.Option(help="Instead: a service that backs up to a folder or bucket.")] = None,
    timer: Annotated[bool, typer.Option("--timer", help="Instead: the timer of that service, every night.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Print a systemd unit that fits where this program is installed."""
    from streamer.cli import units

    program = units.installed_program()
    if timer:
        text = units.backup_timer()
    elif backup is not None:
        text = units.backup_unit(backup, program, data, config)
    else:
        text = units.unit(role, program, data, config)
    print(text, end="")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


if __name__ == "__main__":
    main()
