import polars as pl

from tuner.analysis.curves import mean_by_stretch, own_curves, roots, with_lineage

# trial 1 was promoted from trial 0 at step 2, trial 2 from trial 1 at step 3
TREE = pl.DataFrame(
    {"trial": [0, 1, 2, 3], "parent": [None, 0, 1, None], "start_step": [0, 2, 3, 0]},
    schema={"trial": pl.Int32, "parent": pl.Int32, "start_step": pl.Int32},
)


def curve(trial, steps, losses):
    schema = {"trial": pl.Int32, "step": pl.Int32, "loss": pl.Float64}
    rows = [(trial, step, loss) for step, loss in zip(steps, losses, strict=True)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_trial_belongs_to_the_first_of_its_line():
    assert roots(TREE).rows() == [(0, 0), (1, 0), (2, 0), (3, 3)]


def test_no_trials_have_no_roots():
    assert roots(TREE.head(0)).is_empty()


def test_a_branch_begins_where_it_leaves_its_parents_curve():
    rows = [curve(0, [1, 2, 3], [9, 8, 7]), curve(1, [3, 4], [6, 5])]
    whole = with_lineage(pl.concat(rows), TREE)
    own = own_curves(whole, TREE).filter(trial=1)
    assert own.select("step", "loss").rows() == [(2, 8), (3, 6), (4, 5)]


def test_a_first_trial_has_its_whole_curve():
    whole = curve(3, [1, 2], [9, 8])
    assert own_curves(whole, TREE).equals(whole)


def test_a_mean_stands_at_the_end_of_its_stretch():
    rows = curve(0, [1, 2, 3, 4, 5], [8, 6, 4, 2, 1])
    means = mean_by_stretch(rows, "loss", 2)
    assert means.rows() == [(0, 2, 7), (0, 4, 3), (0, 5, 1)]


def test_stretches_of_one_step_change_nothing():
    rows = curve(0, [3, 4, 5], [8, 6, 4])
    assert mean_by_stretch(rows, "loss", 1).equals(rows)
