"""The operator's ways to be reached: Apprise's addresses in the settings. They are stored as hooks of the admin, so
that their messages wait, are tried again and stand in a log as all others do. The addresses, which are secret, stay in
the settings."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from streamer.settings import Settings
from streamer.store.hooks import Hook, HookKind


def apprise_addresses(settings: Settings) -> dict[str, str]:
    """By the ids of their hooks, which stay the same when the settings list them in another order."""
    return {f"apprise_{sha256(url.encode()).hexdigest()[:12]}": url for url in settings.notify.apprise_urls}


def operators_hooks(addresses: Iterable[tuple[str, str]], now_ms: int) -> list[Hook]:
    """Of each address only its service is told: ``slack:``."""
    return [
        Hook(hook_id, None, HookKind.APPRISE, "Apprise", f"{url.partition(':')[0]}:", "en", now_ms, always=True)
        for hook_id, url in addresses
    ]
