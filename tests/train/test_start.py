"""What training asks of the machine: memory that is kept, bfloat16 where there are units for it."""

import platform
import subprocess
import sys

import pytest
import torch

from licgate.train import precision
from licgate.train.start import keep_memory

FAULTS = """
import resource, sys, numpy
if sys.argv[1:]:
    from licgate.train.start import keep_memory
    assert keep_memory()
def touch():
    return sum(float(numpy.ones(800_000)[-1]) for _ in range(50))
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again_without_page_faults():
    found = [
        int(subprocess.run([sys.executable, "-c", FAULTS, *words], capture_output=True, text=True, check=True).stdout)
        for words in ((), ("keep",))
    ]
    assert found[1] < 100 < found[0] or max(found) < 100


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_memory() is False


@pytest.mark.parametrize(("flags", "answer"), [("fpu avx512f", False), ("fpu amx_bf16 x", True), (None, False)])
def test_bfloat16_is_for_processors_that_have_units_for_it(tmp_path, monkeypatch, flags, answer):
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor : 0\nflags\t\t: {flags}\nprocessor : 1\n")
    read = precision.cpu_flags.__wrapped__
    monkeypatch.setattr(precision, "cpu_flags", lambda: read(path))
    assert precision.has_bfloat16(torch.device("cpu")) is answer
