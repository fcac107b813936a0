"""What the host link, and compiled simulation, cannot carry is refused before anything is made."""

import argparse

import pytest

from licgate.backends import get_backend
from licgate.cli import main
from licgate.cli_simulate import add_simulate_arguments
from licgate.errors import ConfigError
from licgate.manifest import save_manifest, sealed
from licgate.manifest.synthetic import synthetic_manifest


@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (4, 32)])
def test_a_build_of_other_than_three_colours_is_one_line(tmp_path, capsys, channels, bits):
    save_manifest(synthetic_manifest(channels=(channels, 4, 4)), tmp_path / "m")
    words = ["build", "--board", "ulx3s-85f", "--rows", "2", "--cols", "2", "--model", str(tmp_path / "m")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        f"licgate: error: model synthetic-0: a pixel of g_a has {bits} bits, the host link carries 24, three colours "
        "of 8; build it with --memory sdram or axi\n"
    )
    assert not (tmp_path / "out").exists()


def test_wide_pixels_do_not_go_through_cxxrtl():
    parser = argparse.ArgumentParser()
    add_simulate_arguments(parser)
    args = parser.parse_args(["--rows", "2", "--cols", "2"])
    manifest = sealed(synthetic_manifest(channels=(5, 4, 4)))
    with pytest.raises(ConfigError, match=r"^a pixel of g_a has 40 bits, more than the 32 .*: take --engine amaranth$"):
        get_backend("chip").simulate(args, manifest, ("g_a",))
    args.engine = "amaranth"
    assert get_backend("chip").simulate(args, manifest, ("g_a",)) is not None
