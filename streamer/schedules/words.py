"""Words in schedules: kinds of session, languages, yes and no; and texts without markup. Pure."""

from __future__ import annotations

import html
import re
import unicodedata

from streamer.conference.sessions import Flag, Kind

TITLE_CHARACTERS = 500
TEXT_CHARACTERS = 50_000
NAME_CHARACTERS = 200

_KINDS: dict[Kind, str] = {
    Kind.CONFERENCE: "talk talks lecture lectures conference conferences vortrag vortrage expose exposes presentation"
    " presentations keynote keynotes plenary pleniere lightning panel podium podiumsdiskussion discussion debate debat"
    " ronde screening film projection opening closing ouverture cloture podcast lecon causerie",
    Kind.WORKSHOP: "workshop workshops atelier ateliers tutorial tutorials tutoriel tutoriels hands interaktiv"
    " interactive interactif hackathon hacking install",
    Kind.SEMINAR: "seminar seminars seminaire seminaires webinar webinaire colloque colloquium kolloquium symposium",
    Kind.TRAINING: "training trainings formation formations schulung schulungen kurs course courses cours stage",
    Kind.MEETING: "meeting meetings reunion reunions assemblee ag meetup treffen versammlung besprechung bof bofs"
    " birds board conseil",
    Kind.SOCIAL: "social party fete soiree concert concerts music musik musique performance performances spectacle"
    " apero aperitif cocktail reception vernissage game games jeu jeux spiel dance danse ball networking quiz diner"
    " gala banquet",
    Kind.BREAK: "break breaks pause pauses lunch dejeuner breakfast mittagspause mittagessen coffee cafe kaffee"
    " kaffeepause repas buffet intermission entracte gouter",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_BREAK_TITLE = re.compile(
    r"^(?:(?:coffee|tea|lunch|short|long|cafe|grande|petite|bio)[ -])?"
    r"(?:break|lunch|pause|dejeuner|petit dejeuner|buffet|breakfast|mittagspause|kaffeepause|repas|gouter)"
    r"(?:[ -](?:break|cafe|dejeuner|gouter|gourmande|midi|lunch|repas))?$"
)
_LANGUAGES = {
    "english": "en", "anglais": "en", "englisch": "en", "french": "fr", "francais": "fr", "franzosisch": "fr",
    "german": "de", "deutsch": "de", "allemand": "de", "spanish": "es", "espagnol": "es", "espanol": "es",
    "italian": "it", "italien": "it", "italiano": "it", "breton": "br", "brezhoneg": "br", "dutch": "nl",
    "neerlandais": "nl", "nederlands": "nl", "portuguese": "pt", "portugais": "pt", "portugues": "pt",
    "fre": "fr", "fra": "fr", "eng": "en", "ger": "de", "deu": "de", "spa": "es", "ita": "it", "por": "pt",
}  # fmt: skip
_LANGUAGE = re.compile(r"^[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}$")
_YES = frozenset({"true", "yes", "1", "oui", "ja", "y", "on"})
_NO = frozenset({"false", "no", "0", "non", "nein", "n", "off", "none", "null"})

_TAGS = (
    "a|abbr|b|big|blockquote|body|br|center|cite|code|dd|del|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|ins|kbd|li|"
    "mark|ol|p|pre|q|s|samp|script|small|span|strike|strong|style|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul|var"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LINE_TAG = re.compile(r"<(?:br|hr|/p|/div|/li|/tr|/h[1-6]|/blockquote)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>[^<]*</\1\s*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"\n{3,}")


def folded(text: str) -> str:
    """Lower case without accents, runs of blanks as one: equal for two spellings of a name."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def text_of(value: object) -> str:
    """The text in a JSON value: itself, a number's digits, or of a translation object the English or first one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, dict):
        for choice in (value.get("en"), value.get("fr"), *value.values()):
            if isinstance(choice, str) and choice:
                return choice
    return ""


def one_line(value: object, limit: int = TITLE_CHARACTERS) -> str:
    """A title or name: no markup, no control characters, one line."""
    return " ".join(_plain(text_of(value)[: 4 * limit]).split())[:limit].rstrip()


def paragraphs(value: object, limit: int = TEXT_CHARACTERS) -> str:
    """A longer text: lines are kept, HTML becomes text, Markdown stays as it is."""
    text = text_of(value)[: 2 * limit].replace("\r\n", "\n").replace("\r", "\n")
    text = _plain(_LINE_TAG.sub("\n", text)) if "<" in text else _plain(text)
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()[:limit].rstrip()


def _plain(text: str) -> str:
    if "<" in text:
        text = _TAG.sub("", _HIDDEN.sub("", text))
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _CONTROL.sub("", text)


def kind_of(type_name: str, title: str = "") -> Kind:
    """The kind for a file's own word; the first known word decides. A break is also known by its title, if the type is
    unknown."""
    for word in re.findall(r"[a-z]+", folded(type_name)):
        kind = _KIND_OF.get(word)
        if kind is not None:
            return kind
    return Kind.BREAK if _BREAK_TITLE.match(folded(title)) else Kind.CONFERENCE


def language_of(value: object) -> str:
    """BCP 47; empty if the value is no language."""
    text = folded(text_of(value)[:64]).replace("_", "-")
    text = _LANGUAGES.get(text, text)
    if not _LANGUAGE.match(text):
        return ""
    head, *rest = text.split("-")
    return "-".join([head, *(sub.upper() if len(sub) == 2 else sub.title() if len(sub) == 4 else sub for sub in rest)])


def flag_of(value: object) -> tuple[Flag, bool]:
    """(flag, said): True, ``yes`` and any sentence mean yes (a person's reason against recording); null and an empty
    text mean nothing."""
    if isinstance(value, bool):
        return (Flag.YES if value else Flag.NO), True
    word = folded(text_of(value)[:200])
    if not word:
        return Flag.NO, False
    if word in _NO:
        return Flag.NO, True
    return (Flag.ASK if word in ("ask", "demander") else Flag.YES), True


def is_clear_flag(value: object) -> bool:
    """False if :func:`flag_of` had to guess."""
    word = folded(text_of(value)[:200])
    return isinstance(value, bool) or not word or word in _YES or word in _NO or word in ("ask", "demander")


def address_of(value: object) -> str:
    """An http(s) address, else empty: it becomes a link on pages, so no other scheme is allowed."""
    text = text_of(value).strip()
    if len(text) > 2000 or not re.match(r"^https?://[^\s<>\"\\]+$", text, re.IGNORECASE):
        return ""
    return _CONTROL.sub("", text)
