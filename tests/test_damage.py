"""Damaged run directories, by a seed: the right answer, or an error naming the file.

`scripts/endure damage` tries as many as one likes.
"""

import random
import shutil

import damaging
import pytest

SEEDS = range(300)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What is wrong with how damaged runs are read and written, by seed."""
    folder, right = tmp_path_factory.mktemp("damaged"), damaging.truth()
    found, ways = {}, set()
    for seed in SEEDS:
        run = folder / str(seed)
        done, changed = damaging.damage(seed, run)
        ways.update(line.split()[0] for line in done)
        wrong = [*damaging.complaints(run, changed, right, random.Random(seed))]
        if seed % 5 == 0:
            wrong += damaging.losses(run, changed)
        if wrong:
            found[seed] = done, wrong
        shutil.rmtree(run)
    assert len(ways) == len(set(damaging.WAYS)) + 1  # and journals
    return found


@pytest.mark.slow
def test_a_damaged_run_gives_the_right_answer_or_an_error_that_names_the_file(tried):
    assert tried == {}


def test_a_sound_run_answers_all_that_is_asked(tmp_path):
    """So that no question is wrong of every run."""
    right = damaging.truth()
    shutil.copytree(damaging.KEPT, tmp_path / "run")
    answers = damaging.readers(tmp_path / "run")
    assert {name: damaging._asked(read)[0] for name, read in answers.items()} == right
    assert right["report"] is True
