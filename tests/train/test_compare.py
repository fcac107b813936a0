"""Bjøntegaard differences, against an integration of our own and curves whose difference is known."""

import argparse
import json

import numpy as np
import pytest

pytest.importorskip("bjontegaard")
from scipy.interpolate import PchipInterpolator

from licgate.errors import TrainingError
from licgate.train.measure.cli_compare import add_compare_arguments, run_compare
from licgate.train.measure.compare import bjontegaard_difference, compare_curves, comparison_text, read_curves
from licgate.train.measure.results import Curve, write_json

BASE = Curve("base", (0.12, 0.21, 0.33, 0.48, 0.67), (27.5, 29.2, 31.0, 32.8, 34.5))


def mean_difference(reference, other, low, high):
    """Mean of a pchip curve over low..high minus that of another, by the trapezoid rule on a fine grid."""
    x = np.linspace(low, high, 200_001)
    gap = PchipInterpolator(*other)(x) - PchipInterpolator(*reference)(x)
    return np.trapezoid(gap, x) / (high - low)


def test_against_an_integration_of_our_own():
    other = Curve("other", (0.15, 0.3, 0.55, 0.9), (28.0, 31.1, 34.0, 37.2))
    row = bjontegaard_difference(BASE, other)
    logs = [np.log10(c.rate) for c in (BASE, other)]
    rate = mean_difference((BASE.quality, logs[0]), (other.quality, logs[1]), 28.0, 34.5)
    psnr = mean_difference((logs[0], BASE.quality), (logs[1], other.quality), np.log10(0.15), np.log10(0.67))
    assert row["bd_rate_pchip"] == pytest.approx(100 * (10**rate - 1), abs=1e-4)
    assert row["bd_psnr_pchip"] == pytest.approx(psnr, abs=1e-5)
    assert row["bd_rate_akima"] == pytest.approx(row["bd_rate_pchip"], abs=0.3)
    assert row["bd_rate_akima"] != row["bd_rate_pchip"]
    assert row["overlap_percent"] == pytest.approx(100 * (34.5 - 28.0) / (37.2 - 27.5))


@pytest.mark.parametrize("points", [2, 3, 5])
def test_a_constant_difference_comes_out_as_it_is(points):
    base = Curve("base", BASE.rate[:points], BASE.quality[:points])
    dearer = Curve("dearer", tuple(1.1 * r for r in base.rate), base.quality)
    better = Curve("better", base.rate, tuple(q + 0.4 for q in base.quality))
    for method in ("pchip", "akima"):
        assert bjontegaard_difference(base, dearer)[f"bd_rate_{method}"] == pytest.approx(10)
        assert bjontegaard_difference(base, better)[f"bd_psnr_{method}"] == pytest.approx(0.4)
        assert bjontegaard_difference(base, base)[f"bd_rate_{method}"] == pytest.approx(0)
    assert bjontegaard_difference(base, dearer)["overlap_percent"] == pytest.approx(100)


def test_ranges_without_overlap_have_no_figure_but_a_note():
    far = Curve("far", (2.0, 3.0, 4.0, 5.0), (40.0, 41.0, 42.0, 43.0))
    rows, notes = compare_curves([BASE, far, BASE])
    assert rows[0]["bd_rate_pchip"] is rows[0]["bd_psnr_akima"] is None
    assert rows[0]["overlap_percent"] == 0
    assert rows[1]["bd_rate_pchip"] == pytest.approx(0)
    assert notes == ["far shares no quality with base: no BD-rate"]
    assert " - " in comparison_text(BASE, rows, "psnr-rgb").splitlines()[3]
    with pytest.raises(TrainingError, match="base has neither a rate nor a quality in common with far"):
        compare_curves([BASE, far])


def test_a_single_point_is_compared_at_its_own_rate():
    point = Curve("point", (0.33,), (31.5,))
    rows, notes = compare_curves([BASE, point])
    assert rows[0]["at_rates"] == pytest.approx([0.5])
    assert rows[0]["bd_rate_pchip"] is None
    assert notes == ["point has 1 of the 4 points that one should have: no BD figures"]
    assert comparison_text(BASE, rows, "psnr-rgb").endswith("point: +0.500 dB at its own rate")
    with pytest.raises(TrainingError, match="neither a rate nor a quality"):
        compare_curves([BASE, Curve("point", (5.0,), (31.5,))])
    with pytest.raises(TrainingError, match="point has one point: a reference needs two"):
        compare_curves([point, BASE])


