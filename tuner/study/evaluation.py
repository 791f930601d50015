"""Metrics of a whole set of examples, exact whatever the batches they come in.

Means are averaged by the batches' shares of the examples, `Sum`s are added up. Floats
of any type are added as float32, in which they are recorded.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from tuner.study.task import Metrics, Sum, check_metrics

BATCH = 1024  # examples; bounds what an evaluation needs in every lane


def evaluate_set(
    evaluate: Callable[[jax.Array, Any], Metrics],
    key: jax.Array,
    examples: Any,
    summarize: Callable[[Mapping[str, Any]], Metrics] | None = None,
) -> Metrics:
    """Full batches in a scan, and the remainder by itself.

    Args:
        evaluate: `(key, batch) -> metrics`, means over the batch, or `Sum`s.
        key: folded by the number of each batch.
        examples: the set, each array [examples, ...].
        summarize: `(totals) -> metrics`, from the `Sum`s of the whole set.
    """
    total = len(jax.tree.leaves(examples)[0])
    size = min(total, BATCH)
    full = total // size

    def parts(index, batch):
        metrics = evaluate(jax.random.fold_in(key, index), batch)
        check_metrics("evaluate", metrics)
        return _weighted(metrics, len(jax.tree.leaves(batch)[0]) / total)

    def body(sums, item):
        return jax.tree.map(jnp.add, sums, parts(*item)), None

    batches = jax.tree.map(
        lambda a: a[: full * size].reshape(full, size, *a.shape[1:]), examples
    )
    sums = parts(0, jax.tree.map(lambda a: a[0], batches))
    if full > 1:
        rest = jax.tree.map(lambda a: a[1:], batches)
        sums, _ = jax.lax.scan(body, sums, (jnp.arange(1, full), rest))
    if total % size:
        remainder = jax.tree.map(lambda a: a[full * size :], examples)
        sums, _ = body(sums, (full, remainder))
    means, totals = sums
    return {**means, **_summarized(means, totals, summarize)}


def _summarized(means, totals, summarize):
    """What comes of the `Sum`s."""
    if summarize is None:
        return totals
    metrics = summarize(totals)
    check_metrics("summarize", metrics)
    if twice := means.keys() & metrics.keys():
        raise ValueError(
            f"a metric has one value, but evaluate and summarize both return "
            f"{min(twice)!r}: give one of them another name"
        )
    return metrics


def _weighted(metrics, weight):
    """Means times the batch's share of the examples; totals as they are."""
    means = {
        k: jnp.asarray(v, jnp.float32) * weight
        for k, v in metrics.items()
        if not isinstance(v, Sum)
    }
    totals = {k: _wide(v.total) for k, v in metrics.items() if isinstance(v, Sum)}
    return means, totals


def _wide(total):
    """Floats as float32, counts as they are, truths as counts."""
    total = jnp.asarray(total)
    if total.dtype == jnp.bool_:
        return total.astype(jnp.int32)
    is_float = jnp.issubdtype(total.dtype, jnp.floating)
    return total.astype(jnp.float32) if is_float else total
