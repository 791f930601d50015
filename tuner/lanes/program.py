"""The compiled program of a group: a few functions, each compiled once, then only run.

`advance` takes every live lane some ticks on; `load` moves lanes to the front and
begins new trials; `restore` puts snapshots into lanes; `take` copies lanes out. The
state of all lanes stays on the devices and is donated from call to call. Where lanes do
not carry their best states, a fifth, `keep`, copies them out when trials improve.

On each device the live lanes stand in front, in chunks of the layout's width, and
`advance` loops over the live chunks only: their number is traced, so that eight long
trials do not cost the price of sixty-four.
"""

import concurrent.futures
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping as jt
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from tuner.lanes import feed, improved, lowering
from tuner.lanes.abstract import types_of
from tuner.lanes.call import NEIGHBOURS, call, kept
from tuner.lanes.costs import Costs, costs
from tuner.lanes.inputs import inputs_of
from tuner.lanes.layout import Layout
from tuner.lanes.state import LaneState, Trained, num_bytes
from tuner.lanes.trial import PARTS, Group, begin, initial_state

LANES = PartitionSpec("trials")
EVERYWHERE = PartitionSpec()
FUNCTIONS = ("advance", "load", "restore", "take")
# `load` runs once a trial. On CPU, where drawing random numbers takes long to compile,
# this saves two fifths of its compilation; level 0 would make it five times slower.
QUICKLY: dict[str, Any] = {"xla_backend_optimization_level": 1}


