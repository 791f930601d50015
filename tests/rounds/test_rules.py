"""Rules that stop trials: when, what is left of them, and that the laws hold."""

import re

import polars as pl
import pytest
import small
from displays import StopAfter, Told
from equal_runs import assert_equal, bytes_of

import tuner
from tuner.lanes.compilations import compilations
from tuner.rounds.preflight import preflight
from tuner.rounds.rules import warning

LAYOUT = "2x1x2"  # four lanes for eight trials: who is stopped makes room
PATIENCE, LIMIT = 4, 0.3  # of the rule `Prune`; of the rule `hopeless`


def hopeless(evaluations):
    """Fires at step 15, if at all: the second round's trials are past it."""
    return bool(evaluations.step[-1] == 15 and evaluations.objective[-1] > LIMIT)


def pruned(**changes):
    """Two rounds of one program: some are stopped in the first, some in the second."""
    fields = {
        "space": small.space(activation="tanh"),
        "rounds": [
            tuner.Round(trials=8, max_train_steps=40),
            tuner.Round(keep=3, max_train_steps=80, extend=tuner.LengthenConstant()),
        ],
        "stop": (hopeless, tuner.Prune(patience=PATIENCE)),
    }
    return small.study(**(fields | changes))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tuner.run(pruned(), tmp_path_factory.mktemp("runs") / "run", layout=LAYOUT)


@pytest.fixture(scope="module")
def unruled(tmp_path_factory):
    """The same study without rules."""
    directory = tmp_path_factory.mktemp("runs") / "unruled"
    return tuner.run(pruned(stop=()), directory, layout=LAYOUT)


# When a trial ends


def test_a_trial_ends_at_the_evaluation_after_the_one_its_rule_fired_on(run, unruled):
    """Known from the curves of the study without rules: worse than 0.3 at step 15."""
    first = unruled.metrics("valid").filter(pl.col("trial") < 8, step=15)
    doomed = first.filter(pl.col("valid/error") > LIMIT)["trial"].to_list()
    stopped = run.trials.filter(round=1, status="stopped")
    assert stopped["trial"].to_list() == doomed
    assert 1 < len(doomed) < 6
    assert stopped["step"].to_list() == [20] * len(doomed)
    assert stopped["note"].to_list() == ["stopped by hopeless"] * len(doomed)


def test_patience_counts_the_shared_prefix_too(run):
    """Of whole curves: the first evaluation that many after the best before it."""
    curves = run.metrics("valid", lineage=True)
    children = run.trials.filter(round=2)
    for child in children.to_dicts():
        errors = curves.filter(trial=child["trial"])["valid/error"].to_list()
        fired = [
            n
            for n in range(PATIENCE + 1, len(errors) + 1)
            if errors.index(min(errors[:n])) < n - PATIENCE
        ]
        end = min([5 * (n + 1) for n in fired[:1]] + [80])
        assert child["step"] == end
        assert child["status"] == ("complete" if end == 80 else "stopped")
    assert set(children["status"]) == {"complete", "stopped"}


def test_a_rule_that_fires_at_the_last_evaluations_stops_nothing(tmp_path):
    """At step 15 of 20 the last segment runs already; at step 20 there is no more."""
    late = pruned(
        rounds=[tuner.Round(trials=4, max_train_steps=20)],
        stop=lambda evaluations: bool(evaluations.step[-1] >= 15),
    )
    trials = tuner.run(late, tmp_path / "run", layout=LAYOUT).trials
    assert trials["status"].to_list() == ["complete"] * 4
    assert trials["step"].to_list() == [20] * 4
    assert trials["note"].to_list() == [""] * 4


def test_a_run_whose_trials_have_been_stopped_is_complete(run):
    assert run.status == "complete"
    compiled = compilations()
    assert tuner.run(pruned(), run.directory).trials.equals(run.trials)
    assert compilations() == compiled


# What is left of a trial that was stopped


@pytest.mark.parametrize("table", ["train", "valid"])
def test_its_rows_end_where_it_ended_and_have_no_gaps(run, table):
    rows = run.metrics(table)
    every = 1 if table == "train" else 5
    for trial in run.trials.to_dicts():
        steps = rows.filter(trial=trial["trial"])["step"].to_list()
        first = trial["start_step"] + every
        assert steps == list(range(first, trial["step"] + 1, every))


def test_its_last_state_is_that_of_its_last_step(run, unruled):
    """A trial stopped at step 20 ends where the unruled one kept its branch state."""
    stopped = run.trials.filter(round=1, status="stopped")["trial"].to_list()
    for trial in stopped:
        ours, theirs = run.restore(trial, "last"), unruled.restore(trial, "branch")
        assert bytes_of(ours) == bytes_of(theirs)


def test_its_best_is_the_best_of_what_it_recorded(run):
    best = tuner.analysis.best_steps(run.metrics("valid", lineage=True), "valid/error")
    recorded = run.trials.select("trial", "best_step", "best_objective")
    assert recorded.rows() == best.rows()


def test_it_may_be_best_but_is_never_promoted(run):
    stopped = run.trials.filter(status="stopped")["trial"]
    assert set(run.trials["parent"].drop_nulls()).isdisjoint(stopped)
    assert run.ranked.height == run.trials.height


