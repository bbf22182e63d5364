"""Which settings of a config determine a result, whatever hand has edited it."""

from sgdlab.results import determining

CONFIG = {"lr": 0.1, "split": {"seed": 3, "vary": False, "val": 0.2}}


def test_the_seed_of_a_split_is_a_setting_unless_it_varies():
    assert determining(CONFIG)["split.seed"] == 3
    varied = {**CONFIG, "split": {**CONFIG["split"], "vary": True}}
    assert "split.seed" not in determining(varied)


def test_a_split_that_varies_without_a_seed_is_read():
    assert "split.seed" not in determining({"lr": 0.1, "split": {"vary": True, "val": 0.2}})
