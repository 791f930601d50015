"""One trial in the words of its task: a beginning, a step or a part of one, a judge.

Everything here is traced. `call` strings steps together, and `program` lays many trials
side by side.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tuner.lanes.layout import Layout
from tuner.lanes.phases import scope
from tuner.lanes.state import KEYS, LaneState, Pending, Trained, as_words
from tuner.study.data import Arrays
from tuner.study.hyperparams import Hyperparams
from tuner.study.source import Source
from tuner.study.study import Maximize, Minimize
from tuner.study.task import Sum, Task, bind, check_metrics

PARTS = "data"  # the axis of devices that share a batch
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
        micro_batch_size: examples of a tick; None where a tick is a step.
        parts: devices that share a batch.
        segment_calls: calls of the program that a segment takes, where a tick is a
            step: above one where the host has not room for all its batches at once.
        start_ticks: a divisor of the ticks at which trials begin; 0 if none is above 0.
        best_in_lane: whether lanes carry their best states; else those are copied out.
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
    micro_batch_size: int | None = None
    parts: int = 1
    segment_calls: int = 1
    start_ticks: int = 0
    best_in_lane: bool = True

    @property
    def tick_examples(self) -> int:
        """Examples that a tick sees, 0 where the task has none."""
        if self.task.train is None:
            return 0
        whole = self.static.get("batch_size", self.task.batch_size)
        return self.micro_batch_size or whole

    @property
    def call_ticks(self) -> int:
        """Ticks of one call of the program."""
        return self.segment_steps // self.segment_calls

    @property
    def has_due(self) -> bool:
        """Whether a call can end without an evaluation."""
        return self.accumulates or self.segment_calls > 1

    @property
    def accumulates(self) -> bool:
        """Whether a step can take several ticks."""
        return self.micro_batch_size is not None

    @property
    def is_fed(self) -> bool:
        """Whether the host reads the batches; else the device picks them."""
        return isinstance(self.task.train, Source)

    @property
    def batch_type(self) -> Any:
        """The types of what the host reads for a tick, each [examples, ...]."""
        assert isinstance(self.task.train, Source)
        return jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((self.tick_examples, *a.shape), a.dtype),
            self.task.train.example,
        )

    @property
    def examples_type(self) -> Any:
        """The types of a tick's examples, or of their places; None without data."""
        if self.is_fed:
            return self.batch_type
        if self.task.train is None:
            return None
        return jax.ShapeDtypeStruct((self.tick_examples,), np.uint32)

    def epoch_and_offset(self, ticks: int) -> tuple[int, int]:
        """How many epochs the first ticks fill, and examples beyond them."""
        if self.task.train is None:
            return 0, 0
        return divmod(ticks * self.tick_examples, len(self.task.train))

    @property
    def data(self) -> dict[str, Any]:
        """The program's data argument; the seed is in it, so that none is compiled."""
        train = self.task.train
        return {
            "train": train.tree if isinstance(train, Arrays) else {},
            "task": {} if self.task.data is None else self.task.data,
            "seed": np.array([self.seed >> 32, self.seed & 0xFFFFFFFF], np.uint32),
        }


def check_parts(group: Group, layout: Layout) -> None:
    """Refuse to split batches that do not divide, or of a task that takes them whole.

    Raises:
        ValueError: with the rule, the values and the remedy.
    """
    if layout.parts == 1:
        return
    if group.task.train is None or not group.task.takes_parts:
        raise ValueError(
            f"the layout {layout} splits every batch over {layout.parts} devices, but "
            f"{type(group.task).__name__} takes no parts of batches: define "
            "`contribute` and `update`, or leave the fourth number out"
        )
    if group.tick_examples % layout.parts:
        raise ValueError(
            "`parts` must divide the examples that are seen at a time, but got "
            f"(parts={layout.parts}, examples={group.tick_examples}) for the layout "
            f"{layout}: leave the fourth number out, or change the batch size"
        )


@scope("begin")
def begin(group: Group, data: Any, numbers: jax.Array, traced: Any) -> LaneState:
    """A trial before its first step, from the numbers that name its randomness."""
    state = initial_state(group, data, numbers, traced)
    key = trial_key(data, numbers)
    nothing: Any = None  # it is what is made here
    lane = LaneState(jax.random.key_data(key), dict(traced), nothing)
    trained = Trained(
        state=as_words(state),
        ok=jnp.bool_(True),
        pending=_nothing_pending(group, data, key, lane, state),
        best=as_words(group.task.kept(state)) if group.best_in_lane else None,
        best_objective=jnp.float32(jnp.inf),
        best_step=jnp.int32(-1),
    )
    return dataclasses.replace(lane, trained=trained)


