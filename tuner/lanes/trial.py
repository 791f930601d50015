"""One trial's life in the words of its task: begin, a segment of steps, an evaluation.

This is the last place where there is one trial; `program` lays many of them side by
side. Everything here is traced.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuner.lanes.order import batch_indices
from tuner.lanes.state import KEYS, LaneState, Trained, as_keys, as_words
from tuner.study.data import Arrays
from tuner.study.hyperparams import Hyperparams
from tuner.study.source import Source
from tuner.study.study import Maximize, Minimize
from tuner.study.task import Task, bind

INIT, DATA, STEP = range(3)  # what a trial's key is for
EVALUATE = np.uint32(2**31)  # no sample's number: the study's key is folded by those


@dataclasses.dataclass(frozen=True)
class Group:
    """What trials of one program have in common.

    Attributes:
        task: what is trained.
        static: hyperparameters the program is compiled for.
        traced: names and dtypes of those that are one value a lane.
        scheduled: names fed anew each step; `learning_rate` is the first.
        segment_steps: steps between two evaluations.
        objective: the metric that decides the best step, and its direction.
        seed: the study's.
    """

    task: Task
    static: Mapping[str, Any]
    traced: Mapping[str, Any]
    scheduled: tuple[str, ...]
    segment_steps: int
    objective: Minimize | Maximize
    seed: int

    @property
    def batch_size(self) -> int:
        """Examples in a batch, 0 where the task has none."""
        if self.task.train is None:
            return 0
        return self.static.get("batch_size", self.task.batch_size)

    @property
    def is_fed(self) -> bool:
        """Whether the host reads the batches; else the device picks them."""
        return isinstance(self.task.train, Source)

    @property
    def batch_type(self) -> Any:
        """The types of a batch that the host reads, each [batch, ...]."""
        assert isinstance(self.task.train, Source)
        return jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((self.batch_size, *a.shape), a.dtype),
            self.task.train.example,
        )

    def epoch_and_offset(self, step: int) -> tuple[int, int]:
        """How many epochs the first `step` batches fill, and examples beyond them."""
        if self.task.train is None:
            return 0, 0
        return divmod(step * self.batch_size, len(self.task.train))

    @property
    def data(self) -> dict[str, Any]:
        """The program's data argument; the seed is in it, so that none is compiled."""
        train = self.task.train
        return {
            "train": train.tree if isinstance(train, Arrays) else {},
            "task": {} if self.task.data is None else self.task.data,
            "seed": np.array([self.seed >> 32, self.seed & 0xFFFFFFFF], np.uint32),
        }


def begin(group: Group, data: Any, numbers: jax.Array, traced: Any) -> LaneState:
    """A trial before its first step, from the numbers that name its randomness."""
    state = initial_state(group, data, numbers, traced)
    trained = Trained(
        state=as_words(state),
        ok=jnp.bool_(True),
        best=as_words(group.task.kept(state)),
        best_objective=jnp.float32(jnp.inf),
        best_step=jnp.int32(-1),
    )
    key = jax.random.key_data(trial_key(data, numbers))
    return LaneState(key, dict(traced), trained)


def initial_state(group: Group, data: Any, numbers: jax.Array, traced: Any) -> Any:
    """The task's own state before the first step."""
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, traced, dict.fromkeys(group.scheduled, 0.0))
    key = jax.random.fold_in(trial_key(data, numbers), INIT)
    return task.init(key, hyperparams)


def trial_key(data: Any, numbers: jax.Array) -> jax.Array:
    """The study's key folded by sample, combination and replicate."""
    key = jax.random.wrap_key_data(data["seed"], impl=KEYS)
    for position in range(3):
        key = jax.random.fold_in(key, numbers[position])
    return key


