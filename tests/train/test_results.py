"""Curves in files: what published ones look like, and what is refused."""

import json

import pytest

from licgate.errors import TrainingError
from licgate.train.measure.results import check_writable, read_curve, result_document, write_json


def write(path, results, **more):
    path.write_text(json.dumps({"name": "codec", "description": "", "results": results, **more}))
    return path


def test_points_are_sorted_by_rate(tmp_path):
    path = write(tmp_path / "a.json", {"psnr-rgb": [39.0, 35.0, 37.0], "bpp": [2.4, 0.8, 1.2], "encoding_time": [1]})
    curve = read_curve(path)
    assert (curve.name, curve.rate, curve.quality) == ("codec", (0.8, 1.2, 2.4), (35.0, 37.0, 39.0))


def test_the_names_that_metrics_have_in_published_files(tmp_path):
    path = write(tmp_path / "a.json", {"bpp": [1, 2], "ms-ssim-rgb": [0.9, 0.99], "psnr": [30, 31]})
    assert read_curve(path, "ms-ssim-rgb").quality == pytest.approx((10, 20))
    assert read_curve(path, "psnr-rgb").quality == (30, 31)
    path = write(tmp_path / "b.json", {"bpp": [1, 2], "ms-ssim-db-rgb": [10.5, 12.3]}, name=None)
    assert read_curve(path, "ms-ssim-rgb").quality == (10.5, 12.3)
    assert read_curve(path, "ms-ssim-rgb").name == "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not JSON"),
        ('{"results": {', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[1]", "has no 'results'"),
        ('{"results": [1]}', "has no 'results'"),
        ('{"results": {}}', "has no psnr-rgb, only nothing"),
        ('{"results": {"bpp": [1], "ms-ssim-rgb": [1]}}', "has no psnr-rgb, only bpp, ms-ssim-rgb"),
        ('{"results": {"psnr-rgb": [1]}}', "has no list of bpp"),
        ('{"results": {"psnr-rgb": [], "bpp": []}}', "has no list of bpp"),
        ('{"results": {"psnr-rgb": [1], "bpp": [1, 2]}}', "has 2 numbers of bpp, but 1 of psnr-rgb"),
        ('{"results": {"psnr-rgb": ["1"], "bpp": [1]}}', "has '1' among its psnr-rgb"),
        ('{"results": {"psnr-rgb": [null], "bpp": [1]}}', "has None among its psnr-rgb"),
        ('{"results": {"psnr-rgb": [NaN], "bpp": [1]}}', "has nan among its psnr-rgb"),
        ('{"results": {"psnr-rgb": [1, 2], "bpp": [1, 0]}}', "rate of 0.0 bpp"),
    ],
)
def test_a_file_that_holds_no_curve_is_one_line(tmp_path, text, message):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TrainingError, match=message) as caught:
        read_curve(path)
    assert "\n" not in str(caught.value)


def test_a_lossless_point_has_no_decibels(tmp_path):
    path = write(tmp_path / "a.json", {"bpp": [1, 2], "ms-ssim-rgb": [0.9, 1.0]})
    with pytest.raises(TrainingError, match="without loss"):
        read_curve(path, "ms-ssim-rgb")


def test_the_document_is_compressai_s_with_one_sorted_entry_a_model():
    high = {"name": "high", "bpp": 0.8, "psnr": 33.0, "ms_ssim": 0.98, "images": []}
    low = {"name": "low", "bpp": 0.2, "psnr": 28.0, "ms_ssim": 0.92, "images": []}
    document = result_document("family", "how", [high, low])
    assert list(document) == ["name", "description", "results", "models"]
    assert document["results"] == {"bpp": [0.2, 0.8], "psnr-rgb": [28.0, 33.0], "ms-ssim-rgb": [0.92, 0.98]}
    assert [model["name"] for model in document["models"]] == ["low", "high"]
    assert "ms-ssim-rgb" not in result_document("f", "", [high, {**low, "ms_ssim": None}])["results"]


def test_what_is_written_is_read(tmp_path):
    model = {"bpp": 0.5, "psnr": 30.25, "ms_ssim": 0.95}
    write_json(tmp_path / "a.json", result_document("mine", "", [model]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    curve = read_curve(tmp_path / "a.json")
    assert (curve.name, curve.rate, curve.quality) == ("mine", (0.5,), (30.25,))


def test_a_place_that_cannot_be_written_is_known_before_the_work(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "a.json"):
        with pytest.raises(TrainingError, match="cannot write"):
            check_writable(path)
    check_writable(tmp_path / "a.json")
    with pytest.raises(TrainingError, match="cannot write"):
        write_json(tmp_path, {})
    assert not list(tmp_path.iterdir())
