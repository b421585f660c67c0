"""The candidates that one client sends after its offer: RFC 9725, section 4.3, and RFC 8840."""

from __future__ import annotations

import secrets

from streamer.errors import StreamerError, TooMany
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import IceBinding, same_machine
from streamer.rtc.sdp import OfferFacts, RestartUnsupported, for_mid, is_restart, read_fragment


class TrickleSession:
    """``etag`` names the ICE session: a fragment may say which one it is for."""

    def __init__(self, facts: OfferFacts, binding: IceBinding, max_candidates: int) -> None:
        """``max_candidates`` counts those of the offer, too."""
        self.etag = secrets.token_urlsafe(9)
        self._facts = facts
        self._binding = binding
        self._max = max_candidates
        self._taken = facts.candidates

    async def take(self, pc: hooks.Peer | None, text: str, if_match: str | None) -> None:
        """Pass the fragment's candidates on to the peer, if it still lives.

        Errors: ``bad_fragment`` 400, ``etag_mismatch`` 412, ``restart_unsupported`` 422, ``too_many_candidates`` 429.
        """
        fragment = read_fragment(text)
        if if_match is not None and if_match.strip().removeprefix("W/").strip('"') not in ("*", self.etag):
            raise StreamerError("This is another ICE session.", code="etag_mismatch", status=412)
        if is_restart(fragment, self._facts.ufrag, self._facts.password):
            raise RestartUnsupported("ICE restarts are not supported; connect anew.")
        if pc is None:
            return
        if self._taken + len(fragment.candidates) > self._max:
            raise TooMany(f"At most {self._max} candidates are taken.", code="too_many_candidates")
        self._taken += len(fragment.candidates)
        await self.meet(pc, [candidate.ip for candidate in fragment.candidates])
        # The end of candidates is not passed on: aioice would fail at once although peer-reflexive candidates may still
        # come.
        for candidate in for_mid(fragment.candidates, self._facts.media[0].mid):
            await pc.addIceCandidate(candidate)

    async def meet(self, pc: hooks.Peer, remote: list[str]) -> None:
        """Open the sockets that a peer at these addresses needs; see :func:`same_machine`."""
        for address in same_machine(self._binding, remote):
            await hooks.listen_too(pc, address, self._binding)
