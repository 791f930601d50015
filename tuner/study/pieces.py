"""A task's functions one by one, each with the types of what it is given.

What an author wrote can then be looked at function by function: which of them is not
what it was. Nothing of ours is in between but the gradient of the loss, without which
a rule of differentiation, or a `stop_gradient`, would not be seen.
"""

from collections.abc import Callable
from typing import Any

import jax

from tuner.study.evaluation import BATCH
from tuner.study.supervised import SupervisedTask, offered
from tuner.study.task import Sum, Task, Variables, bind

Trace = Callable[..., Any]


def trace_apart(task: Task, trace: Trace, key: Any, inputs: tuple) -> Any:
    """Hand every function of a task to `trace`.

    Args:
        task: whose functions they are.
        trace: `(name, function, *types) -> types`, which traces
            `function(hyperparams, *types)` and says what it returns.
        key: the type of a key.
        inputs: the types of a step's: a batch, if the task has some, and a rate.

    Returns:
        The type of the state that a step carries on.
    """
    if type(task) is SupervisedTask:
        return _supervised(task, trace, key, inputs)
    return _any(task, trace, key, inputs)


def _any(task: Task, trace: Trace, key: Any, inputs: tuple) -> Any:
    """Those of the contract; data are an argument, as in the program."""

    def of_task(name: str, *types: Any) -> Any:
        def function(hyperparams, data, key, *rest):
            return getattr(bind(task, data), name)(key, hyperparams, *rest)

        return trace(name, function, types_of(task.data), key, *types)

    def update(hyperparams, data, *rest):
        return bind(task, data).update(hyperparams, *rest)

    state = of_task("init")
    if task.takes_parts and len(inputs) > 1:
        part = of_task("contribute", state, *inputs[:-1])
        trace("update", update, types_of(task.data), state, part, inputs[-1])
    of_task("step", state, *inputs)
    of_task("evaluate", state)
    return state


def _supervised(task: SupervisedTask, trace: Trace, key: Any, inputs: tuple) -> Any:
    """Those that its author gave, in the order in which a step calls them."""
    functions, shared = task.functions, types_of(task.data["shared"])
    *batch, rate = inputs
    batch = batch[0] if batch else None

    def init(hyperparams, shared, key):
        return functions.init(key, hyperparams, **shared)

    def augment(hyperparams, key, batch):
        assert functions.augment is not None
        return functions.augment(key, hyperparams, batch)

    def advance(hyperparams, extra, tally):
        assert functions.advance is not None
        return functions.advance(hyperparams, extra, tally)

    variables = trace("init", init, shared, key)
    if functions.augment is not None:
        batch = trace("augment", augment, key, batch)
    (loss, (_, tally)), gradient = trace(
        "loss", _gradient(functions.loss), shared, key, variables, batch
    )
    params = _params(variables)
    carried = _optimize(functions.optimizer, trace, params, loss, gradient, rate)
    if functions.advance is not None:
        trace("advance", advance, variables.extra, tally)
    _evaluate(task, trace, key, variables)
    return variables, carried


def _gradient(loss: Callable[..., tuple]) -> Callable[..., Any]:
    """A loss, all that comes with it, and its gradient."""

    def function(hyperparams, shared, key, variables, batch):
        def of_params(params):
            given = params
            if isinstance(variables, Variables):
                given = Variables(params, variables.extra)
            value, metrics, *tally = loss(key, hyperparams, given, batch, **shared)
            return value, (metrics, tally[0] if tally else None)

        return jax.value_and_grad(of_params, has_aux=True)(_params(variables))

    return function


def _optimize(
    optimizer: Callable[..., Any],
    trace: Trace,
    params: Any,
    loss: Any,
    gradient: Any,
    rate: Any,
) -> Any:
    """An optimizer before the first step and in one; the type of its state.

    Those that ask for the loss elsewhere get one of ours: the author's is looked at by
    itself.
    """

    def begin(hyperparams, params):
        return optimizer(hyperparams, 0.0).init(params)

    def update(hyperparams, loss, rate, gradient, state, params):
        chosen = optimizer(hyperparams, rate).update
        more = offered(chosen, loss, _stand_in)
        return chosen(gradient, state, params, **more)

    state = trace("optimizer", begin, params)
    trace("optimizer", update, loss, rate, gradient, state, params)
    return state


def _stand_in(params):
    """A loss, with what comes with one."""
    return sum(leaf.sum() for leaf in jax.tree.leaves(params)), None


def _evaluate(task: SupervisedTask, trace: Trace, key: Any, variables: Any) -> None:
    """What judges the sets, each by a batch of it, and sums up."""
    functions, shared = task.functions, types_of(task.data["shared"])

    def evaluate(hyperparams, shared, key, variables, batch):
        return functions.evaluate(key, hyperparams, variables, batch, **shared)

    def summarize(hyperparams, totals):
        assert functions.summarize is not None
        return functions.summarize(totals)

    for examples in task.data["sets"].values():
        batch = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((min(len(a), BATCH), *a.shape[1:]), a.dtype),
            examples,
        )
        metrics = trace("evaluate", evaluate, shared, key, variables, batch)
        if functions.summarize is not None:
            sums = {n: m.total for n, m in metrics.items() if isinstance(m, Sum)}
            trace("summarize", summarize, sums)


def types_of(tree: Any) -> Any:
    """The shapes and dtypes of a tree's leaves."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)


def _params(variables: Any) -> Any:
    return variables.params if isinstance(variables, Variables) else variables