@pytest.mark.parametrize(
    ("rate", "quality"),
    [((0.1, 0.2, 0.3), (30.0, 29.0, 31.0)), ((0.1, 0.1, 0.3), (30.0, 30.5, 31.0)), ((0.1, 0.2), (30.0, 30.0))],
)
def test_a_curve_that_does_not_rise_is_refused(rate, quality):
    with pytest.raises(TrainingError, match=r"curve bent does not rise from \(0\.1000 bpp, 30\.000 dB\)"):
        compare_curves([BASE, Curve("bent", rate, quality)])


def test_one_curve_alone_is_refused():
    with pytest.raises(TrainingError, match="nothing to be compared with"):
        compare_curves([BASE])


def files(folder, *curves, names=None):
    paths = []
    for i, curve in enumerate(curves):
        results = {"bpp": list(reversed(curve.rate)), "psnr-rgb": list(reversed(curve.quality))}
        write_json(folder / f"c{i}.json", {"name": curve.name, "results": results})
        paths.append(str(folder / f"c{i}.json"))
    return paths


def run(*words):
    parser = argparse.ArgumentParser()
    add_compare_arguments(parser)
    return run_compare(parser.parse_args([str(word) for word in words]))


def test_curves_of_one_name_are_told_apart_by_their_files(tmp_path):
    paths = files(tmp_path, BASE, BASE, Curve("other", BASE.rate, BASE.quality))
    assert [curve.name for curve in read_curves(paths, "psnr-rgb")] == ["base (c0)", "base (c1)", "other"]


def test_the_verb_prints_a_table_and_writes_json_and_plots(tmp_path, capsys):
    dearer = Curve("dearer", tuple(1.1 * r for r in BASE.rate), BASE.quality)
    paths = files(tmp_path, BASE, dearer, Curve("point", (0.3,), (31.5,)))
    assert run(*paths, "--json", tmp_path / "out.json", "--plot", tmp_path / "a.svg", "--max-rate", "0.5") == 0
    printed = capsys.readouterr()
    assert "+10.00" in printed.out
    assert "100.0" in printed.out
    assert printed.err.startswith("licgate: note: point has 1 of")
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["reference"] == "base"
    assert document["curves"][0]["bd_rate_pchip"] == pytest.approx(10)
    first = (tmp_path / "a.svg").read_bytes()
    assert b"<svg" in first
    run(*paths, "--plot", tmp_path / "a.svg", "--max-rate", "0.5")
    assert (tmp_path / "a.svg").read_bytes() == first
    run(*paths, "--plot", tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.PNG", "a.svg", "c0.json", "c1.json", "c2.json", "out.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "FOLDER/a.gif"], r"a\.gif ends in none of \.svg"),
        (["--plot", "FOLDER/none/a.svg"], "its folder is missing"),
        (["--json", "FOLDER"], "it is a folder"),
        (["--max-rate", "0"], "not positive"),
        (["--max-rate", "nan"], "not positive"),
        (["--plot", "FOLDER/a.svg", "--max-rate", "0.01"], r"no curve has a point up to 0\.01 bpp"),
        (["--metric", "ms-ssim-rgb"], "has no ms-ssim-rgb, only bpp, psnr-rgb"),
        (["FOLDER/none.json"], "cannot be read"),
    ],
)
def test_bad_use_is_one_line_and_leaves_nothing(tmp_path, words, message):
    paths = files(tmp_path, BASE, BASE)
    with pytest.raises(TrainingError, match=message) as caught:
        run(*paths, *(word.replace("FOLDER", str(tmp_path)) for word in words))
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c0.json", "c1.json"]


@pytest.mark.needs_shared_data
def test_every_published_curve_is_read_and_rises(kodak):
    published = sorted((kodak.parent / "rd").rglob("*.json"))
    assert published
    for path in published:
        metric = "ms-ssim-rgb" if path.stem.endswith("_ms-ssim") else "psnr-rgb"
        curves = read_curves([path, path], metric)
        rows, _ = compare_curves(curves)
        assert rows[0]["bd_rate_akima"] == pytest.approx(0, abs=1e-9), path.name


@pytest.mark.needs_shared_data
def test_the_hyperprior_beats_jpeg_2000_by_what_is_known(kodak):
    names = ("jpeg2000", "compressai-bmshj2018-hyperprior_mse_cpu")
    curves = read_curves([kodak.parent / "rd" / "kodak" / f"{name}.json" for name in names], "psnr-rgb")
    (row,), notes = compare_curves(curves)
    assert row["bd_rate_pchip"] == pytest.approx(-32.7, abs=0.1)
    assert not notes
