"""What cannot be resolved is refused with its key and with what it lacks."""

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sgdlab.config import register as register
from sgdlab.config.interpolation import resolve_all, seen_by_hydra, unknown_key
from sgdlab.errors import InputError


def config(text: str, **more: object) -> DictConfig:
    return OmegaConf.create({"seed": 3, "dataset": {"n": 5, "path": text, **more}})


def said(text: str, **more: object) -> str:
    own = config(text, **more)
    with pytest.raises(InputError) as refused:
        resolve_all(own, own)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("${oc.env:NO_SUCH_ONE}/a", "the environment variable NO_SUCH_ONE is not set"),
        ("a-${oc.env:NO_SUCH_ONE}-${seed}", "write ${oc.env:NO_SUCH_ONE,VALUE}"),
        ("${nosuch}/a", "nosuch: no such key"),
        ("${sed}", "sed: no such key; valid: dataset, seed"),
        ("${dataset.m}", "dataset.m: no such key in dataset; valid: n, path"),
        ("${.m}", "dataset.m: no such key in dataset"),
        ("${..sede}", "sede: no such key"),
        ("${hydra.runtime.cwd}/a", "Hydra's own are written ${hydra:runtime.cwd}"),
        ("${oc.evn:HOME}", "there is no resolver oc.evn; did you mean oc.env?"),
        ("${nosuch:3}", "there is no resolver nosuch"),
        ("${.path}", "refers to itself"),
        ("${dataset.path}", "refers to itself"),
        ("${oc.decode:'{a'}", "expecting COLON"),
        ("${oc.env:HOME,${nosuch}}-${nosuch}", "nosuch: no such key"),
    ],
)
def test_the_line_names_the_key_the_text_and_what_it_lacks(text: str, lacks: str):
    line = said(text)
    assert line.startswith(f"dataset.path={text}: ")
    assert lacks in line
    assert "\n" not in line


def test_a_circle_over_two_keys_is_named():
    assert "refers to itself" in said("${dataset.other}", other="${dataset.path}")


def test_a_value_in_a_list_is_named_by_its_place():
    own = OmegaConf.create({"model": {"hidden": [8, "${nosuch}"]}})
    with pytest.raises(InputError, match=r"^model\.hidden\.1=\$\{nosuch\}: nosuch: no such key"):
        resolve_all(own, own)


def test_hydra_stands_for_the_section_of_the_config_and_then_for_what_it_stood_before():
    own = OmegaConf.create({"hydra": {"runtime": {"cwd": "/there"}, "job": {"num": "???"}}})
    before = HydraConfig.instance().cfg
    for text, found in {"${hydra:runtime.cwd}/a": "/there/a"}.items():
        asked = config(text)
        resolve_all(asked, own)
        assert asked.dataset.path == found
    with seen_by_hydra(own):
        pass
    assert HydraConfig.instance().cfg is before


@pytest.mark.parametrize(
    ("path", "lacks"),
    [
        ("runtime.cwdd", "runtime.cwdd: no such key of Hydra's own in runtime; valid: cwd"),
        ("nosuch.cwd", "did you mean runtime.cwd?"),
        ("job.num", "hydra.job.num has no value before a run has started"),
        ("runtime.output_dir", "hydra.runtime.output_dir has no value"),
    ],
)
def test_what_hydra_does_not_have_is_named_not_null(path: str, lacks: str):
    own = OmegaConf.create({"hydra": {"runtime": {"cwd": "/there"}, "job": {"num": "???"}}})
    with pytest.raises(InputError, match=r"^dataset\.path=") as refused:
        resolve_all(config(f"${{hydra:{path}}}/a"), own)
    assert lacks in str(refused.value)


@pytest.mark.parametrize(
    ("key", "offered"),
    [
        ("a.bb.dept", "a.bb.dept: no such key in a.bb; valid: depth, width"),
        ("a.bbb.dept", "a.bbb: no such key in a; valid: bb, c"),
        ("lrr", "lrr: no such key; valid: a, lr"),
        ("x.width", "x.width: no such key; did you mean a.bb.width?"),
    ],
)
def test_an_unknown_key_is_offered_those_of_its_section(key: str, offered: str):
    valid = ["lr", "a", "a.c", "a.bb", "a.bb.depth", "a.bb.width", "a._target_"]
    assert unknown_key(key, valid) == offered
