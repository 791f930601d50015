"""The laws of a run, on a study of two rounds: exactness, completeness, the best."""

import numpy as np
import polars as pl
import pytest
import small

import tuner
from tuner import analysis


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "small"
    return tuner.run(small.study(), directory, layout="2x1x2")


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    study, directory = small.diverging_study(), tmp_path_factory.mktemp("runs")
    return tuner.run(study, directory / "broken", layout="2x1x4")


def test_an_exact_trial_is_bitwise_the_same_trial_trained_from_step_0(run, tmp_path):
    """The promoted trials once more, as first-round trials of the longer schedule."""
    children = run.trials.filter(pl.col("resume") == "exact")
    assert children.height == 4
    rule = tuner.LengthenConstant()
    longer = small.study(
        rounds=[tuner.Round(trials=12, max_train_steps=60)],
        schedule=lambda hyperparams, _: rule(small.schedule(hyperparams, 20), 60),
    )
    afresh = tuner.run(longer, tmp_path / "afresh", layout=run.layout)
    whole = run.metrics("train", lineage=True)
    again = afresh.metrics("train")
    twins = afresh.trials.select("sample", "combination", twin="trial")
    for row in children.join(twins, on=["sample", "combination"]).to_dicts():
        ours = whole.filter(trial=row["trial"]).drop("trial")
        from_0 = again.filter(trial=row["twin"]).drop("trial")
        assert ours.equals(from_0)
        restored = run.restore(row["trial"], "last")
        trained = afresh.restore(row["twin"], "last")
        assert _same(restored, trained)


def test_a_child_begins_where_its_parents_decay_does(run):
    """Warm-up and constant phase are 10 of 20 steps; evaluations are 5 apart."""
    children = run.trials.filter(pl.col("round") == 2)
    assert children["start_step"].to_list() == [10] * 4
    assert (
        children["schedule.constant_steps"].to_list()
        == (50 - children["hp.warmup_steps"]).to_list()
    )
    assert children["schedule.decay_steps"].to_list() == [10] * 4


@pytest.mark.parametrize("table", ["train", "valid"])
def test_every_step_is_recorded_once_and_without_gaps(run, table):
    rows = run.metrics(table)
    every = 1 if table == "train" else 5
    for trial in run.trials.to_dicts():
        first, last = trial["start_step"], trial["max_train_steps"]
        steps = rows.filter(trial=trial["trial"])["step"].to_list()
        assert steps == list(range(first + every, last + 1, every))


def test_examples_are_steps_times_the_batch_size(run):
    rows = run.metrics("train")
    assert (rows["examples"] == rows["step"].cast(pl.Int64) * 32).all()


def test_the_recorded_rate_is_the_schedules(run):
    rows = run.metrics("train", lineage=True)
    for trial in run.trials.to_dicts():
        fields = {
            name.removeprefix("schedule."): value
            for name, value in trial.items()
            if name.startswith("schedule.")
        }
        rates = tuner.Schedule(**fields).rates()
        recorded = rows.filter(trial=trial["trial"])["learning_rate"]
        np.testing.assert_array_equal(recorded, rates)


def test_the_best_step_is_the_earliest_argmin_of_the_whole_curve(run):
    curves = run.metrics("valid", lineage=True)
    best = analysis.best_steps(curves, "valid/error")
    recorded = run.trials.select("trial", "best_step", "best_objective")
    for trial, step, objective in recorded.iter_rows():
        row = best.row(by_predicate=pl.col("trial") == trial, named=True)
        assert (row["best_step"], row["best_objective"]) == (step, objective)


def test_the_restored_best_state_has_the_best_objective(run):
    for trial in run.trials.to_dicts():
        params = run.restore(trial["trial"], "best")
        hyperparams = tuner.study.hyperparams.Hyperparams(
            {"activation": trial["hp.activation"]}
        )
        metrics = small.evaluate(None, hyperparams, params, small.VALID.tree)
        assert float(metrics["error"]) == pytest.approx(
            trial["best_objective"],
            abs=1e-6,  # another program sums 200 examples in another order
        )


def test_best_so_far_never_rises(run):
    curves = analysis.best_so_far(run.metrics("valid", lineage=True), "valid/error")
    steps = curves.with_columns(change=pl.col("best_so_far").diff().over("trial"))
    assert (steps["change"].drop_nulls() <= 0).all()


def test_each_combination_keeps_its_share(run):
    counts = run.trials.group_by("round", "combination").len().sort("round")
    assert counts["len"].to_list() == [6, 6, 2, 2]


def test_the_best_of_each_combination_are_promoted(run):
    first = run.trials.filter(pl.col("round") == 1)
    loss = run.metrics("valid").select("trial", best_step="step", tie="valid/loss")
    first = first.join(loss, on=["trial", "best_step"])
    parents = set(run.trials["parent"].drop_nulls())
    for combination in ('{"activation": "relu"}', '{"activation": "tanh"}'):
        mine = first.filter(combination=combination).to_dicts()
        mine.sort(key=lambda t: (t["best_objective"], t["tie"], t["trial"]))
        assert {t["trial"] for t in mine[:2]} == parents & {t["trial"] for t in mine}


def test_a_complete_run_is_left_as_it_is(run):
    before = sorted(p.stat().st_mtime_ns for p in run.directory.rglob("*.parquet"))
    again = tuner.run(small.study(), run.directory)
    assert again.trials.equals(run.trials)
    after = sorted(p.stat().st_mtime_ns for p in run.directory.rglob("*.parquet"))
    assert after == before


def test_one_training_program_a_group(run):
    figures = run.figures
    assert figures["programs"] == figures["trainings_traced"] == 2


