"""What the ledger says of a run: its trials, files, and states to restore."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuner.store.names import check_known
from tuner.store.snapshots import Entry

RESUMES = ("fresh", "exact")
ENDED = ("complete", "diverged", "stopped", "failed")  # they train no more
STATUSES = ("waiting", "running", *ENDED)
FOLDERS = ("metrics", "snapshots")  # of all that the ledger names


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """What the ledger says of a trial; an objective that is NaN comes back as None.

    Attributes:
        parent: the trial it was promoted from, or None.
        extend: the rule that made its parent's schedule longer, or None.
        control: whether it was promoted although it was not among the best.
        resumed_from: the trial whose state it began from, or None at step 0: its
            parent, or a relative that shares more of its past.
        start_step: the step its own rows begin after: 0, or the branch step.
        resume: `fresh`, or `exact`: the same computation as if trained from step 0.
        max_train_steps: its horizon.
        step: updates made so far.
        combination: canonical text of the scientific combination.
        schedule: its fields; none where the schedule is a plain function.
        note: for people, such as the message of a failed trial.
    """

    trial: int
    sample: int
    replicate: int
    round: int
    group: str
    parent: int | None
    extend: str | None = None
    control: bool = False
    resumed_from: int | None = None
    start_step: int
    resume: str
    status: str
    max_train_steps: int
    step: int
    best_step: int | None = None
    best_objective: float | None = None
    final_objective: float | None = None
    diverged_step: int | None = None
    diverged_learning_rate: float | None = None
    combination: str
    hyperparams: Mapping[str, int | float | str | bool | None]
    schedule: Mapping[str, Any]
    note: str = ""

    def __post_init__(self) -> None:
        check_known("resume", self.resume, RESUMES)
        check_known("status", self.status, STATUSES)


@dataclass(frozen=True, kw_only=True)
class FileRow:
    """What the ledger says of the file of a part or a snapshot.

    Attributes:
        path: of the file.
        rows: of the part's table, or states in the snapshot.
        sha256: of all that it holds.
    """

    path: str
    rows: int
    sha256: str

    def __post_init__(self) -> None:
        top, *rest = self.path.split("/")  # no pathlib: a long run has ten thousand
        if top not in FOLDERS or not rest or ".." in rest:
            raise ValueError(
                f"`path` must lie in {' or '.join(FOLDERS)}, but got {self.path!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Share:
    """A state that lies in the ledger already is kept as something else too.

    Attributes:
        trial: whose it is to be as well.
        what: it is to be kept as.
        of_trial: whose it is.
        of_what: it is kept as.
        step: which it is of.
    """

    trial: int
    what: str
    of_trial: int
    of_what: str
    step: int


class Place(NamedTuple):
    """Where a state lies: row `row` of the snapshot `path`."""

    entry: Entry
    path: str
    row: int


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All that was acknowledged up to one commit.

    Attributes:
        number: of the last commit; 0 before the first.
        trials: in the order of their numbers.
        figures: the run's accounting.
        files: parts and snapshots, by path.
        entries: the states that can be restored.
    """

    number: int
    trials: tuple[TrialRow, ...]
    figures: Mapping[str, Any]
    files: Mapping[str, FileRow]
    entries: tuple[Place, ...]

    def __post_init__(self) -> None:
        for entry, path, row in self.entries:
            if path not in self.files or not 0 <= row < self.files[path].rows:
                raise ValueError(
                    "a state must lie in a row of a snapshot that is named, but got "
                    f"(trial={entry.trial}, what={entry.what!r}, path={path!r}, "
                    f"row={row})"
                )