class Program:
    """The functions of one group at one layout, and the state of its lanes.

    Attributes:
        traces: how often Python traced each function; one each, or the law is broken.
        compile_seconds: spent on tracing and compiling.
        note: a line worth knowing about what was compiled, or nothing.
        bytes_sent, bytes_fetched: from the host to the devices, and back.
    """

    def __init__(self, group: Group, layout: Layout) -> None:
        self.group = dataclasses.replace(
            group, parts=layout.parts, segment_calls=feed.segment_calls(group, layout)
        )
        self.layout = layout
        self.functions = FUNCTIONS if group.best_in_lane else (*FUNCTIONS, "keep")
        self.traces = dict.fromkeys(self.functions, 0)
        self.compile_seconds = 0.0
        self.note = ""
        self.bytes_sent = self.bytes_fetched = 0
        devices = np.array(jax.local_devices()[: layout.devices * layout.parts])
        self._mesh = Mesh(
            devices.reshape(layout.devices, layout.parts),
            ("trials", PARTS),
            axis_types=(AxisType.Auto, AxisType.Auto),
        )
        self._by_lane = NamedSharding(self._mesh, LANES)
        self._everywhere = NamedSharding(self._mesh, EVERYWHERE)
        self.like, self.lane_type = _state_and_lane(self.group)
        self._compiled: dict[str, Any] = {}

    def at(self, layout: Layout) -> "Program":
        """The same group at another layout; not compiled yet."""
        other = Program(self.group, layout)
        if (layout.devices, layout.parts) == (self.layout.devices, self.layout.parts):
            other.__dict__["_data"] = self._data  # it lies on the same devices
        if "costs" in self.__dict__:
            other.__dict__["costs"] = self.costs
        return other

    def compile(self, only: Sequence[str] | None = None) -> None:
        """Trace and compile its functions, side by side; those that are, are left."""
        started = time.perf_counter()
        wanted = self.functions if only is None else only
        missing = [name for name in wanted if name not in self._compiled]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pool.submit(lambda: self.costs)  # beside the others it takes no time
            building = {name: pool.submit(self.build, name) for name in missing}
            self._compiled |= {name: b.result() for name, b in building.items()}
        self.compile_seconds += time.perf_counter() - started

    def build(self, name: str) -> Any:
        """Trace and compile one function from its types; the devices hold nothing."""
        return self._build(getattr(self, f"_{name}"), *self._types(name))

    def trace(self, name: str) -> tuple[Any, Any]:
        """The jaxpr of one function, and the types of what it returns."""
        function = jax.make_jaxpr(getattr(self, f"_{name}"), return_shape=True)
        return function(*self._types(name))

    @property
    def reported(self) -> dict[str, Any]:
        """What XLA says of the memory of each compiled function."""
        return {name: c.memory_analysis() for name, c in self._compiled.items()}

    @functools.cached_property
    def costs(self) -> Costs:
        """What its trials compute, in FLOPs."""
        return costs(self.group, self.like, self.lane_type)

    @functools.cached_property
    def _data(self) -> Any:
        data = _put_once(self.group.data, self._everywhere)
        different = {id(leaf): leaf for leaf in jax.tree.leaves(data)}
        self.bytes_sent += num_bytes(different) * self._mesh.size
        return data

    @functools.cached_property
    def lanes(self) -> LaneState:
        """The state of all lanes, on the devices; empty at first."""
        return self._empty()

    @functools.cached_property
    def _empty(self) -> Any:
        types = self._lanes_type()
        empty = jax.jit(
            lambda: jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), types),
            out_shardings=self._by_lane,
        )
        return empty.lower().compile()

    def rest(self) -> None:
        """Give back what the devices hold, until trials are loaded again."""
        for leaf in jax.tree.leaves(self.__dict__.pop("lanes", None)):
            leaf.delete()  # at once, whoever else knows of it
        self.__dict__.pop("_data", None)

    def fill(self, lanes: LaneState) -> None:
        """Put states from the host into the lanes, again and again until all have."""
        places = np.arange(self.layout.lanes)
        self.lanes = jax.device_put(
            jax.tree.map(lambda a: a[places % len(a)], lanes), self._by_lane
        )

    def advance(self, inputs: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Some ticks of every live lane; returns the outputs, still on their way."""
        self.lanes, outputs = self._compiled["advance"](
            self.lanes, self._put(inputs), self._data
        )
        return outputs

    def load(self, inputs: Mapping[str, Any]) -> None:
        """Move lanes forward into holes, then begin trials in free lanes."""
        self.lanes = self._compiled["load"](self.lanes, self._put(inputs), self._data)

    def restore(self, inputs: Mapping[str, Any]) -> None:
        """Overwrite what training made of trials by what snapshots hold."""
        self.lanes = self._compiled["restore"](self.lanes, self._put(inputs))

    def take(self, lanes: jt.Int32[np.ndarray, " taken"]) -> Trained:
        """Copies of some lanes of each device, numbered within it."""
        return self._compiled["take"](self.lanes, self._put(lanes))

    def keep(self, evaluated: jt.Int32[np.ndarray, " lanes"]) -> list[Any]:
        """Copies of what is kept of all lanes, in pieces; see `improved`.

        Args:
            evaluated: the step at which each was evaluated, or `NOT_EVALUATED`.
        """
        inputs = self._put(evaluated)
        return self._compiled["keep"](self.lanes, inputs, self._data)

    def fetch(self, outputs: Any) -> Any:
        """Wait for what the functions returned, and bring it to the host."""
        arrays = jax.device_get(outputs)
        self.bytes_fetched += num_bytes(arrays)
        return arrays

    def fetch_apart(self, outputs: Mapping[str, jax.Array]) -> list[dict[str, Any]]:
        """The same, the part of each device by itself: not joined, so not copied.

        A CPU's devices lend the host their memory.
        """
        parts = self.layout.parts  # every lane is on so many devices
        return self.fetch(
            [
                {name: array.addressable_data(i) for name, array in outputs.items()}
                for i in range(0, self._mesh.size, parts)
            ]
        )

    @property
    def kept_type(self) -> Any:
        """The types of what the task keeps of a state."""
        data = types_of(self.group).data
        one = functools.partial(kept, self.group, self.like)
        return jax.eval_shape(one, data, self.lane_type.trained.state)

    @property
    def trained_type(self) -> Trained:
        """The types of one trial's `Trained`, without an axis of lanes."""
        return self.lane_type.trained

    def _types(self, name: str) -> list[Any]:
        """The types of a function's arguments."""
        types = [self._lanes_type(), self.input_types()[name]]
        if name in ("advance", "load", "keep"):
            data = types_of(self.group).data
            types.append(_with_sharding(data, self._everywhere))
        return types

    def _lanes_type(self) -> LaneState:
        lanes = self.layout.lanes
        stacked = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((lanes, *a.shape), a.dtype), self.lane_type
        )
        return _with_sharding(stacked, self._by_lane)

    def _put(self, inputs):
        """To the devices, always in one way: another way would be another program."""
        self.bytes_sent += num_bytes(inputs)
        return jax.device_put(inputs, self._by_lane)

    def _build(self, function: Callable, *types: Any) -> Any:
        """One function of every device's lanes and inputs, and of the data if need be.

        The lanes are donated, except to what copies, which leaves them as they are.
        """
        mapped = jax.shard_map(
            function,
            mesh=self._mesh,
            in_specs=(LANES, LANES, EVERYWHERE)[: len(types)],
            out_specs=LANES,
            check_vma=False,
        )
        donated = () if function in (self._take, self._keep) else (0,)
        traced = jax.jit(mapped, donate_argnums=donated).trace(*types)
        self.note = lowering.speed_up(traced.jaxpr) or self.note
        quick = function == self._load and jax.default_backend() == "cpu"
        return traced.lower().compile(compiler_options=QUICKLY if quick else None)

    def input_types(self) -> dict[str, Any]:
        """The types of each function's inputs, laid over the devices."""
        types = inputs_of(self.group, self.layout, self.trained_type)
        return _with_sharding(types, self._by_lane)

    def _advance(self, lanes, inputs, data):
        """On one device: its live chunks, one after another."""
        self.traces["advance"] += 1
        chunks, width = self.layout.chunks, self.layout.width
        inputs = dict(inputs)
        live_chunks = inputs.pop("live_chunks")[0]
        lanes, inputs = _split((lanes, inputs), chunks, width)

        one = functools.partial(call, self.group, self.like, data)
        chunk = jax.vmap(one, axis_name=NEIGHBOURS)
        types = jax.eval_shape(chunk, _at(lanes, 0), _at(inputs, 0))[1]
        outputs = jax.tree.map(lambda a: jnp.zeros((chunks, *a.shape), a.dtype), types)

        def body(i, carry):
            new = chunk(_at(carry[0], i), _at(inputs, i))
            return jax.tree.map(
                lambda a, b: jax.lax.dynamic_update_index_in_dim(a, b, i, 0), carry, new
            )

        return _join(jax.lax.fori_loop(0, live_chunks, body, (lanes, outputs)))

    def _load(self, lanes, inputs, data):
        self.traces["load"] += 1

        def move(i, lanes):
            source, target = inputs["move_from"][i], inputs["move_to"][i]
            return jax.tree.map(lambda a: a.at[target].set(a[source]), lanes)

        def start(i, lanes):
            traced = {name: a[i] for name, a in inputs["hyperparams"].items()}
            lane = begin(self.group, data, inputs["numbers"][i], traced)
            target = inputs["new_lane"][i]
            return jax.tree.map(lambda a, b: a.at[target].set(b), lanes, lane)

        lanes = jax.lax.fori_loop(0, inputs["num_moves"][0], move, lanes)
        return jax.lax.fori_loop(0, inputs["num_new"][0], start, lanes)

    def _restore(self, lanes, inputs):
        self.traces["restore"] += 1
        target = inputs["lane"]  # out of range where there is nothing to restore
        trained = jax.tree.map(
            lambda a, b: a.at[target].set(b, mode="drop"),
            lanes.trained,
            inputs["trained"],
        )
        return LaneState(lanes.key, lanes.hyperparams, trained)

    def _take(self, lanes, index):
        self.traces["take"] += 1
        return jax.tree.map(lambda a: a[index], lanes.trained)

    def _keep(self, lanes, evaluated, data):
        self.traces["keep"] += 1
        one = functools.partial(kept, self.group, self.like, data)
        better = lanes.trained.best_step == evaluated
        return improved.in_pieces(jax.vmap(one)(lanes.trained.state), better)


def _state_and_lane(group: Group) -> tuple[Any, LaneState]:
    """The types of the task's state, its keys as keys, and of a lane."""
    given = types_of(group)
    arguments = given.data, given.numbers, given.traced
    state = jax.eval_shape(functools.partial(initial_state, group), *arguments)
    return state, jax.eval_shape(functools.partial(begin, group), *arguments)


def _with_sharding(types: Any, sharding: NamedSharding) -> Any:
    return jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), types
    )


def _put_once(data: Any, sharding: NamedSharding) -> Any:
    """To the devices, an array that occurs twice only once."""
    leaves, structure = jax.tree.flatten(data)
    different = {id(leaf): leaf for leaf in leaves}
    put = {key: jax.device_put(leaf, sharding) for key, leaf in different.items()}
    return structure.unflatten([put[id(leaf)] for leaf in leaves])


def _split(tree, chunks, width):
    return jax.tree.map(lambda a: a.reshape(chunks, width, *a.shape[1:]), tree)


def _join(tree):
    return jax.tree.map(
        lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), tree
    )


def _at(tree, index):
    return jax.tree.map(
        lambda a: jax.lax.dynamic_index_in_dim(a, index, 0, keepdims=False), tree
    )
