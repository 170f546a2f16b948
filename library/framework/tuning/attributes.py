"""What a study keeps beside its trials: a note for readers, and what its next start needs, which readers do not see.

optuna-dashboard shows user attributes as they are, so the latter are system attributes; version 0.1 had them all in the
former, which are still read.
"""

from typing import Any

from optuna.study import Study

PREFIX = "tuning:"
NOTE_VERSION, NOTE = "dashboard:note_ver", "dashboard:note_str:0"
"""Where optuna-dashboard has a study's note; written here, as it need not be installed where a study runs."""


def kept(study: Study, name: str) -> Any:
    """What `keep` kept; None if it kept nothing."""
    ours = _system(study)
    return ours[PREFIX + name] if PREFIX + name in ours else study.user_attrs.get(name)


def keep(study: Study, name: str, value: Any) -> None:
    """Keeps a value, which JSON can hold, by a name."""
    _set(study, PREFIX + name, value)


def write_note(study: Study, markdown: str) -> None:
    """Replaces the note of a study, unless a reader has changed it."""
    version = _system(study).get(NOTE_VERSION, 0)
    if version == (kept(study, "note") or 0):
        for name, value in ((NOTE, markdown), (NOTE_VERSION, version + 1), (f"{PREFIX}note", version + 1)):
            _set(study, name, value)


def _system(study: Study) -> dict[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def _set(study: Study, name: str, value: Any) -> None:
    study._storage.set_study_system_attr(study._study_id, name, value)
