"""A finding: what a run says about itself that its reader should act upon."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something to act upon.

    Attributes:
        id: the rule of the Deep Learning Tuning Playbook it comes from, such as "C1";
            "same" where it is about the run being one experiment.
        subject: what it is about: a hyperparameter, a round, the trials.
        text: what was found, with its numbers.
        remedy: what to do about it.
    """

    id: str
    subject: str
    text: str
    remedy: str
