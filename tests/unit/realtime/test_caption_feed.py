"""Captions over Socket.IO: told to the audience that may hear them, and to nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.audience.captioning import CaptionEvent
from streamer.conference.rooms import Between
from streamer.conference.sessions import Visibility
from streamer.realtime.caption_feed import CaptionFeed
from tests.fakes.talking import Service, served

TYPED = CaptionEvent("a", "talk", "c1", "fr", "Bonjour", 1_700_000_000_000, False)


def feed_of(service: Service) -> CaptionFeed:
    rooms = service.plane.rooms
    return CaptionFeed(
        service.realtime.hub, service.director, lambda room: rooms[room].state if room in rooms else "off"
    )


async def test_what_is_typed_is_told_as_it_grows_and_once_to_those_who_come_back() -> None:
    async with served() as service:
        service.director.plan("talk", begins_in=-1)
        await service.open_room("a", "live")
        feed, viewer = feed_of(service), await service.connect(room="a")
        start = viewer.snapshots[0]["seq"]
        feed.hear(TYPED)
        told = await viewer.told("caption")
        assert told["media_at"] == TYPED.at_ms
        assert told["data"] == {"id": "c1", "lang": "fr", "text": "Bonjour", "final": False}
        feed.hear(replace(TYPED, text="Bonjour à tous.", final=True))
        await viewer.told("caption", lambda data: data["final"])
        back = await service.connect(room="a", since=start)
        await back.told("caption")
        feed.hear(replace(TYPED, text="", final=True))
        await back.told("caption", lambda data: data["text"] == "")
        assert [event["data"]["text"] for event in back.of("caption")] == ["Bonjour à tous.", ""]
        later = await service.connect(room="a", since=start)
        await later.told("caption")
        assert "Bonjour" not in later.text


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.UNLISTED])
async def test_a_closed_sessions_captions_are_its_own_audiences(visibility: Visibility) -> None:
    async with served() as service:
        director = service.director
        director.plan("board", begins_in=-1, visibility=visibility)
        director.plan("talk", begins_in=60)
        service.access.admit("member", "viewer", session="board")
        await service.open_room("a", "live")
        public = await service.connect(room="a")
        member = await service.connect(session="board", token="member")
        feed = feed_of(service)
        feed.hear(replace(TYPED, session="board", text="Between us"))
        await member.told("caption", lambda data: data["text"] == "Between us")
        feed.hear(TYPED)
        await public.told("caption", lambda data: data["text"] == "Bonjour")
        feed.hear(replace(TYPED, id="c2", session="board", text="And on"))
        await member.told("caption", lambda data: data["text"] == "And on")
        assert "Between us" not in public.text
        assert "Bonjour" not in member.text


async def test_nothing_is_told_of_what_the_public_output_does_not_show() -> None:
    async with served() as service:
        director = service.director
        director.plan("talk", begins_in=-1)
        link = await service.open_room("a", "slate")
        public = await service.connect(room="a")
        feed = feed_of(service)
        feed.hear(TYPED)
        link.state = "live"
        # Between two sessions; of one that is not known; of a room that is not.
        feed.hear(replace(TYPED, session=None))
        feed.hear(replace(TYPED, session="nothing"))
        feed.hear(replace(TYPED, room="nowhere"))
        director.rooms["a"] = replace(director.rooms["a"], between=Between.OPEN)
        feed.hear(replace(TYPED, session=None, text="The hall is heard"))
        await public.told("caption")
        assert [event["data"]["text"] for event in public.of("caption")] == ["The hall is heard"]
