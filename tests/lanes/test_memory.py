"""What a layout needs is known before it runs: predicted = what XLA reports."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
import small

import tuner
from tuner.lanes.compilations import compilations
from tuner.lanes.layout import Layout
from tuner.lanes.memory import Memory
from tuner.lanes.peak import peak_bytes
from tuner.lanes.program import Program
from tuner.lanes.state import num_bytes
from tuner.rounds.groups import make_group
from tuner.rounds.trials import planned

GB = 10**9


@pytest.fixture(scope="module")
def group():
    study = small.study()
    return make_group(study, next(iter(planned(study, 1))))


@pytest.fixture(scope="module")
def memory(group):
    return Memory(group)


def reported(program):
    """Bytes of one device that the compiled training needs."""
    a = program.build("advance").memory_analysis()
    arguments = a.argument_size_in_bytes - a.alias_size_in_bytes
    return arguments + a.output_size_in_bytes + a.temp_size_in_bytes


@pytest.mark.parametrize("layout", [Layout(2, 5, 4), Layout(1, 2, 16)])
def test_larger_layouts_are_predicted_from_small_ones(group, memory, layout):
    before = memory.plan(layout).of_call
    assert before == pytest.approx(reported(Program(group, layout)), rel=0.15)


def test_best_states_that_lanes_do_not_carry_are_one_copy(group, memory):
    layout = Layout(2, 2, 4)
    apart = Memory(dataclasses.replace(group, best_in_lane=False))
    ours, carried = apart.plan(layout), memory.plan(layout)
    program = Program(apart.group, layout)
    assert ours.of_call == pytest.approx(reported(program), rel=0.15)
    names = {part.name for part in ours.parts}
    assert "best state" not in names
    assert "copy of what may be best" in names
    known = [part.num_bytes for part in ours.parts if part.per == "lane"]
    before = [part.num_bytes for part in carried.parts if part.per == "lane"]
    assert sum(before) - sum(known) == memory.saved_by_snapshots(layout) > 0
    assert apart.saved_by_snapshots(layout) == 0


def test_parts_of_a_lane_are_its_types(group, memory):
    lane = Program(group, Layout(1, 1, 1)).lane_type
    parts = {part.name: part for part in memory.plan(Layout(2, 2, 4)).parts}
    numbers = 64 * 16 + 16 + 16 * 10
    assert parts["parameters"].bytes_each == parts["best state"].bytes_each
    assert parts["parameters"].num_bytes == 8 * 4 * numbers
    assert parts["optimizer state"].bytes_each == 4 * (2 * numbers + 1)  # AdamW's
    assert parts["data"].num_bytes == num_bytes(group.data)
    of_lane = ("parameters", "optimizer state", "best state", "keys, hyperparameters")
    assert sum(parts[name].bytes_each for name in of_lane) == num_bytes(lane)


def test_batches_that_the_host_reads_are_those_of_a_call_at_the_layout():
    """Of eight lanes there is room for one step at a time, of one lane for five."""
    rows = list(zip(small.PIXELS[:600], small.LABELS[:600], strict=True))
    batch = 32 * (64 + 1) * 4  # bytes
    source = tuner.Source(rows, buffer_bytes=3 * 8 * batch)
    study = small.study(task=small.task(train=source))
    group = make_group(study, next(iter(planned(study, 1))))
    parts = {p.name: p for p in Memory(group).plan(Layout(1, 2, 4)).parts}
    types = Program(group, Layout(1, 2, 4)).input_types()["advance"]
    assert num_bytes(types["batches"]) == 8 * batch
    planned_bytes = parts["inputs, outputs of a call"].num_bytes
    # Of the outputs, some hundred bytes, those of an evaluation are of no tick.
    assert planned_bytes == pytest.approx(num_bytes(types), rel=0.02)


def test_where_it_is_plain_nothing_is_compiled(group):
    memory, before = Memory(group), compilations()
    assert memory.fits(Layout(2, 8, 4), 4 * GB)
    assert not memory.fits(Layout(2, 8, 4), num_bytes(group.data))
    assert compilations() == before


def test_a_layout_that_fits_stays(memory):
    layout = Layout(2, 3, 4)
    assert memory.shrink(layout, memory.plan(layout).total) == layout


def test_chunks_fall_before_the_width(memory):
    layout = Layout(2, 3, 4)
    limit = memory.plan(layout).total - 1
    assert memory.shrink(layout, limit) == Layout(2, 2, 4)
    narrow = memory.shrink(layout, memory.plan(Layout(2, 1, 4)).total - 1)
    assert narrow is not None
    assert narrow.width == 2


def test_without_room_for_a_lane_there_is_no_layout(memory):
    too_little = memory.plan(Layout(1, 1, 1)).total - 1
    assert memory.shrink(Layout(2, 3, 4), too_little) is None


def test_what_a_compiled_program_reports_is_believed(group):
    memory, layout = Memory(group), Layout(1, 1, 4)
    program = Program(group, layout)
    program.compile()
    before = compilations()
    learnt = memory.learn(program)
    assert compilations() == before
    # XLA adds a few bytes: tables of tuples, and alignment.
    assert learnt.of_call == pytest.approx(reported(program), rel=0.01)


def test_a_smaller_batch_saves_the_activations_of_its_examples():
    """The pixels of a batch, the hidden layer and the logits, each at least once."""
    few = small.tuner.Arrays(small.PIXELS[:9], small.LABELS[:9])
    study = small.study(task=small.task(batch_size=512, valid=few))
    group = make_group(study, next(iter(planned(study, 1))))
    least = 4 * (64 + 16 + 10)
    assert least <= Memory(group).per_example() <= 3 * least


def test_the_traced_peak_is_the_largest_sum_of_what_is_alive():
    def chain(x):  # x is the caller's; a dies when b is made
        a = jnp.concatenate([x, x])
        b = a[:10] * 2
        return b.sum()

    jaxpr = jax.make_jaxpr(chain)(jnp.zeros(1000))
    assert peak_bytes(jaxpr) == 4 * (2000 + 10)


def test_a_loops_turn_counts_once():
    def body(carry, _):
        return jnp.tanh(carry) + 1, None

    def loop(length):
        return jax.make_jaxpr(lambda x: jax.lax.scan(body, x, None, length)[0])(
            jnp.zeros(1000)
        )

    assert peak_bytes(loop(7)) == peak_bytes(loop(3)) == 4 * (1000 + 2 * 1000)
