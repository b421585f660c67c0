"""Sends one message by one hook, within a time limit and by the address rules of :mod:`streamer.outgoing`."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from streamer.errors import StreamerError, Unprocessable
from streamer.notify.messages import (
    Links,
    Wording,
    incident_id,
    mail,
    ntfy_body,
    push_body,
    webhook_body,
    webhook_headers,
    wording,
)
from streamer.notify.operators import apprise_addresses
from streamer.notify.web_push import ServerKey, Subscription, encrypt
from streamer.outgoing import MAX_REDIRECTS, USER_AGENT, NotReached, Resolve, check_address, networks, session_to
from streamer.settings import Settings
from streamer.store.hooks import Hook, HookKind, HookMessage

PUSH_TTL_S = 15 * 60
"""A push service keeps a message so long for a phone that is away: as long as its button works."""
_SAME_METHOD = frozenset({307, 308})
_OTHER_METHOD = frozenset({301, 302, 303})

MESSAGES = {
    "bad_address": "This is no address.",
    "address_refused": "The address is within a private network; an operator can allow it (schedules.allow_networks).",
    "unreachable": "The address cannot be reached.",
    "too_slow": "The address does not answer in time.",
    "redirects": "The address leads elsewhere: enter the one that it leads to.",
    "too_many_redirects": f"The address redirects more than {MAX_REDIRECTS} times.",
    "gone": "The other side knows this subscription no more.",
    "refused": "The other side refuses it.",
    "mail_refused": "The mail server refuses it.",
    "no_mail": "No mail server is set (notify.smtp_host).",
    "no_apprise": "Apprise is not installed.",
    "bad_subscription": "The subscription's keys are not those of a browser.",
    "over": "The trouble was over before it could be sent.",
    "too_many": "Too many messages wait.",
}


class SendFailed(Exception):
    """``code`` is one of :data:`MESSAGES`, or ``status_{number}`` of the answer."""

    def __init__(
        self, code: str, *, final: bool = False, gone: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.final = final or gone
        """Another attempt would fail as well."""
        self.gone = gone
        """The hook is of no use any more."""
        self.retry_after_s = retry_after_s


def problem_text(code: str) -> str:
    """The reason of a failure, for people."""
    if code.startswith("status_"):
        return f"The address answers with status {code.removeprefix('status_')}."
    return MESSAGES.get(code, code)


class Sender:
    """``key`` makes or reads the server's key for Web Push; it is called once. On the loop; mail and Apprise in
    threads."""

    def __init__(
        self, settings: Settings, public_url: str, key: Callable[[], ServerKey], resolve: Resolve | None = None
    ) -> None:
        self._settings = settings
        self.apprise = apprise_addresses(settings)
        """Hook -> its address."""
        self._public_url = public_url
        self._allowed = networks(settings.schedules.allow_networks)
        self._make_key = key
        self._key: ServerKey | None = None
        self._resolve = resolve

    async def server_key(self) -> ServerKey:
        """Raises OSError, ValueError."""
        if self._key is None:
            self._key = await asyncio.to_thread(self._make_key)
        return self._key

    async def check(self, hook: Hook) -> None:
        """For where the address is typed. Raises Unprocessable with the reason; a host that is only away is none."""
        if hook.kind is HookKind.MAIL:
            if not self._settings.notify.smtp_host:
                raise Unprocessable(MESSAGES["no_mail"], code="no_mail")
            return
        try:
            async with asyncio.timeout(self._settings.notify.send_timeout_s):
                await check_address(hook.address, self._allowed, self._resolve)
        except TimeoutError:
            pass
        except NotReached as error:
            if error.code != "unreachable":
                raise
        if hook.kind is HookKind.PUSH:
            encrypt(b"", msgspec.json.decode(hook.secret, type=Subscription))

    async def send(self, hook: Hook, message: HookMessage, links: Links, now_ms: int) -> None:
        """Raises SendFailed."""
        words = wording(message, hook.language)
        try:
            async with asyncio.timeout(self._settings.notify.send_timeout_s):
                await self._send(hook, message, links, words, now_ms)
        except TimeoutError:
            raise SendFailed("too_slow") from None
        except StreamerError as error:
            raise SendFailed(error.code) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SendFailed("unreachable") from error

    async def _send(self, hook: Hook, message: HookMessage, links: Links, words: Wording, now_ms: int) -> None:
        match hook.kind:
            case HookKind.WEBHOOK:
                body = webhook_body(message, links)
                await self._post(hook.address, body, webhook_headers(hook, message.id, body, now_ms))
            case HookKind.NTFY:
                parts = urlsplit(hook.address)
                headers = {"Content-Type": "application/json"}
                if hook.secret:
                    headers["Authorization"] = f"Bearer {hook.secret}"
                body = ntfy_body(topic_of(hook.address), message, words, links)
                await self._post(f"{parts.scheme}://{parts.netloc}/", body, headers)
            case HookKind.PUSH:
                await self._push(hook, push_body(message, words, links, hook.language), message)
            case HookKind.MAIL:
                await self._mail(mail(message, words, links, self._mail_from(), hook.address))
            case HookKind.APPRISE:
                await asyncio.to_thread(_apprise, self.apprise.get(hook.id, ""), words, links)

    async def _push(self, hook: Hook, body: bytes, message: HookMessage) -> None:
        key = await self.server_key()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(PUSH_TTL_S),
            "Urgency": "high" if message.kind == "began" else "normal",
            "Authorization": key.authorization(hook.address, self._contact()),
        }
        if message.alarm:
            # RFC 8030, 5.4: the newest of a trouble replaces what still waits for the phone; 32 characters at most.
            headers["Topic"] = incident_id(message.alarm)
        encrypted = encrypt(body, msgspec.json.decode(hook.secret, type=Subscription))
        try:
            await self._post(hook.address, encrypted, headers)
        except SendFailed as error:
            # RFC 8030, 7.3: the subscription is gone.
            if error.code in ("status_404", "status_410"):
                raise SendFailed("gone", gone=True) from error
            raise

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises SendFailed, NotReached, OSError, aiohttp's errors."""
        sent = {"User-Agent": USER_AGENT, **headers}
        for _ in range(MAX_REDIRECTS + 1):
            host = await check_address(url, self._allowed, self._resolve)
            async with (
                session_to(host) as session,
                session.post(url, data=body, headers=sent, allow_redirects=False) as answer,
            ):
                if 200 <= answer.status < 300:
                    return
                to = answer.headers.get("Location", "")
                if answer.status in _OTHER_METHOD:
                    raise SendFailed("redirects", final=True)
                if answer.status not in _SAME_METHOD or not to:
                    raise _refused(answer)
            before, url = url, urljoin(url, to)
            if urlsplit(before)[:2] != urlsplit(url)[:2]:
                # The receiver that was entered has this, not the one that it leads to.
                sent.pop("Authorization", None)
        raise SendFailed("too_many_redirects", final=True)

    async def _mail(self, made: EmailMessage) -> None:
        await asyncio.to_thread(self._mail_now, made)

    def _mail_now(self, made: EmailMessage) -> None:
        """In a thread; each step has the time limit of a message."""
        notify = self._settings.notify
        if not notify.smtp_host:
            raise SendFailed("no_mail", final=True)
        limit_s = notify.send_timeout_s
        try:
            trusted = ssl.create_default_context()
            client: smtplib.SMTP = (
                smtplib.SMTP_SSL(notify.smtp_host, notify.smtp_port, timeout=limit_s, context=trusted)
                if notify.smtp_security == "tls"
                else smtplib.SMTP(notify.smtp_host, notify.smtp_port, timeout=limit_s)
            )
            with client:
                if notify.smtp_security == "starttls":
                    client.starttls(context=trusted)
                if notify.smtp_user:
                    client.login(notify.smtp_user, notify.smtp_password)
                client.send_message(made)
        except smtplib.SMTPRecipientsRefused as error:
            raise SendFailed("mail_refused", final=all(code >= 500 for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise SendFailed("mail_refused", final=error.smtp_code >= 500) from None
        except smtplib.SMTPException:
            raise SendFailed("mail_refused") from None

    def _mail_from(self) -> str:
        return self._settings.notify.mail_from or f"streamer@{urlsplit(self._public_url).hostname or 'localhost'}"

    def _contact(self) -> str:
        """RFC 8292, 2.1: a mailto: or https: address."""
        contact = self._settings.server.security_contact
        if contact.startswith(("mailto:", "https:")):
            return contact
        return self._public_url if self._public_url.startswith("https:") else f"mailto:{self._mail_from()}"


def topic_of(address: str) -> str:
    """The topic of an ntfy address: its last segment."""
    return urlsplit(address).path.rpartition("/")[2]


def _refused(answer: aiohttp.ClientResponse) -> SendFailed:
    try:
        wait_s: float | None = max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        wait_s = None
    # Another attempt may find another answer, unless the receiver says that it wants no more.
    return SendFailed(f"status_{answer.status}", final=answer.status == 410, retry_after_s=wait_s)


def _apprise(address: str, words: Wording, links: Links) -> None:
    """In a thread. Apprise is not locked: the operator installs it (``pipx inject streamer apprise``)."""
    try:
        import apprise
    except ImportError:
        raise SendFailed("no_apprise", final=True) from None
    told: Any = apprise.Apprise()
    if not told.add(address):
        raise SendFailed("bad_address", final=True)
    if not told.notify(title=words.title, body="\n".join(text for text in (words.text, links.page) if text)):
        raise SendFailed("refused")
