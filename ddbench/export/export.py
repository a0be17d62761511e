"""`export`: a set of ddbench, decoded, in a folder of a form that others read."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import SpecError, did_you_mean
from ddbench.export.card import dataset_card
from ddbench.export.folder import README, check_room, new_folder
from ddbench.export.forms import FORMS, check
from ddbench.export.opened import Opened, opened


def export(path: Path, form: str, out: Path, overwrite: bool = False) -> Opened:
    """Writes the set at `path` to the folder `out`, whole or not at all; returns what was exported.

    Raises: DdbenchError where the set is not sound, the form does not hold its signals, or the folder is not free.
    """
    if form not in FORMS:
        raise SpecError(f"There is no form {form!r}. {did_you_mean(form, FORMS)}")
    check_room(out, overwrite)
    found = opened(path)
    check(form, found.stored.card.signal)
    with new_folder(out, overwrite) as folder:
        FORMS[form].write(found, folder)
        (folder / README).write_text(dataset_card(found, form), encoding="utf-8")
    return found
