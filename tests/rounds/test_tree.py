"""Trials that share a past train it once: a round's siblings are branches of a tree."""

import numpy as np
import polars as pl
import pytest
import small
from displays import StopAfter
from equal_runs import assert_equal, bytes_of

import tuner

RULES = {
    "LengthenConstant(decay_steps=10)": tuner.LengthenConstant(decay_steps=10),
    "LengthenConstant(decay_steps=20)": tuner.LengthenConstant(decay_steps=20),
    "Stretch()": tuner.Stretch(),
    "LengthenDecay()": tuner.LengthenDecay(),
}
EXTEND = (
    tuner.LengthenConstant(decay_steps=[10, 20]),
    tuner.Stretch(),
    tuner.LengthenDecay(),
)


def study(**changes):
    rounds = [
        tuner.Round(trials=4, max_train_steps=20),
        tuner.Round(keep=2, max_train_steps=60, extend=EXTEND),
    ]
    return small.study(**({"rounds": rounds} | changes))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "tree"
    return tuner.run(study(), directory, layout="2x1x2")


def children(run):
    return run.trials.filter(pl.col("round") == 2)


def test_each_kept_trial_goes_on_under_every_rule(run):
    of_rule = children(run).group_by("extend").agg(pl.col("parent").sort())
    parents = dict(of_rule.iter_rows())
    assert set(parents) == set(RULES)
    assert len({tuple(p) for p in parents.values()}) == 1


@pytest.mark.parametrize("name", RULES)
def test_each_is_bitwise_the_same_trial_trained_from_step_0(run, name, tmp_path):
    rule = RULES[name]
    longer = study(
        rounds=[tuner.Round(trials=4, max_train_steps=60)],
        schedule=lambda hyperparams, _: rule(small.schedule(hyperparams, 20), 60),
    )
    afresh = tuner.run(longer, tmp_path / "afresh", layout=run.layout)
    twins = afresh.trials.select("sample", "combination", twin="trial")
    mine = children(run).filter(pl.col("extend") == name)
    assert mine["resume"].to_list() == ["exact"] * 2
    for row in mine.join(twins, on=["sample", "combination"]).to_dicts():
        for table in ("train", "valid"):
            whole = run.metrics(table, lineage=True).filter(trial=row["trial"])
            again = afresh.metrics(table).filter(trial=row["twin"])
            assert whole.drop("trial").equals(again.drop("trial"))
        for what in ("best", "last"):
            ours = run.restore(row["trial"], what)
            assert bytes_of(ours) == bytes_of(afresh.restore(row["twin"], what))


def test_a_stretch_that_several_share_is_trained_once(run):
    """Every trial goes on from whoever parts from it last, at an evaluation."""
    for family in children(run).partition_by("parent"):
        agree = [_steps_at_the_peak(row) for row in family.to_dicts()]
        for row in family.to_dicts():
            others = [steps for steps in agree if steps < _steps_at_the_peak(row)]
            assert row["start_step"] == max([10, *others]) // 5 * 5
    executed = run.metrics("train").join(children(run), on="trial", how="semi")
    assert executed.height == int((60 - children(run)["start_step"]).sum())
    assert run.figures["trial_steps"] == 4 * 20 + executed.height


def _steps_at_the_peak(row):
    """Warm-up too; the first rate of a decay is the peak yet."""
    return row["hp.warmup_steps"] + row["schedule.constant_steps"] + 1


def test_interrupted_at_any_commit_it_is_the_same(run, tmp_path):
    for calls in (6, 8, 10, 12):
        tuner.run(
            study(), tmp_path / "run", layout=run.layout, display=StopAfter(calls)
        )
    again = tuner.run(study(), tmp_path / "run", layout=run.layout)
    assert_equal(run, again)


def test_a_trial_that_would_begin_from_one_that_broke_begins_earlier(tmp_path):
    """The rate is far too high from step 25 on; both siblings pass it."""

    def breaks(count):
        return 0.1 if count < 25 else 1e30

    def longer(end):
        def rule(schedule, max_train_steps):
            return lambda count: breaks(count) if count < end else 0.0

        rule.__name__ = f"until_{end}"
        return rule

    broken = small.diverging_study(
        schedule=lambda hyperparams, steps: breaks,
        rounds=[
            tuner.Round(trials=2, max_train_steps=20),
            tuner.Round(keep=1, max_train_steps=60, extend=(longer(40), longer(50))),
        ],
    )
    run = tuner.run(broken, tmp_path / "run", layout="2x1x4")
    both = children(run)
    assert both["status"].to_list() == ["diverged"] * 2
    assert both["diverged_step"].n_unique() == 1
    assert both["start_step"].max() <= 20
    curves = run.metrics("train", lineage=True)
    first, second = (curves.filter(trial=t).drop("trial") for t in both["trial"])
    assert first.equals(second)
    assert np.isfinite(first["train/loss"].to_numpy()).all()
