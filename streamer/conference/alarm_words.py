"""Alarms in words, in French and English: the cause, and what to do about it. Pure. They stand here only: pages, mail
and messages to phones read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamer.conference.alarm_causes import RANKS
from streamer.conference.alarm_memory import INTERMITTENT
from streamer.conference.alarms import Alarm
from streamer.conference.day import clock_text

LANGUAGES = ("en", "fr")


@dataclass(frozen=True, slots=True)
class Words:
    """``{name}`` stands for a detail of the alarm, ``{of}`` for "of" and the source that has it, ``{time}`` for
    ``at_ms``."""

    cause: str
    remedy: str


_EN: Mapping[str, Words] = {
    # The day
    "nothing_coming_in": Words(
        "Nothing is coming in, and a session is due", "Start sending from the studio page or the encoder."
    ),
    "on_air_without_media": Words(
        "On air with nothing coming in", "Look at the sending computer: its network, its power, its page."
    ),
    "unplanned_media": Words(
        "Something is coming in, and nothing is planned", "Stop the camera, or begin a session with what is sent."
    ),
    "not_started": Words("The session’s time has come, and nobody started it", "Start it, delay it or cancel it."),
    "hold": Words("Hold is on", "Resume when the room may go on."),
    "unanswered": Words(
        "Nobody has said whether it may be recorded or streamed", "Ask the speakers, and answer on the studio page."
    ),
    "reserved_for_next": Words(
        "Viewers see the slate: it is a closed session’s time", "End the running session, or extend it."
    ),
    "closed_ahead": Words("A closed session takes the room at {time}", "Extend the running one to go on."),
    "takeover_ahead": Words("The next session takes over at {time}", "Extend the running one to go on."),
    # Keys
    "wrong_room_key": Words(
        "The key of {label} was used in {used_in}, but belongs to {belongs_to}",
        "Give the encoder the address and key of its own room.",
    ),
    "publication_duel": Words(
        "Two encoders take {source} from each other with the same link",
        "Stop one of them, or give it a link of its own.",
    ),
    "grant_expired": Words(
        "The link of {label} has expired: its picture goes on, a new one is refused",
        "Make a new link before it is needed.",
    ),
    "schedule_stopped": Words("The schedule of {event} is not followed any more", "Confirm it on the page Imports."),
    # Server and disk
    "room_down": Words(
        "The room’s process has died; it is being restarted", "Wait ten seconds. If it stays, call the operator."
    ),
    "room_out_of_memory": Words(
        "This room took too much memory and was restarted", "Choose fewer or smaller qualities."
    ),
    "disk_low": Words("Disk for {minutes_left} more minutes", "Delete recordings, or attach a larger disk."),
    "disk_full": Words("The disk is full: nothing is recorded", "Delete recordings now. The broadcast goes on."),
    "disk_error": Words("The disk has failed: nothing is recorded", "Record elsewhere, and call the operator."),
    "disk_behind": Words("The disk is too slow to record", "Stop what else writes to it."),
    "recording_fails": Words(
        "The recording is not kept, though it is written",
        "Call the operator soon: the room’s own files go with its DVR window.",
    ),
    "task_failing": Words(
        "A part of the server fails again and again: {task}", "Read the log, and restart the server."
    ),
    "not_erased": Words(
        "Something that was to be deleted is still on the disk or at an edge",
        "It is tried again. Look at the disk, and at the edges, if this stays.",
    ),
    "clock_moved": Words(
        "The server’s clock was set while the room is open: marks are off",
        "Close the room when it is free; marks are right again then.",
    ),
    "encoder_overload": Words(
        "The encoders cannot keep up: qualities run at a reduced rate", "Close rooms or qualities that nobody needs."
    ),
    "encoder_slow": Words(
        "The encoder of this server does not open or keep up", "Close rooms or qualities that nobody needs."
    ),
    # The way
    "upload_weak": Words("The upload{of} is too weak", "Use a cable, stop other uploads, or choose a lower quality."),
    "running_on_spare": Words(
        "Running on the spare: {source} sends nothing",
        "Bring {source} back. If the spare fails too, viewers see the slate.",
    ),
    "laptop_asleep": Words(
        "The sending computer{of} is asleep, off or without a network",
        "Wake it, plug in its power and its cable, and open the studio page.",
    ),
    "tab_discarded": Words(
        "The browser has put the studio page{of} to sleep", "Bring the page to the front, and send again."
    ),
    "page_closed": Words("The studio page{of} was closed", "Open it again, and send."),
    # Devices
    "camera_power": Words("The camera{of} is connected and sends no picture", "Look at its power and its cable."),
    "camera_permission_lost": Words(
        "The browser may not use the camera{of} any more", "Allow it beside the address, and open it again."
    ),
    "camera_unplugged": Words("The camera{of} is unplugged", "Plug it in again: it goes on by itself."),
    "permission_lost": Words(
        "The browser may not use the microphone{of} any more", "Allow it beside the address, and open it again."
    ),
    "device_unplugged": Words("The microphone{of} is unplugged", "Plug it in again: it goes on by itself."),
    "wrong_microphone": Words(
        "Another microphone than in the rehearsal: {device}", "Choose {before} again, or say that this is normal."
    ),
    "lapel_muted": Words(
        "Somebody speaks in the room, and the lapel microphone is silent",
        "Look at its switch, its battery and its receiver.",
    ),
    # Sound
    "sound_dead": Words(
        "The sound{of} is dead", "Look at cables, the mixer’s output, and whether the microphone is switched off."
    ),
    "sound_silent": Words("No sound{of}", "Is the microphone on, and does anybody speak?"),
    "sound_quiet": Words("The sound{of} is too quiet", "Turn up the gain, or bring the microphone nearer."),
    "sound_loud": Words("The sound{of} is too loud", "Turn down the gain."),
    "sound_clipping": Words(
        "The sound{of} clips", "Turn down the gain at the microphone or mixer, before anything else."
    ),
    "sound_one_channel": Words(
        "Sound{of} on one channel only", "Make it mono, or look at the cable of the other channel."
    ),
    "sound_polarity": Words(
        "Left and right{of} cancel each other: phones with one speaker hear nothing",
        "Make it mono, or turn one cable’s polarity.",
    ),
    "sound_hum": Words("The sound{of} hums", "Look for an unbalanced or broken cable, or a power supply beside it."),
    "sound_howl": Words("The sound{of} howls", "Turn down the loudspeakers, or move the microphone away from them."),
    "sound_dropouts": Words(
        "The sound{of} drops out", "Look at the radio microphone: its battery, its aerial, its channel."
    ),
    # Picture
    "picture_broken": Words(
        "The picture{of} is broken: it cannot be decoded",
        "Restart the camera’s encoder, or choose another codec.",
    ),
    "picture_black": Words("The picture{of} is black", "Look at the lens cap, the camera and its cable."),
    "picture_flat": Words(
        "The picture{of} is one flat colour", "The capture card has no signal: look at its cable and the camera."
    ),
    "picture_frozen": Words("The picture{of} is frozen", "Restart the camera, or plug it in again."),
    "picture_dark": Words("The picture{of} is dark", "Turn on light, or open the iris."),
    "picture_washed_out": Words(
        "The picture{of} is washed out", "Close the iris, or turn the camera away from the light."
    ),
    "frames_few": Words(
        "The picture{of} stutters: few frames come", "Give the camera light, and the computer less to do."
    ),
    "keyframes_rare": Words(
        "Key frames{of} are rare: switching takes long", "Set the encoder’s key frame interval to 2 seconds."
    ),
    # Viewers
    "viewers_no_sound": Words("{people} viewers have no sound", "Listen to what goes out."),
    "viewers_no_picture": Words("{people} viewers have no picture", "Look at what goes out."),
    "viewers_stutter": Words(
        "{people} viewers report: it stutters", "Look at the upload, and at the server’s own network."
    ),
    "viewers_sync": Words(
        "{people} viewers report: sound and picture apart", "Look at the delay that mixer or camera adds."
    ),
    "viewers_error": Words(
        "The players of {people} viewers fail", "Look at what goes out, and at the server’s own network."
    ),
    "viewers_other": Words("{people} viewers report trouble", "Look at what goes out, and ask in the chat."),
    "forgotten_end": Words(
        "The session is past its end, and nobody speaks or moves", "End it if the room is empty, or extend it."
    ),
    "on_air_without_session": Words("On air, and no session is running", "Begin the session, or put up the slate."),
    "laptop_battery": Words("The sending computer runs on battery: {percent} % left", "Plug it in."),
}

_FR: Mapping[str, Words] = {
    # La journée
    "nothing_coming_in": Words(
        "Rien n’arrive, et c’est bientôt l’heure d’une session", "Lancez l’envoi depuis la régie ou l’encodeur."
    ),
    "on_air_without_media": Words(
        "À l’antenne sans que rien n’arrive", "Voyez l’ordinateur qui envoie : son réseau, son alimentation, sa page."
    ),
    "unplanned_media": Words(
        "Quelque chose arrive, et rien n’est prévu", "Arrêtez la caméra, ou commencez une session avec ce qui arrive."
    ),
    "not_started": Words(
        "L’heure de la session est passée, et personne ne l’a démarrée", "Démarrez-la, décalez-la ou annulez-la."
    ),
    "hold": Words("La salle est suspendue", "Reprenez quand la salle peut continuer."),
    "unanswered": Words(
        "Personne n’a dit si elle peut être enregistrée ou diffusée",
        "Demandez aux intervenants, et répondez dans la régie.",
    ),
    "reserved_for_next": Words(
        "Le public voit le carton : c’est l’heure d’une session fermée",
        "Terminez la session en cours, ou prolongez-la.",
    ),
    "closed_ahead": Words("Une session fermée prend la salle à {time}", "Prolongez celle en cours pour continuer."),
    "takeover_ahead": Words("La session suivante prend la suite à {time}", "Prolongez celle en cours pour continuer."),
    # Clés
    "wrong_room_key": Words(
        "La clé de {label} a servi en {used_in}, mais appartient à {belongs_to}",
        "Donnez à l’encodeur l’adresse et la clé de sa propre salle.",
    ),
    "publication_duel": Words(
        "Deux encodeurs se prennent {source} avec le même lien", "Arrêtez l’un des deux, ou donnez-lui son propre lien."
    ),
    "grant_expired": Words(
        "Le lien de {label} a expiré : son image continue, une nouvelle serait refusée",
        "Faites un nouveau lien à temps.",
    ),
    "schedule_stopped": Words("Le programme de {event} n’est plus suivi", "Confirmez-le sur la page Imports."),
    # Serveur et disque
    "room_down": Words(
        "Le processus de la salle s’est arrêté ; il redémarre",
        "Attendez dix secondes. Si cela dure, appelez l’exploitant.",
    ),
    "room_out_of_memory": Words(
        "Cette salle a pris trop de mémoire et a été relancée", "Choisissez moins de qualités, ou plus petites."
    ),
    "disk_low": Words(
        "Disque pour encore {minutes_left} minutes", "Supprimez des enregistrements, ou ajoutez un disque."
    ),
    "disk_full": Words(
        "Le disque est plein : rien n’est enregistré", "Supprimez des enregistrements. La diffusion continue."
    ),
    "disk_error": Words(
        "Le disque est en panne : rien n’est enregistré", "Enregistrez ailleurs, et appelez l’exploitant."
    ),
    "disk_behind": Words("Le disque est trop lent pour enregistrer", "Arrêtez ce qui y écrit d’autre."),
    "recording_fails": Words(
        "L’enregistrement s’écrit, mais n’est pas conservé",
        "Appelez vite l’exploitant : les fichiers de la salle partent avec la fenêtre de retour en arrière.",
    ),
    "task_failing": Words(
        "Une partie du serveur échoue sans cesse : {task}", "Lisez le journal, et relancez le serveur."
    ),
    "not_erased": Words(
        "Quelque chose qui devait être supprimé est encore sur le disque ou chez un relais",
        "Un nouvel essai suit. Voyez le disque, et les relais, si cela dure.",
    ),
    "clock_moved": Words(
        "L’horloge du serveur a été réglée alors que la salle est ouverte : les repères sont décalés",
        "Fermez la salle quand elle est libre ; ils seront justes ensuite.",
    ),
    "encoder_overload": Words(
        "Les encodeurs ne suivent pas : des qualités tournent à cadence réduite",
        "Fermez les salles ou qualités inutiles.",
    ),
    "encoder_slow": Words(
        "L’encodeur de ce serveur ne s’ouvre pas ou ne suit pas", "Fermez les salles ou qualités inutiles."
    ),
    # Le chemin
    "upload_weak": Words(
        "L’envoi{of} est trop faible", "Prenez un câble, arrêtez les autres envois, ou baissez la qualité."
    ),
    "running_on_spare": Words(
        "Sur la source de secours : {source} n’envoie rien",
        "Rétablissez {source}. Si le secours tombe aussi, le public verra le carton.",
    ),
    "laptop_asleep": Words(
        "L’ordinateur qui envoie{of} dort, est éteint ou sans réseau",
        "Réveillez-le, branchez son alimentation et son câble, et ouvrez la régie.",
    ),
    "tab_discarded": Words(
        "Le navigateur a mis la page de régie{of} en sommeil", "Ramenez-la au premier plan, et envoyez de nouveau."
    ),
    "page_closed": Words("La page de régie{of} a été fermée", "Ouvrez-la de nouveau, et envoyez."),
    # Appareils
    "camera_power": Words("La caméra{of} est branchée et n’envoie pas d’image", "Voyez son alimentation et son câble."),
    "camera_permission_lost": Words(
        "Le navigateur n’a plus le droit d’utiliser la caméra{of}", "Autorisez-la à côté de l’adresse, et rouvrez-la."
    ),
    "camera_unplugged": Words("La caméra{of} est débranchée", "Rebranchez-la : elle reprend d’elle-même."),
    "permission_lost": Words(
        "Le navigateur n’a plus le droit d’utiliser le micro{of}", "Autorisez-le à côté de l’adresse, et rouvrez-le."
    ),
    "device_unplugged": Words("Le micro{of} est débranché", "Rebranchez-le : il reprend de lui-même."),
    "wrong_microphone": Words(
        "Un autre micro qu’à la répétition : {device}", "Choisissez de nouveau {before}, ou dites que c’est normal."
    ),
    "lapel_muted": Words(
        "Quelqu’un parle dans la salle, et le micro-cravate se tait",
        "Voyez son interrupteur, sa pile et son récepteur.",
    ),
    # Le son
    "sound_dead": Words("Le son{of} est mort", "Voyez les câbles, la sortie de la console, et si le micro est coupé."),
    "sound_silent": Words("Pas de son{of}", "Le micro est-il ouvert, et quelqu’un parle-t-il ?"),
    "sound_quiet": Words("Le son{of} est trop faible", "Montez le gain, ou rapprochez le micro."),
    "sound_loud": Words("Le son{of} est trop fort", "Baissez le gain."),
    "sound_clipping": Words("Le son{of} sature", "Baissez d’abord le gain au micro ou à la console."),
    "sound_one_channel": Words("Le son{of} n’est que d’un côté", "Passez en mono, ou voyez le câble de l’autre canal."),
    "sound_polarity": Words(
        "Gauche et droite{of} s’annulent : un téléphone à un seul haut-parleur n’entend rien",
        "Passez en mono, ou inversez la polarité d’un câble.",
    ),
    "sound_hum": Words("Le son{of} ronfle", "Cherchez un câble non symétrique ou abîmé, ou une alimentation à côté."),
    "sound_howl": Words("Larsen dans le son{of}", "Baissez les haut-parleurs, ou éloignez le micro."),
    "sound_dropouts": Words("Le son{of} décroche", "Voyez le micro sans fil : sa pile, son antenne, son canal."),
    # L’image
    "picture_broken": Words(
        "L’image{of} est abîmée : elle ne se décode pas",
        "Relancez l’encodeur de la caméra, ou choisissez-y un autre codec.",
    ),
    "picture_black": Words("L’image{of} est noire", "Voyez le cache de l’objectif, la caméra et son câble."),
    "picture_flat": Words(
        "L’image{of} est d’une seule couleur",
        "La carte d’acquisition n’a pas de signal : voyez son câble et la caméra.",
    ),
    "picture_frozen": Words("L’image{of} est figée", "Relancez la caméra, ou rebranchez-la."),
    "picture_dark": Words("L’image{of} est sombre", "Allumez, ou ouvrez le diaphragme."),
    "picture_washed_out": Words(
        "L’image{of} est délavée", "Fermez le diaphragme, ou détournez la caméra de la lumière."
    ),
    "frames_few": Words(
        "L’image{of} saccade : peu d’images arrivent",
        "Donnez de la lumière à la caméra, et moins à faire à l’ordinateur.",
    ),
    "keyframes_rare": Words(
        "Les images clés{of} sont rares : les bascules prennent du temps",
        "Réglez l’encodeur sur une image clé toutes les 2 secondes.",
    ),
    # Le public
    "viewers_no_sound": Words("{people} personnes n’ont pas de son", "Écoutez ce qui sort."),
    "viewers_no_picture": Words("{people} personnes n’ont pas d’image", "Regardez ce qui sort."),
    "viewers_stutter": Words("{people} personnes signalent des saccades", "Voyez l’envoi, et le réseau du serveur."),
    "viewers_sync": Words(
        "{people} personnes signalent un décalage entre son et image",
        "Voyez le retard qu’ajoute la console ou la caméra.",
    ),
    "viewers_error": Words(
        "Le lecteur de {people} personnes est en échec", "Regardez ce qui sort, et le réseau du serveur."
    ),
    "viewers_other": Words("{people} personnes signalent un souci", "Regardez ce qui sort, et demandez dans le chat."),
    "forgotten_end": Words(
        "La session a dépassé sa fin, et plus personne ne parle ni ne bouge",
        "Terminez-la si la salle est vide, ou prolongez-la.",
    ),
    "on_air_without_session": Words(
        "À l’antenne, et aucune session n’a lieu", "Commencez la session, ou mettez le carton."
    ),
    "laptop_battery": Words("L’ordinateur qui envoie est sur batterie : {percent} %", "Branchez-le."),
}

WORDS: Mapping[str, Mapping[str, Words]] = {"en": _EN, "fr": _FR}
"""Language -> kind of alarm -> its words."""
_UNKNOWN = {
    "en": Words("Something is wrong: {code}", "Look at the room."),
    "fr": Words("Quelque chose ne va pas : {code}", "Regardez la salle."),
}
_OF = {"en": " of {source}", "fr": " de {source}"}
_INTERMITTENT = {"en": "{cause} (intermittent: {times} times)", "fr": "{cause} (intermittent : {times} fois)"}


def words_of(alarm: Alarm, language: str, zone: str = "UTC") -> tuple[str, str]:
    """The alarm's cause and its remedy, in ``language`` or else in English. ``zone``: the venue's, for times."""
    language = language.partition("-")[0]
    language = language if language in LANGUAGES else "en"
    words = WORDS[language].get(alarm.code, _UNKNOWN[language])
    values = _Values(alarm.details, code=alarm.code)
    source, at_ms = values.get("source"), values.get("at_ms")
    values["of"] = _OF[language].format(source=source) if source else ""
    if isinstance(at_ms, int):
        values["time"] = clock_text(at_ms, zone)
    cause, remedy = words.cause.format_map(values), words.remedy.format_map(values)
    if alarm.times >= INTERMITTENT and alarm.code in RANKS:
        cause = _INTERMITTENT[language].format(cause=cause, times=alarm.times)
    return cause, remedy


class _Values(dict[str, Any]):
    """A detail that an older room does not tell is a dash."""

    def __missing__(self, key: str) -> str:
        return "–"
