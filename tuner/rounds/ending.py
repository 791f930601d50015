"""When a study ends or pauses before all its trials have: asked to, spent, or done.

A signal and a budget that is used up pause it: what trains is committed and goes on
when the run is called again. A target that a trial has reached ends it: what is left is
stopped, with its state kept, and goes on only if the target is taken away or raised.
"""

import threading
from collections.abc import Callable

from tuner.rounds.accounts import Accounts
from tuner.rounds.budget import Budget
from tuner.rounds.display import Display
from tuner.rounds.wording import count, duration, number
from tuner.store.ledger import TrialRow
from tuner.study.stopping import target
from tuner.study.study import Study


class Ending:
    """Says whether training is to go on.

    Args:
        study: which may have a target.
        asked: set by a signal.
        budget: for all sessions, or None.
        accounts: what they have used.
        best: the best trial so far, if there is one.
        display: is told of the reason, once.
    """

    def __init__(
        self,
        study: Study,
        asked: threading.Event,
        budget: Budget | None,
        accounts: Accounts,
        best: Callable[[], TrialRow | None],
        display: Display,
    ) -> None:
        self._study, self._asked, self._budget = study, asked, budget
        self._accounts, self._best, self._display = accounts, best, display
        self._target = target(study.rules)
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
        maximize = self._study.target.sign < 0
        reached = self._target.is_reached(best.best_objective, maximize=maximize)
        if reached:
            self._tell(
                f"the target {number(self._target.objective)} is reached by trial "
                f"{best.trial}: {self._study.target.metric} "
                f"{number(best.best_objective)}"
            )
        return reached

    @property
    def _is_spent(self) -> bool:
        if self._budget is None:
            return False
        figures = self._accounts.figures()
        if spent := self._budget.is_used_up(figures):
            steps = count(figures.get("trial_steps", 0), "step")
            self._tell(
                f"the budget of {self._budget} is used up: {steps} in "
                f"{duration(figures['seconds'])}"
            )
        return spent

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._display.note(text)
