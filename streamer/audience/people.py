"""Who takes part: participants without accounts, and the crew that moderates. Values."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.conference.grants import PERMISSIONS, Action, Role

SHOWN_ROLES = frozenset({Role.ADMIN, Role.ORGANISER, Role.TECHNICIAN, Role.MODERATOR, Role.SPEAKER, Role.CAPTIONER})
"""Roles that are shown beside a name. A viewer's grant is nobody else's business."""
TRUSTED = frozenset({Role.ADMIN, Role.ORGANISER, Role.TECHNICIAN, Role.MODERATOR, Role.SPEAKER})
"""Whose messages are neither reviewed nor slowed, and who write where the room only reads."""


@dataclass(frozen=True, slots=True)
class Participant:
    """``since_ms``: when the identity was made (it stands signed in the cookie). ``role`` comes from the grant."""

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
        """Nothing that moderators do to others holds for them."""
        return self.role is not None and Action.CHAT_MODERATE in PERMISSIONS[self.role]


@dataclass(frozen=True, slots=True)
class Crew:
    """Somebody who moderates: a grant's id and label."""

    id: str
    label: str = ""
    role: Role = Role.MODERATOR


Who = Participant | Crew
