"""The list of personal data in the form of ``SECURITY.md``: ``python -m streamer.store.people_page``."""

from __future__ import annotations

from streamer.store.people import LIST


def for_people() -> str:
    """The list in the form of ``SECURITY.md``."""
    lines = ["| what | kept for | *my data* has it | *delete my data* |", "| --- | --- | --- | --- |"]
    for kept in LIST:
        if kept.what:
            assert kept.until is not None
            told = "yes" if kept.whose and not kept.untold else "yes, without reasons" if kept.whose else "no"
            lines.append(f"| {kept.what} (`{kept.table.name}`) | {kept.until} | {told} | {kept.erased} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(for_people())
