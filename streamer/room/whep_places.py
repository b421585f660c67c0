"""Places for WHEP connections: the audience's, those of unconnected offers, and the crew's. Pure."""

from __future__ import annotations

from streamer.broadcast.media_events import PREVIEW
from streamer.control.messages import Offer
from streamer.errors import Unavailable
from streamer.settings import WhepSettings
from streamer.shares import Shares


class Place:
    """One connection's place, from its offer to its end."""

    def __init__(self, places: WhepPlaces, key: str, *, preview: bool) -> None:
        self._places = places
        self._key = key
        self.preview = preview
        self.connected = False

    def connect(self) -> bool:
        """Media flow from now on. False if the audience's places were taken in the meantime."""
        places = self._places
        if self.preview:
            self.connected = True
            return True
        if places.connected >= places.most:
            places.refused_total += 1
            return False
        self.connected = True
        places.pending.give_back(self._key)
        places.connected += 1
        return True

    def leave(self) -> None:
        """Give the place back, once, at the end."""
        if self.preview:
            self._places.previews.give_back(self._key)
        elif self.connected:
            self._places.connected -= 1
        else:
            self._places.pending.give_back(self._key)


class WhepPlaces:
    """The places of a room. An offer costs nothing, so until it connects it takes a place of its household only."""

    def __init__(self, settings: WhepSettings) -> None:
        self.most = settings.max_viewers
        self.connected = 0
        """Connected viewers of the audience."""
        self.pending = Shares(settings.max_pending)
        """Unconnected offers of the audience, by household."""
        self.previews = Shares(settings.max_previews)
        """By grant, connected or not."""
        self.refused_total = 0

    def take(self, offer: Offer) -> Place:
        """Raises Unavailable ``too_many_viewers`` with Retry-After."""
        if offer.output == PREVIEW:
            if not self.previews.take(offer.grant):
                raise self._full("This room has too many previews already.")
            return Place(self, offer.grant, preview=True)
        if self.connected + self.pending.of(offer.household) >= self.most:
            raise self._full(f"This room has {self.most} lowest-latency viewers already.")
        if not self.pending.take(offer.household):
            raise self._full("Too many connections are being made.")
        return Place(self, offer.household, preview=False)

    def _full(self, message: str) -> Unavailable:
        self.refused_total += 1
        return Unavailable(message, code="too_many_viewers", headers={"Retry-After": "5"})
