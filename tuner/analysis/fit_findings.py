"""What a run is told by the steps to fit its training set, where these are known."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuner.analysis.finding import Finding


def fit_findings(
    verdict: Mapping[str, Any] | None, study: Mapping[str, Any]
) -> Iterator[Finding]:
    """Whether rounds go on for longer than the training set takes to be fitted.

    Args:
        verdict: on the steps to fit, as data; None if it was never asked for.
        study: the study as data.
    """
    if verdict is None or not verdict["fits"]:
        return
    enough = verdict["steps"] or verdict["searched_steps"]
    for number, round_ in enumerate(study["rounds"], start=1):
        if round_["keep"] and round_["max_train_steps"] > enough:
            yield Finding(
                id="D6",
                subject=f"round {number}",
                text=f"The training set can be fitted perfectly in {enough:,} steps at "
                "a constant rate, so the study is not compute-bound: the round's "
                f"{round_['max_train_steps']:,} steps are unlikely to help.",
                remedy="Take one round at about that horizon, refined by the best "
                "steps of its trials.",
            )