# The laws


def test_isolation_a_stopped_trial_changes_no_bit_of_another(run, unruled):
    """Every row with rules in force is the row of the same trial without."""
    first = run.metrics("train").filter(pl.col("trial") < 8)
    whole = unruled.metrics("train").filter(pl.col("trial") < 8)
    assert first.join(whole, on=whole.columns, how="anti").is_empty()
    assert first.height < whole.height


def test_interrupted_again_and_again_it_ends_as_if_never_interrupted(run, tmp_path):
    """A session reads one segment or two, and the one in flight."""
    directory = tmp_path / "run"
    for session in range(40):
        stop = StopAfter(1 + session % 2)
        again = tuner.run(pruned(), directory, layout=LAYOUT, display=stop)
        if again.status == "complete":
            break
    assert session > 5
    assert_equal(again, run)


def test_batches_in_parts_are_stopped_at_whole_segments_whenever_interrupted(tmp_path):
    """Of batches of 64, 32 and 16 a segment takes four calls, two and one."""
    study = pruned(
        space=small.space(activation="relu", batch_size=tuner.Choice(16, 32, 64)),
        task=small.task(batch_size="traced"),
        rounds=[tuner.Round(trials=6, max_train_steps=20)],
        stop=lambda seen: bool(seen.step[-1] == 5 and seen.objective[-1] > LIMIT),
    )
    run = tuner.run(study, tmp_path / "run", layout=LAYOUT)
    stopped = run.trials.filter(status="stopped")
    assert set(stopped["step"]) == {10}
    assert set(stopped["hp.batch_size"]) == {16, 32, 64}
    for _ in range(20):
        display = StopAfter(1)
        again = tuner.run(study, tmp_path / "again", layout=LAYOUT, display=display)
        if again.status == "complete":
            break
    assert again.figures["sessions"] > 3  # some between two parts of a batch
    assert_equal(again, run)


# Rules that cannot be


@pytest.fixture
def refused(tmp_path):
    """Runs a study with a rule; nothing is compiled, and nothing kept."""

    def refuse(error, text, rule):
        before = compilations()
        with pytest.raises(error, match=re.escape(text)) as caught:
            tuner.run(pruned(stop=rule), tmp_path / "run")
        assert compilations() == before
        assert not list(tmp_path.iterdir())
        return caught.value

    return refuse


def test_a_rule_that_does_not_answer(refused):
    def silent(evaluations):
        pass

    text = "a rule must return whether to stop the trial, True or False, but 'silent' "
    refused(TypeError, text, silent)


def test_a_rule_that_reads_a_metric_which_is_not_recorded(refused):
    text = "unknown metric 'valid/eror': did you mean 'valid/error'? Known: 'valid/er"
    error = refused(KeyError, text, lambda seen: seen.metrics["valid/eror"][-1] > 1)
    note = "The rule '<lambda>' was asked about an evaluation, made up, whose metrics"
    assert error.__notes__[0].startswith(note)


def test_another_rule_is_another_study(run):
    rule = re.escape("stop[1].patience (4, now 5)")
    with pytest.raises(ValueError, match=rule):
        tuner.run(pruned(stop=(hopeless, tuner.Prune(patience=5))), run.directory)


def test_what_a_rule_raises_later_names_the_trial_and_the_step(tmp_path):
    def fragile(evaluations):
        return evaluations.step[-1] == 10 and 1 / 0 > 0

    with pytest.raises(ZeroDivisionError) as caught:
        tuner.run(pruned(stop=fragile), tmp_path / "run", layout=LAYOUT)
    assert re.fullmatch(
        r"The rule 'fragile' was asked about trial \d at step 10\.",
        caught.value.__notes__[0],
    )


# The warning


def warned(study):
    return warning(study, preflight(study).rounds[0])


def test_pruning_where_a_schedule_is_searched_is_warned_of():
    assert warned(pruned()).startswith(
        "warning: Prune ranks by losses in the middle of training, and schedules are "
        "searched (learning_rate, warmup_steps): "
    )


def test_pruning_where_no_schedule_is_searched_is_not():
    fixed = small.space(activation="tanh", learning_rate=0.01, warmup_steps=3)
    assert warned(pruned(space=fixed)) == ""
    assert warned(pruned(stop=hopeless)) == ""


def test_a_hyperparameter_declared_to_be_of_a_schedule_counts():
    """The task may look at it where `schedule` does not."""
    space = small.space(
        activation="tanh",
        learning_rate=0.01,
        warmup_steps=3,
        weight_decay=tuner.Float(1e-6, 1e-1, log=True, kind="schedule"),
    )
    assert "searched (weight_decay)" in warned(pruned(space=space))


def test_the_warning_comes_once_before_anything_is_compiled(tmp_path):
    told = Told()
    told.compiling = lambda *_: told.notes.append("compiling")
    study = pruned(rounds=[tuner.Round(trials=4, max_train_steps=20)])
    for _ in range(2):
        tuner.run(study, tmp_path / "run", layout=LAYOUT, display=told)
    starts = [note.split()[0] for note in told.notes if not note.startswith("JAX")]
    assert starts == ["warning:", "compiling"]