def _nothing_pending(group, data, key, lane, state):
    """Zeros in place of the contributions to an update that is not made yet."""
    if not group.accumulates:
        return None
    rates = dict.fromkeys(group.scheduled, jnp.float32(0))
    whole = dataclasses.replace(group, parts=1)  # a part of the examples adds as much
    types = jax.eval_shape(
        lambda examples: contribute(whole, data, key, lane, state, rates, examples),
        group.examples_type,
    )
    return Pending(
        ticks=jnp.int32(0),
        total=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, _wide(leaf)), types),
    )


def _wide(leaf):
    """In what many are added up: floats of 16 bits in 32."""
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jnp.promote_types(leaf.dtype, jnp.float32)
    return leaf.dtype


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


def step(
    group: Group, data: Any, key: jax.Array, lane: LaneState, state: Any, item: tuple
) -> tuple[Any, dict[str, jax.Array]]:
    """Update number `item[0]` of a trial at the rates `item[1]`, on its batch.

    The batch is `item[2]`, or the examples at these places of the data.
    """
    number, rates, examples = item
    if group.parts > 1:
        mean = contribute(
            group, data, step_key(key, number), lane, state, rates, examples
        )
        return update(group, data, lane, state, mean, rates)
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, rates)
    batch = () if examples is None else (_batch(group, data, examples),)
    state, metrics = task.step(
        step_key(key, number), hyperparams, state, *batch, rates["learning_rate"]
    )
    return state, _recorded("step", metrics)


def contribute(
    group: Group,
    data: Any,
    key: jax.Array,
    lane: LaneState,
    state: Any,
    rates: Any,
    examples: Any,
) -> Any:
    """What a tick's examples add to an update; the key is consumed.

    Devices that share a batch take a part of the examples each, and share the mean.
    """
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, rates)
    if group.parts == 1:
        batch = _batch(group, data, examples)
        return task.contribute(key, hyperparams, state, batch)
    part = jax.lax.axis_index(PARTS)
    mine = jax.tree.map(
        lambda a: a.reshape(group.parts, -1, *a.shape[1:])[part], examples
    )
    contribution = task.contribute(
        jax.random.fold_in(key, part), hyperparams, state, _batch(group, data, mine)
    )
    return jax.lax.pmean(contribution, PARTS)


def update(
    group: Group, data: Any, lane: LaneState, state: Any, mean: Any, rates: Any
) -> tuple[Any, dict[str, jax.Array]]:
    """An update by the mean of what its examples contributed."""
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, rates)
    state, metrics = task.update(hyperparams, state, mean, rates["learning_rate"])
    return state, _recorded("step", metrics)


def step_key(key: jax.Array, number: jax.Array) -> jax.Array:
    """The key of update `number` of a trial."""
    return jax.random.fold_in(jax.random.fold_in(key, STEP), number)


def _batch(group, data, examples):
    """The examples themselves, where they are given by their places."""
    if group.is_fed:
        return examples
    return jax.tree.map(lambda a: a[examples], data["train"])


@scope("evaluate")
def evaluate(
    group: Group, data: Any, lane: LaneState, state: Any
) -> dict[str, jax.Array]:
    """The evaluation's metrics by their full names."""
    task = bind(group.task, data["task"])
    hyperparams = _hyperparams(group, lane.hyperparams, {})
    key = jax.random.wrap_key_data(data["seed"], impl=KEYS)
    key = jax.random.fold_in(key, EVALUATE)
    metrics = task.evaluate(key, hyperparams, state)
    check_metrics("evaluate", metrics)
    named = {n if "/" in n else f"valid/{n}": value for n, value in metrics.items()}
    if len(named) < len(metrics):
        raise ValueError(
            "a metric without a set is of `valid`, but evaluate returns one with and "
            f"without: {', '.join(metrics)}; leave one of them out"
        )
    return _recorded("evaluate", named)


def _hyperparams(group, traced, rates):
    """What a user's function sees; scheduled values stand beside the declared."""
    scheduled = {name: rates[name] for name in group.scheduled[1:] if name in rates}
    return Hyperparams({**group.static, **traced, **scheduled})


def _recorded(function, metrics):
    """Metrics in the type of the tables."""
    check_metrics(function, metrics)
    if sums := [name for name, value in metrics.items() if isinstance(value, Sum)]:
        raise TypeError(
            f"a tuner.Sum is added up by a SupervisedTask's evaluation, but {function} "
            f"returns one as {sums[0]}: return a number"
        )
    return {n: jnp.asarray(value).astype(jnp.float32) for n, value in metrics.items()}
