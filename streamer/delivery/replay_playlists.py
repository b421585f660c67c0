"""Playlists of replays as text (RFC 8216bis). No I/O.

A replay has no parts, and no request waits: VOD, or EVENT while its session is on air. Lines are written once; a longer
EVENT playlist reuses the earlier lines.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streamer.archive.editions import Edition, EditionSegment
from streamer.broadcast.programme import TICKS_PER_S
from streamer.delivery import playlists
from streamer.delivery.rendering import Playlist, deflate
from streamer.formats import cmaf

VERSION = 7
"""EXT-X-MAP in a playlist that is not I-frames only needs version 6 (section 8); CMAF players expect 7."""
BLOCK = 64
FROM_THE_START = "#EXT-X-START:TIME-OFFSET=0.0,PRECISE=YES"
"""Players begin an EVENT playlist at its end otherwise: 4.4.2.2."""
REELS = 1_000_000
"""An init section's number in addresses: its reel times this, and its id in the broadcast."""
JOINED = REELS * REELS
"""Added to the number of the first of several init sections that are joined to one."""


def multivariant(edition: Edition, folder: str, *, event: bool, extra: Sequence[str] = ()) -> Playlist:
    """URIs are ``{folder}/{rendition}.m3u8``. ``extra``: more lines."""
    extra = (*extra, FROM_THE_START) if event else extra
    text = playlists.variants(edition.renditions, folder, extra=extra, languages=edition.caption_languages).encode()
    return Playlist(text, zlib.crc32(text), (), text)


def init_number(piece: EditionSegment) -> int:
    return piece.reel * REELS + piece.init


def join_inits(
    pieces: Sequence[EditionSegment], data_of: Callable[[EditionSegment], bytes | None]
) -> tuple[dict[int, int], dict[int, bytes]]:
    """As few init sections as there can be, for players that take only one: number -> number of the joined one, and the
    joined ones themselves."""
    groups: list[tuple[list[int], bytes]] = []
    for piece in pieces:
        number = init_number(piece)
        if piece.gap or any(number in numbers for numbers, _ in groups):
            continue
        data = data_of(piece)
        if data is None:
            continue
        both = cmaf.joined_init(groups[-1][1], data) if groups else None
        if both is None:
            groups.append(([number], data))
        else:
            groups[-1] = ([*groups[-1][0], number], both)
    many = [(numbers, data) for numbers, data in groups if len(numbers) > 1]
    names = {number: JOINED + numbers[0] for numbers, _ in many for number in numbers}
    return names, {JOINED + numbers[0]: data for numbers, data in many}


@dataclass(slots=True)
class TrackWriter:
    """The media playlist of one rendition of an edition. ``name`` is the rendition's name, and a folder beside the
    playlist."""

    name: str
    event: bool
    captions: bool = False
    """Whether it is a subtitle rendition; then the pieces are those of the rendition that it follows."""
    joined: Mapping[int, int] = field(default_factory=dict)
    """The numbers of init sections that are joined -> that of the joined one."""
    _texts: list[bytes] = field(default_factory=list)
    _packed: list[bytes] = field(default_factory=list)
    """Raw deflate of the finished blocks; one less than ``texts`` while the last block grows."""
    _count: int = 0
    _open: list[str] = field(default_factory=list)
    _map: int | None = None
    _longest: int = 0
    _made: tuple[int, bool, Playlist] | None = None

    def playlist(self, edition: Edition, pieces: Sequence[EditionSegment], *, ended: bool) -> Playlist:
        """``pieces`` begin with those of the call before. There must be one.

        A gap is listed once something follows it: FFmpeg asks for it again and again, and at the end of all it stands
        for nothing.
        """
        if not self.captions:
            last = next((n for n in range(len(pieces) - 1, -1, -1) if not pieces[n].gap), -1)
            pieces = pieces[: last + 1] or pieces
        made = self._made
        if made is not None and made[:2] == (len(pieces), ended):
            return made[2]
        for piece in pieces[self._count :]:
            self._add(edition, piece)
        longest = (self._longest + TICKS_PER_S // 2) // TICKS_PER_S
        head = (
            f"#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            f"#EXT-X-TARGETDURATION:{max(edition.target_duration_s, longest)}\n"
            f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if self.event else 'VOD'}\n"
            "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        )
        if self.event:
            head += f"{FROM_THE_START}\n"
        tail = "".join(self._open) + ("#EXT-X-ENDLIST\n" if ended else "")
        text = b"".join((head.encode(), *self._texts, tail.encode()))
        fresh = Playlist(text, zlib.crc32(text), (deflate(head.encode()), *self._packed), tail.encode())
        self._made = (len(pieces), ended, fresh)
        return fresh

    def _add(self, edition: Edition, piece: EditionSegment) -> None:
        out = []
        if piece.discontinuity:
            out.append("#EXT-X-DISCONTINUITY\n")
        number = init_number(piece)
        number = self.joined.get(number, number)
        # "It applies to every Media Segment that appears after it" (4.4.4.5), across discontinuities too; yt-dlp takes
        # none after the first segment.
        if not self.captions and not piece.gap and number != self._map:
            out.append(f'#EXT-X-MAP:URI="{self.name}/init-{number}.mp4"\n')
            self._map = number
        epoch = edition.epochs_ms[piece.reel]
        out.append(f"#EXT-X-PROGRAM-DATE-TIME:{playlists.date_time(epoch, piece.start)}\n")
        if piece.gap and not self.captions:
            out.append("#EXT-X-GAP\n")
        name = f"{self.name}/{piece.number}.{'vtt' if self.captions else 'm4s'}"
        out.append(f"#EXTINF:{playlists.seconds(piece.duration)},\n{name}\n")
        self._open.append("".join(out))
        self._longest = max(self._longest, piece.duration)
        self._count += 1
        if len(self._open) == BLOCK:
            text = "".join(self._open).encode()
            self._texts.append(text)
            self._packed.append(deflate(text))
            self._open.clear()
