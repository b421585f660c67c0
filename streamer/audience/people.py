"""The people in an audience: participants without accounts, and the crew that moderates. Values."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.conference.grants import PERMISSIONS, Action, Role

SHOWN_ROLES = frozenset({Role.ADMIN, Role.ORGANISER, Role.TECHNICIAN, Role.MODERATOR, Role.SPEAKER, Role.CAPTIONER})
"""Roles that are shown beside a name. Nobody else learns of a viewer's grant."""
TRUSTED = frozenset({Role.ADMIN, Role.ORGANISER, Role.TECHNICIAN, Role.MODERATOR, Role.SPEAKER})
"""Roles whose messages are neither reviewed nor slowed, and who may write in a read-only room."""


@dataclass(frozen=True, slots=True)
class Participant:
    """``since_ms``: the time when the identity was made (signed in the cookie). ``role`` comes from the grant."""

    id: str
    name: str = ""
    place: str = ""
    role: Role | None = None
    since_ms: int = 0

    @property
    def shown_role(self) -> str:
        return self.role.value if self.role in SHOWN_ROLES and self.role is not None else ""

    @property
    def trusted(self) -> bool:
        return self.role in TRUSTED

    @property
    def crew(self) -> bool:
        """Whether the participant is of the crew: moderators' sanctions do not apply to them."""
        return self.role is not None and Action.CHAT_MODERATE in PERMISSIONS[self.role]


@dataclass(frozen=True, slots=True)
class Crew:
    """A moderator: a grant's id and label."""

    id: str
    label: str = ""
    role: Role = Role.MODERATOR


Who = Participant | Crew
