"""The same bytes and the same pixels, whatever numpy and the library behind it do to be fast.

Each case is a process of its own, since the switches are read when the libraries are loaded. On another Python or
numpy: ``python -m tests.codec.golden_files --check``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codec.golden_files import entries

ROOT = Path(__file__).parents[2]


def checked(**switches):
    """Return what ``--check`` says under these variables."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS_", "OMP_", "NPY_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.codec.golden_files", "--check"],
        cwd=ROOT,
        env=own | switches,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("core", "threads"), [("Prescott", "2"), ("Haswell", "1")])
def test_other_kernels_and_threads_of_the_library(core, threads):
    result = checked(OPENBLAS_CORETYPE=core, OPENBLAS_NUM_THREADS=threads)
    assert result["differing"] == []
    assert result["files"] == len(entries())
    # OpenBLAS calls its oldest kernels by another name
    if result["core"] not in (core, "Katmai"):
        pytest.skip(f"numpy's library cannot run the kernels for {core} here, but {result['core'] or 'its own'}")


def test_numpy_without_its_vector_instructions():
    # the names differ from one numpy to the next; those that it does not know are told and passed over
    result = checked(NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX2 FMA3 AVX512F AVX512_SKX")
    assert result["differing"] == []
