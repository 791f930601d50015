"""Layouts are made to fit before anything runs; what cannot fit is refused."""

import pytest
import small

import tuner
from tuner.cli.outline import outline
from tuner.lanes.compilations import compilations
from tuner.lanes.layout import Layout
from tuner.lanes.memory import Memory, _kind
from tuner.rounds.preflight import preflight
from tuner.rounds.room import NoRoomError, Room
from tuner.store.reader import read_definition

WIDE, NARROW = Layout(2, 2, 2), Layout(2, 1, 2)


def study(**changes):
    return small.study(
        space=small.space(activation="relu"),
        rounds=[tuner.Round(trials=8, max_train_steps=10)],
        **changes,
    )


@pytest.fixture(scope="module")
def plan():
    return preflight(study())


@pytest.fixture(scope="module")
def memory(plan):
    return Room(plan).memory("all")


@pytest.fixture(scope="module")
def tight(memory):
    """Bytes with which the wide layout has too little by one."""
    assert memory.plan(NARROW).total < memory.plan(WIDE).total
    return memory.plan(WIDE).total - 1


def test_with_much_room_nothing_is_traced_or_compiled(plan, monkeypatch):
    monkeypatch.setattr(Memory, "__init__", lambda *_: pytest.fail("traced"))
    before = compilations()
    assert Room(plan, "1GB").fitting("all", WIDE) == WIDE
    assert compilations() == before


def test_the_estimate_is_above_what_is_needed(plan, memory):
    """The least memory of which the estimate says that there is room enough."""
    enough = next(
        limit
        for limit in (1000 * 2**i for i in range(40))
        if Room(plan, limit)._plainly("all", WIDE)
    )
    assert enough > memory.plan(WIDE).total


def test_a_chosen_layout_gets_fewer_lanes(tmp_path, monkeypatch, tight):
    monkeypatch.setattr("tuner.lanes.layout.choose", lambda *_, **__: WIDE)
    run = tuner.run(study(), tmp_path / "run", memory=tight)
    assert run.layout == {"all": str(NARROW)}
    assert "out_of_memory" not in run.definition
    assert run.status == "complete"


def test_a_layout_that_was_asked_for_is_refused(tmp_path, tight):
    rule = f"the layout {WIDE} of program all needs .* of each device, but there are"
    with pytest.raises(NoRoomError, match=rule) as refused:
        tuner.run(study(), tmp_path / "run", layout="2x2x2", memory=tight)
    assert f"The layout {NARROW} fits." in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_study_of_which_no_lane_fits_is_refused_with_what_takes_what(tmp_path):
    with pytest.raises(NoRoomError) as refused:
        tuner.run(study(), tmp_path / "run", memory="10kB")
    rule, _, table = str(refused.value).partition("\n\n")
    assert rule.startswith("a lane of program all needs ")
    assert "but there are 10 kB: fewer examples" in rule
    assert rule.endswith("would need less")
    names = [line.split("  ")[1] for line in table.splitlines()[1:]]
    assert names[:3] == ["parameters", "optimizer state", "best state"]
    assert not (tmp_path / "run").exists()


def test_a_compiled_program_that_needs_more_gets_fewer_chunks(
    tmp_path, monkeypatch, memory, tight
):
    """The prediction is made too low; the program itself knows better."""
    monkeypatch.setattr(
        Memory, "_measured", lambda self, at: self._temp.get(_kind(at), 0)
    )
    run = tuner.run(study(), tmp_path / "run", layout="2x2x2", memory=tight)
    [event] = read_definition(run.directory)["out_of_memory"]
    assert (event["layout"], event["now"], event["commit"]) == ("2x2x2", "2x1x2", 0)
    assert run.status == "complete"


def test_a_dry_run_says_what_takes_what(plan, memory):
    said = outline(plan, "2x2x2", "1GB").split("\n\n")[-1].splitlines()
    assert said[0].startswith("program all, layout 2x2x2: ")
    lines = {line[2:].split("  ")[0]: line.split() for line in said[1:]}
    assert lines["best state"][-6:] == ["4", "x", "4.8", "kB", "a", "lane"]
    price = ["2", "x", "4.8", "kB", "a", "lane", "of", "a", "chunk"]
    assert lines["gradients"][-9:] == price
    assert "the evaluation needs most" in said[-2]  # 200 examples, 32 in a batch
    assert said[-1] == '  with best_state="snapshot", 57.6 kB less'  # 4 x 3 x 4.8 kB


def test_a_dry_run_says_what_snapshots_of_best_states_take():
    said = outline(preflight(study(), "snapshot"), "2x2x2", "1GB")
    [line] = [text for text in said.splitlines() if "what may be best" in text]
    assert line.split()[-6:] == ["4", "x", "4.8", "kB", "a", "lane"]
    assert "best state" not in said


def test_a_dry_run_shows_the_layout_that_fits(plan, monkeypatch, tight):
    monkeypatch.setattr("tuner.lanes.layout.choose", lambda *_, **__: WIDE)
    assert "8 trials, layout 2x1x2" in outline(plan, None, str(tight))


def test_no_size_is_refused():
    with pytest.raises(ValueError, match="memory is a size such as"):
        tuner.run(study(), "nowhere", memory="much")
