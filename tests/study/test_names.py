from tuner.study.names import nearest_first, unknown


def test_the_most_similar_name_comes_first():
    assert nearest_first("cosin", ["linear", "none", "cosine"])[0] == "cosine"


def test_names_without_likeness_keep_their_order():
    assert nearest_first("zzz", ["b", "a", "c"]) == ["b", "a", "c"]


def test_the_sentence_names_all_that_is_known():
    assert unknown("role", "fix", ["nuisance", "fixed"]) == (
        "unknown role 'fix': did you mean 'fixed'? Known: 'fixed', 'nuisance'"
    )


def test_where_nothing_is_known_nothing_is_suggested():
    assert unknown("role", "fix", []) == "unknown role 'fix'. Known: none"
