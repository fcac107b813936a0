"""One result, whatever multiplies: other kernels of OpenBLAS, other loops of numpy, any number of threads."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.manifest import find_model
from licgate.reference import blas, run_transform

DIGEST = """
import hashlib, numpy as np
from licgate.manifest import find_model
from licgate.reference import code_latents, run_transform
model = find_model(None)
x = np.random.default_rng(0).integers(0, 256, (3, 128, 192))
y = run_transform(model.g_a, x, threads={threads})
found = code_latents(model, y)
parts = y, *found, run_transform(model.g_s, found[3], threads={threads})
print(hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest())
"""


def digest(threads, **environment):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_", "NPY_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST.format(threads=threads)],
        check=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=env | environment,
        capture_output=True,
    )
    return done.stdout.strip()


def test_every_path_gives_the_same():
    found = {
        "as it is": digest(1),
        "two threads": digest(2, OPENBLAS_NUM_THREADS="2"),
        "plain kernels, one thread": digest(1, OPENBLAS_CORETYPE="Prescott", OPENBLAS_NUM_THREADS="1"),
        "no fused products": digest(2, OPENBLAS_CORETYPE="Sandybridge"),
        "fused products": digest(1, OPENBLAS_CORETYPE="Haswell"),
        "numpy without its wide loops": digest(2, NPY_DISABLE_CPU_FEATURES="AVX2 FMA3 AVX512F AVX512_SKX"),
    }
    assert len(set(found.values())) == 1, found
    assert len(found["as it is"]) == 64


def test_products_that_are_not_exact_are_refused(monkeypatch):
    matmul = np.matmul

    def reduced(a, b, **more):
        """Drop the low bits of float32, as reduced-precision modes do."""
        if a.dtype == np.float32:
            a, b = ((v.view(np.int32) & ~0xFFFF).view(np.float32) for v in (a, b))
        return matmul(a, b, **more)

    g_a = find_model(None).g_a
    monkeypatch.setattr(np, "matmul", reduced)
    blas.check_products.cache_clear()
    with pytest.raises(ConfigError, match="float32 matrix products are not exact"):
        run_transform(g_a, np.zeros((3, 16, 16), np.uint8))
    monkeypatch.undo()
    blas.check_products()


@pytest.mark.skipif(blas.thread_controls() is None, reason="numpy has no OpenBLAS here")
def test_the_library_gets_its_threads_back():
    get, put = blas.thread_controls()
    before = get()
    put(2)
    try:
        seen, inside, leave = [], threading.Event(), threading.Event()

        def other():
            with blas.one_thread():
                inside.set()
                leave.wait(10)

        with blas.one_thread():
            thread = threading.Thread(target=other)
            thread.start()
            inside.wait(10)
            seen.append(get())
        # the other one is still at work
        seen.append(get())
        leave.set()
        thread.join()
        with pytest.raises(ZeroDivisionError), blas.one_thread():
            1 / 0  # noqa: B018
        assert [*seen, get()] == [1, 1, 2]
    finally:
        put(before)
