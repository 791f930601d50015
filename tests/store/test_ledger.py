import pytest


def test_an_unknown_status_is_refused(row):
    message = "`status` must be one of 'complete', .*, but got 'completed'"
    with pytest.raises(ValueError, match=message):
        row(1, status="completed")


def test_an_unknown_way_to_resume_is_refused(row):
    with pytest.raises(ValueError, match="`resume` must be one of 'exact', 'fresh'"):
        row(1, resume="exactly")
