"""Families of models, and what was measured of them."""

from dataclasses import replace

import pytest

from licgate.errors import ManifestError
from licgate.manifest import find_model, save_manifest
from licgate.manifest.family import family, measured, model_of_quality
from tests.codec.kit import model


def test_a_family_is_in_the_order_of_its_rates(tmp_path):
    def save(name, bpp, kind="bmshj2018-hyperprior", seed=0):
        results = {"set": "p", "integer": {"bpp": bpp, "psnr": 30 + bpp}} if bpp else {}
        save_manifest(replace(model(kind, seed=seed), name=name, measured=results), tmp_path / name)

    save("b", 0.5)
    save("a", 0.9, seed=1)
    save("c", 0.2, seed=2)
    save("other", 0.1, kind="he2021-checkerboard")
    save("unmeasured", 0, seed=3)
    assert [name for name, _ in family("a", folder=tmp_path)] == ["c", "b", "a"]
    assert [name for name, _ in family("other", folder=tmp_path)] == ["other"]


@pytest.mark.parametrize("results", [None, {}, {"integer": 3}, {"integer": {"bpp": "x", "psnr": 1}}, [], "text"])
def test_results_that_say_nothing(results):
    assert measured(results) is None


def test_qualities_of_the_shipped_models():
    rates = [measured(model_of_quality(quality).measured).bpp for quality in range(1, len(family()) + 1)]
    assert len(rates) > 1
    assert rates == sorted(rates)
    assert find_model().name in [name for name, _ in family()]
    for quality in (0, 99):
        with pytest.raises(ManifestError, match=rf"quality {quality} is none of this family: 1: hyperprior.* bpp, "):
            model_of_quality(quality)