def test_figures_agree_with_the_tables(run):
    figures, rows = run.figures, run.metrics("train")
    assert figures["trial_steps"] == rows.height
    assert figures["examples"] == 32 * rows.height
    assert figures["lane_calls"] == run.metrics("valid").height
    groups = figures["groups"]
    assert set(groups) == set(run.layout)
    for name in ("lane_calls", "flops", "bytes_to_devices", "bytes_to_host"):
        assert figures[name] == sum(group[name] for group in groups.values()) > 0
    assert 0 < figures["lanes_in_use"] <= figures["occupancy"] <= 1
    assert figures["share_of_peak"] > 0


def test_broken_trials_are_data(broken):
    trials = broken.trials
    diverged = trials.filter(status="diverged")
    assert 4 <= diverged.height <= 14
    assert set(trials["status"]) == {"diverged", "complete"}
    assert diverged["diverged_step"].is_not_null().all()
    assert (diverged["step"] == diverged["diverged_step"] - 1).all()


def test_a_broken_trials_rows_end_before_it_broke(broken):
    rows = broken.metrics("train")
    assert rows["train/loss"].is_finite().all()
    last = dict(rows.group_by("trial").agg(pl.col("step").max()).iter_rows())
    for trial in broken.trials.filter(status="diverged").to_dicts():
        assert last.get(trial["trial"], 0) == trial["diverged_step"] - 1


def test_the_rate_at_which_it_broke_is_the_schedules(broken):
    for trial in broken.trials.filter(status="diverged").to_dicts():
        schedule = tuner.warmup_constant_decay(
            trial["hp.learning_rate"],
            20,
            warmup_steps=trial["hp.warmup_steps"],
            decay_fraction=0.5,
        )
        rate = schedule.rates()[trial["diverged_step"] - 1]
        assert trial["diverged_learning_rate"] == pytest.approx(rate, rel=1e-6)


def test_a_broken_trial_is_never_promoted_and_its_best_is_restorable(broken):
    trials = broken.trials.filter(status="diverged")
    longer = tuner.promote(
        broken, keep=4, max_train_steps=40, extend=tuner.LengthenConstant()
    )
    parents = set(longer.trials["parent"].drop_nulls())
    assert len(parents) == 4
    assert not parents & set(trials["trial"])
    judged = trials.filter(pl.col("best_step").is_not_null())
    for trial in judged["trial"]:
        assert all(np.isfinite(leaf).all() for leaf in _leaves(broken.restore(trial)))


def test_a_cosine_study_trains_afresh_under_the_stretched_cosine(tmp_path):
    study = small.study(
        schedule=lambda hyperparams, steps: tuner.warmup_constant_decay(
            hyperparams.learning_rate, steps, decay_fraction=1.0, decay="cosine"
        ),
        rounds=[
            tuner.Round(trials=4, max_train_steps=20),
            tuner.Round(keep=2, max_train_steps=60, extend=tuner.Stretch()),
        ],
    )
    trials = tuner.run(study, tmp_path / "cosine", layout="2x1x2").trials
    children = trials.filter(round=2)
    parents = trials.select(parent="trial", base="schedule.peak")
    assert children["resume"].to_list() == ["fresh", "fresh"]
    assert children["schedule.decay_steps"].to_list() == [60, 60]
    joined = children.join(parents, on="parent")
    assert joined["schedule.peak"].to_list() == joined["base"].to_list()


def test_points_run_beside_sampled_trials(tmp_path):
    point = {
        "activation": "tanh",
        "learning_rate": 0.01,
        "weight_decay": 0.001,
        "warmup_steps": 2,
    }
    rounds = [tuner.Round(trials=4, points=[point], max_train_steps=10)]
    study = small.study(rounds=rounds)
    trials = tuner.run(study, tmp_path / "points", layout="2x1x2").trials
    assert trials["sample"].to_list() == [0, 0, 1, 1, -1]
    last = trials.row(-1, named=True)
    assert {name: last[f"hp.{name}"] for name in point} == point


def test_asking_for_more_trials_changes_no_existing_one(run, tmp_path):
    rounds = [tuner.Round(trials=16, max_train_steps=20)]
    more = tuner.run(small.study(rounds=rounds), tmp_path / "more", layout=run.layout)
    shared = run.trials.filter(round=1).height
    assert more.trials.head(shared)["best_objective"].equals(
        run.trials.head(shared)["best_objective"]
    )
    assert (
        more.metrics("train")
        .filter(pl.col("trial") < shared)
        .equals(run.metrics("train").filter(pl.col("trial") < shared))
    )


def test_a_maximized_objective_ranks_the_other_way(tmp_path):
    study = small.study(
        space=small.space(activation="relu"), objective=tuner.Maximize("valid/error")
    )
    upside_down = tuner.run(study, tmp_path / "max", layout="2x1x2")
    first = upside_down.metrics("valid").filter(pl.col("trial") < 12)
    best = analysis.best_steps(first, "valid/error", maximize=True)
    assert upside_down.trials.head(12)["best_objective"].to_list() == (
        best["best_objective"].to_list()
    )
    assert upside_down.best["best_objective"] == first["valid/error"].max()


def _leaves(tree):
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    return [tree]


def _same(one, other):
    pairs = zip(_leaves(one), _leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_running_fewer_rounds_forgets_none(run):
    before = run.definition
    fewer = small.study(rounds=small.study().rounds[:1])
    assert tuner.run(fewer, run.directory).definition == before


def test_another_round_in_place_of_one_already_run_is_refused(run):
    first, _ = small.study().rounds
    other = tuner.Round(keep=2, max_train_steps=80, extend=tuner.Stretch())
    with pytest.raises(ValueError, match=r"rounds\[1\].keep \(4, now 2\)"):
        tuner.run(small.study(rounds=[first, other]), run.directory)
