"""What can go wrong, as codes with parameters; ``ui`` and ``cli`` turn them into sentences.

Every error carries a message code (a key of ``resources/translations``) and the parameters its
sentence needs, so that a room below never writes prose and a room above never parses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence that has not been written yet: a code of the catalogue and its parameters."""

    code: str
    params: dict[str, Any] = field(default_factory=dict)


class MmreviewError(Exception):
    """Base of every error that is shown to a person. ``code`` names the sentence."""

    code = "error.unknown"

    def __init__(self, code: str | None = None, **params: Any) -> None:
        self.code = code or type(self).code
        self.params: dict[str, Any] = params
        super().__init__(f"{self.code} {params}" if params else self.code)

    @property
    def message(self) -> Message:
        """The code and its parameters as a value that can cross rooms and threads."""
        return Message(self.code, dict(self.params))


class ProjectNotFound(MmreviewError):
    """There is no project at ``path``."""

    code = "error.project_not_found"


class ProjectExists(MmreviewError):
    """``path`` is taken."""

    code = "error.project_exists"


class ProjectLocked(MmreviewError):
    """Another process writes this project; ``holder`` says who (user, host, process, since)."""

    code = "error.project_locked"


class ProjectReadOnly(MmreviewError):
    """The project is open read-only in this process."""

    code = "error.project_read_only"


class ProjectTooNew(MmreviewError):
    """The project's database was written by a newer mmreview (``wrote``, where it is known) than
    this one (``here``)."""

    code = "error.project_too_new"


class ProjectDamaged(MmreviewError):
    """The database cannot be read; ``detail`` is what the database said."""

    code = "error.project_damaged"


class CaseNotFound(MmreviewError):
    """No case has the id ``case``."""

    code = "error.case_not_found"


class FindingNotFound(MmreviewError):
    """The schema has no finding ``finding``; ``known`` lists those it has."""

    code = "error.finding_not_found"


class StatesContradict(MmreviewError):
    """``findings`` of the exclusive ``group`` are all present, or (``import.states_none``) all
    absent although one must hold; ``known`` lists the group's findings."""

    code = "import.states_exclusive"


class VersionNotFound(MmreviewError):
    """There is no version ``version``."""

    code = "error.version_not_found"


class SchemaInvalid(MmreviewError):
    """A finding schema cannot be used; ``path`` and ``detail`` say which and why."""

    code = "error.schema_invalid"


class WriteFailed(MmreviewError):
    """A transaction was not committed; nothing of it is stored. ``detail`` is the system's word."""

    code = "error.write_failed"


class ImageUnreadable(MmreviewError):
    """An image cannot be decoded; ``path`` and a ``code`` of its own say which and why."""

    code = "error.image_unreadable"


class SourceUnreadable(MmreviewError):
    """An import source cannot be read at all (not one row of it)."""

    code = "error.source_unreadable"


class EncoderUnavailable(MmreviewError):
    """An encoder's package or weights are missing or not what they should be."""

    code = "error.encoder_unavailable"


class FeaturesMissing(MmreviewError):
    """Features were asked for that the cache does not hold yet."""

    code = "error.features_missing"


class BundleInvalid(MmreviewError):
    """A version's files are missing, edited (sha256 differs) or of another schema."""

    code = "error.bundle_invalid"

    @property
    def is_damage(self) -> bool:
        """True where the files are at fault; False where they are sound, but the encoders or
        modalities in use are others than it was trained on."""
        return self.code not in ("error.bundle_other_encoder", "error.bundle_other_modalities")


class TooFewLabels(MmreviewError):
    """Training cannot start; ``needed`` more labels are missing."""

    code = "error.too_few_labels"


class TooFewToCompare(MmreviewError):
    """The queue cannot be compared with the control arm yet: so many more cases of ``queue``,
    ``control`` and ``audit`` have to be read."""

    code = "error.too_few_to_compare"


class Cancelled(MmreviewError):
    """A person cancelled; nothing half done remains."""

    code = "error.cancelled"


def message_of(error: Exception) -> Message:
    """The sentence of any error: its own, or that something unexpected of this type happened."""
    if isinstance(error, MmreviewError):
        return error.message
    return Message("error.unexpected", {"kind": type(error).__name__})
