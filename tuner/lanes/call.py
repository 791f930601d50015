"""What one call of the program does for one trial: some ticks, maybe an evaluation.

A tick is what is done with one piece of data: a step, or where batches are seen in
micro-batches, a part of one. This is the last place where there is one trial;
`program` lays many of them side by side. Everything here is traced.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from tuner.lanes.order import batch_indices
from tuner.lanes.phases import scope
from tuner.lanes.state import KEYS, LaneState, Pending, Trained, as_keys, as_words
from tuner.lanes.trial import DATA, Group, contribute, evaluate, step, step_key, update
from tuner.study.task import bind

NEIGHBOURS = "neighbours"  # the axis of the lanes of a chunk


def call(
    group: Group, like: Any, data: Any, lane: LaneState, inputs: Mapping[str, Any]
) -> tuple[LaneState, dict[str, Any]]:
    """What one call of the program does for one trial: ticks, maybe an evaluation.

    Args:
        group: what the trial shares with others.
        like: the types of the task's state, keys as keys.
        data: the program's data argument.
        lane: the trial.
        inputs: `rates` {name: [ticks]}; `step`, the updates made before; `epoch` and
            `offset` (examples) of the first batch; `batches`, each [ticks, examples,
            ...], where the host reads them. Where a call can end without one, `due`:
            whether the evaluation at its end is one of the trial's. Where a step can
            take several ticks, `micros`: ticks in a step; `micro`: those made of the
            step that is begun.
    """
    key = jax.random.wrap_key_data(lane.key, impl=KEYS)
    one = _tick if group.accumulates else _whole_step

    def tick(carry, item):
        state, pending, ok = carry
        state, pending, metrics, sound = one(
            group, data, key, lane, as_keys(like, state), pending, item
        )
        ok &= sound
        return (as_words(state), pending, ok), (metrics, ok)

    trained = lane.trained
    (state, pending, ok), (metrics, oks) = jax.lax.scan(
        tick,
        (trained.state, trained.pending, trained.ok),
        _items(group, key, inputs),
    )
    trained = dataclasses.replace(trained, state=state, pending=pending, ok=ok)
    outputs = {"train": metrics, "ok": oks}
    trained, evaluation = _evaluated(group, like, data, lane, trained, inputs)
    outputs |= {
        "valid": evaluation,
        "best_objective": trained.best_objective,
        "best_step": trained.best_step,
    }
    return dataclasses.replace(lane, trained=trained), outputs


def _items(group, key, inputs):
    """What each tick is given: its step, its rates, its examples, its place in it."""
    ticks = jnp.arange(group.call_ticks)
    examples = inputs["batches"] if group.is_fed else _indices(group, key, inputs)
    if not group.accumulates:
        return inputs["step"] + 1 + ticks, inputs["rates"], examples
    made = inputs["micro"] + ticks
    number = inputs["step"] + 1 + made // inputs["micros"]
    micros = jnp.full_like(ticks, inputs["micros"])
    return number, inputs["rates"], examples, made % inputs["micros"], micros


@scope("step")
def _whole_step(group, data, key, lane, state, pending, item):
    """A tick that is a step."""
    state, metrics = step(group, data, key, lane, state, item)
    return state, pending, metrics, _is_sound(metrics)


@scope("step")
def _tick(group, data, key, lane, state, pending, item):
    """A tick that adds to a step, and makes it when the batch is full."""
    number, rates, examples, micro, micros = item
    tick_key = jax.random.fold_in(step_key(key, number), micro)
    new = contribute(group, data, tick_key, lane, state, rates, examples)
    total = jax.tree.map(
        lambda old, a: jnp.where(micro == 0, a.astype(old.dtype), old + a),
        pending.total,
        new,
    )
    full = micro + 1 == micros

    def make(state, total):
        mean = jax.tree.map(lambda a, b: (a / micros).astype(b.dtype), total, new)
        state, metrics = update(group, data, lane, state, mean, rates)
        return as_words(state), metrics

    def skip(state, total):
        _, metrics = jax.eval_shape(make, state, total)
        return as_words(state), _zeros(metrics)

    made, metrics = jax.lax.cond(any_neighbour(full), make, skip, state, total)
    words = jax.tree.map(lambda a, b: jnp.where(full, a, b), made, as_words(state))
    pending = Pending(jnp.where(full, 0, micro + 1), total)
    return as_keys(state, words), pending, metrics, ~full | _is_sound(metrics)


def any_neighbour(flag: jax.Array) -> jax.Array:
    """Whether a flag is up in any lane of the chunk: there, one value for all lanes.

    A condition on it stays a branch under `vmap`, and is not made for nobody.
    """
    return jax.lax.pmax(flag.astype(jnp.int32), NEIGHBOURS) > 0


def _evaluated(group, like, data, lane, trained, inputs):
    """The trial with its best so far, and its evaluation after the last tick."""
    last = inputs["step"] + group.call_ticks
    if not group.has_due:
        return _judged(group, like, data, lane, trained, last, due=True)
    if group.accumulates:
        made = inputs["micro"] + group.call_ticks
        last = inputs["step"] + made // inputs["micros"]

    def judge(trained):
        return _judged(group, like, data, lane, trained, last, due=inputs["due"])

    def skip(trained):
        return trained, _zeros(jax.eval_shape(judge, trained)[1])

    return jax.lax.cond(any_neighbour(inputs["due"]), judge, skip, trained)


def _judged(group, like, data, lane, trained, last, *, due):
    """The trial after the evaluation at its step `last`, which counts if it is due."""
    evaluation = evaluate(group, data, lane, as_keys(like, trained.state))
    best = kept(group, like, data, trained.state) if group.best_in_lane else None
    objective = group.objective.sign * evaluation[group.objective.metric]
    return with_best(trained, best, objective, last, due=due), evaluation


def kept(group: Group, like: Any, data: Any, state: Any) -> Any:
    """What the task keeps of a state; keys as words in both."""
    task = bind(group.task, data["task"])
    return as_words(task.kept(as_keys(like, state)))


@scope("best")
def with_best(
    trained: Trained, new: Any, objective: jax.Array, step: jax.Array, *, due: Any
) -> Trained:
    """Best so far, replaced by the strictly better only: of equals the earliest."""
    better = trained.ok & due & jnp.isfinite(objective)
    better &= objective < trained.best_objective
    return dataclasses.replace(
        trained,
        best=jax.tree.map(lambda a, b: jnp.where(better, a, b), new, trained.best),
        best_objective=jnp.where(better, objective, trained.best_objective),
        best_step=jnp.where(better, step, trained.best_step),
    )


def _is_sound(metrics):
    """Whether a step left finite numbers."""
    sound = jnp.isfinite(metrics["loss"])
    if "update_norm" in metrics:
        sound &= jnp.isfinite(metrics["update_norm"])
    return sound


@scope("order")
def _indices(group, key, inputs):
    if group.task.train is None:
        return None
    return batch_indices(
        jax.random.fold_in(key, DATA),
        inputs["epoch"],
        inputs["offset"],
        steps=group.call_ticks,
        batch_size=group.tick_examples,
        num_examples=len(group.task.train),
    )


def _zeros(types):
    return jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), types)
