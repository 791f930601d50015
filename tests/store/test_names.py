import pytest

from tuner.store.names import check_known


def test_a_known_name_passes():
    check_known("fruit", "fig", ("apple", "fig"))


def test_an_unknown_name_is_told_the_nearest_first():
    message = "`fruit` must be one of 'fig', 'kiwi', 'apple', but got 'fgi'"
    with pytest.raises(ValueError, match=message):
        check_known("fruit", "fgi", ("apple", "fig", "kiwi"))