def segment(
    group: Group, like: Any, data: Any, lane: LaneState, inputs: Mapping[str, Any]
) -> tuple[LaneState, dict[str, Any]]:
    """A segment of one trial: its steps, and the evaluation at their end.

    Args:
        group: what the trial shares with others.
        like: the types of the task's state, keys as keys.
        data: the program's data argument.
        lane: the trial.
        inputs: `rates` {name: [steps]}, and where the segment begins: `step`, and the
            `epoch` and `offset` (examples) of its first batch; `batches`, each array
            [steps, batch, ...], where the host reads them.
    """
    key = jax.random.wrap_key_data(lane.key, impl=KEYS)
    examples = inputs["batches"] if group.is_fed else _indices(group, key, inputs)
    numbers = inputs["step"] + 1 + jnp.arange(group.segment_steps)

    def one(carry, item):
        state, ok = carry
        state, metrics = step(group, data, key, lane, as_keys(like, state), item)
        ok &= jnp.isfinite(metrics["loss"])
        if "update_norm" in metrics:
            ok &= jnp.isfinite(metrics["update_norm"])
        return (as_words(state), ok), (metrics, ok)

    trained = lane.trained
    (state, ok), (metrics, oks) = jax.lax.scan(
        one, (trained.state, trained.ok), (numbers, inputs["rates"], examples)
    )
    evaluation = evaluate(group, data, lane, as_keys(like, state))
    task = bind(group.task, data["task"])
    kept = as_words(task.kept(as_keys(like, state)))
    trained = _with_best(
        dataclasses.replace(trained, state=state, ok=ok),
        kept,
        group.objective.sign * evaluation[group.objective.metric],
        inputs["step"] + group.segment_steps,
    )
    outputs = {
        "train": metrics,
        "ok": oks,
        "valid": evaluation,
        "best_objective": trained.best_objective,
        "best_step": trained.best_step,
    }
    return dataclasses.replace(lane, trained=trained), outputs


def step(
    group: Group, data: Any, key: jax.Array, lane: LaneState, state: Any, item: tuple
) -> tuple[Any, dict[str, jax.Array]]:
    """Update number `item[0]` of a trial at the rates `item[1]`, on its batch.

    The batch is `item[2]`, or the examples at these places of the data.
    """
    number, rates, examples = item
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, rates)
    if examples is not None and not group.is_fed:
        examples = jax.tree.map(lambda a: a[examples], data["train"])
    batch = () if examples is None else (examples,)
    step_key = jax.random.fold_in(jax.random.fold_in(key, STEP), number)
    state, metrics = task.step(
        step_key, hyperparams, state, *batch, rates["learning_rate"]
    )
    return state, {name: _recorded(value) for name, value in metrics.items()}


def evaluate(
    group: Group, data: Any, lane: LaneState, state: Any
) -> dict[str, jax.Array]:
    """The evaluation's metrics by their full names."""
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, {})
    key = jax.random.wrap_key_data(data["seed"], impl=KEYS)
    key = jax.random.fold_in(key, EVALUATE)
    metrics = task.evaluate(key, hyperparams, state)
    return {
        name if "/" in name else f"valid/{name}": _recorded(value)
        for name, value in metrics.items()
    }


def _hyperparams(group, traced, rates):
    """What a user's function sees; scheduled values stand beside the declared."""
    scheduled = {name: rates[name] for name in group.scheduled[1:] if name in rates}
    return Hyperparams({**group.static, **traced, **scheduled})


def _indices(group, key, inputs):
    if group.task.train is None:
        return None
    return batch_indices(
        jax.random.fold_in(key, DATA),
        inputs["epoch"],
        inputs["offset"],
        steps=group.segment_steps,
        batch_size=group.batch_size,
        num_examples=len(group.task.train),
    )


def _with_best(trained, kept, objective, step):
    """Best so far, replaced by the strictly better only: of equals the earliest."""
    better = trained.ok & jnp.isfinite(objective)
    better &= objective < trained.best_objective
    return dataclasses.replace(
        trained,
        best=jax.tree.map(lambda a, b: jnp.where(better, a, b), kept, trained.best),
        best_objective=jnp.where(better, objective, trained.best_objective),
        best_step=jnp.where(better, step, trained.best_step),
    )


def _recorded(value):
    return jnp.asarray(value).astype(jnp.float32)
