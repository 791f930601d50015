"""When a study ends or pauses before all its trials have: asked to, spent, or done.

A signal and a budget that is used up pause it: what trains is committed and goes on
when the run is called again. A target that a trial has reached ends it: what is left is
stopped, with its state kept, and goes on only if the target is taken away or raised.
"""

from collections.abc import Callable

from tuner.rounds.session import Session
from tuner.rounds.wording import count, duration, number
from tuner.store.ledger import TrialRow
from tuner.study.stopping import target


class Ending:
    """Says whether training is to go on.

    Args:
        session: which may have a budget, and its study a target.
        best: the best trial so far, if there is one.
    """

    def __init__(self, session: Session, best: Callable[[], TrialRow | None]) -> None:
        self._objective = session.plan.study.target
        self._target = target(session.plan.study.rules)
        self._asked, self._budget = session.stop, session.budget
        self._accounts, self._display = session.accounts, session.display
        self._best = best
        self._told = False

    @property
    def due(self) -> bool:
        """Whether to finish the segments in flight, commit and leave."""
        return self._asked.is_set() or self.is_over or self._is_spent

    @property
    def is_over(self) -> bool:
        """Whether the target is reached."""
        best = self._best() if self._target else None
        if self._target is None or best is None:
            return False
        maximize = self._objective.sign < 0
        reached = self._target.is_reached(best.best_objective, maximize=maximize)
        if reached:
            self._tell(
                f"the target {number(self._target.objective)} is reached by trial "
                f"{best.trial}: {self._objective.metric} "
                f"{number(best.best_objective)}"
            )
        return reached

    @property
    def _is_spent(self) -> bool:
        if self._budget is None:
            return False
        used = self._accounts.used
        if spent := self._budget.is_used_up(used):
            steps = count(used["trial_steps"], "step")
            self._tell(
                f"the budget of {self._budget} is used up: {steps} in "
                f"{duration(used['seconds'])}"
            )
        return spent

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._display.note(text)
