"""CXXRTL: the accelerator as compiled C++, for whole photographs."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from amaranth.back import rtlil

from licgate.caches import cache_folder
from licgate.errors import ToolError
from licgate.resources import simulation_source
from licgate.sim.engine import PATIENCE, Outcome, armed, check_outcome
from licgate.sim.faults import STREAMS, seeds
from licgate.synth.toolchain import YOSYS, cxxrtl_runtime
from licgate.target.registermap import c_header

__all__ = ["build", "run"]

HARNESS = simulation_source("harness.cpp")
# programs by their accelerator, which can be converted only once
_built, _building = WeakKeyDictionary(), threading.Lock()
_FLAGS = ("-std=c++17", "-O2", "-DNDEBUG", "-fno-strict-aliasing")


def run(accelerator, job, progress=None, *, patience=PATIENCE):
    """Run a job; see :func:`licgate.sim.engine.get_engine`."""
    writes, reads = armed(accelerator, job.registers, patience)
    coins = [0] * len(STREAMS) if job.faults is None else seeds(job.faults)
    program = build(accelerator)
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        job_file, result_file = Path(folder, "job"), Path(folder, "result")
        # a width of 0 announces values that are no picture
        header = [len(writes), job.words.shape[1] if job.words.ndim == 2 else 0, patience, len(reads), *coins]
        header += [*(v for pair in writes for v in pair), *reads]
        words = np.concatenate([np.array(header, dtype="<u4"), job.words.ravel().astype("<u4")])
        job_file.write_bytes(words.tobytes())
        process = subprocess.Popen([program, job_file, result_file], stdout=subprocess.PIPE, text=True)
        try:
            for line in process.stdout:
                if progress is not None:
                    progress(int(line))
            code = process.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if code or not result_file.exists():
            raise ToolError(f"the simulation ended with exit code {code} and no result")
        result = np.frombuffer(result_file.read_bytes(), dtype="<u4").astype(np.int64)
    hung, status, patches, latents = result[:4].tolist()
    read, rest = result[4 : 4 + len(reads)].tolist(), result[4 + len(reads) :]
    counters = check_outcome(accelerator, hung=bool(hung), status=status, values=read, patience=patience)
    values = rest[4 * patches :]
    if len(values) != latents:
        raise ToolError(f"the simulation's result holds {len(values)} latents and announces {latents}")
    low = (values & 0xFFFF).astype(np.uint16).view(np.int16).astype(np.int64)
    return Outcome(rest[: 4 * patches].reshape(-1, 4), low, (values >> 16 & 1) != 0, counters)


def build(accelerator, harness=HARNESS):
    """Compile the model with a harness, or find it in the cache; return the program's path.

    Raises
    ------
    ToolError
        Yosys or g++ is missing, or one of them fails.
    """
    with _building:
        if accelerator not in _built:
            _built[accelerator] = _compiled(accelerator, harness)
        return _built[accelerator]


def _compiled(accelerator, harness):
    yosys = YOSYS.find()
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        raise ToolError("g++ is missing; install it (Debian: apt install g++), or name a C++17 compiler in CXX")
    text = rtlil.convert(accelerator, name="top", emit_src=False)
    headers, registers = sorted(harness.parent.glob("*.hpp")), c_header()
    sources = [registers, *(source.read_text(encoding="utf-8") for source in (harness, *headers))]
    parts = (text, *sources, " ".join(_FLAGS), yosys.identity, compiler)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    program = cache_folder("cxxrtl") / digest / "model"
    if program.exists():
        with contextlib.suppress(OSError):  # another user's
            os.utime(program.parent)
        return program
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        folder = Path(folder)
        (folder / "top.il").write_text(text)
        (folder / "registers.h").write_text(registers, encoding="utf-8")
        # YoWASP sees its working folder, but not the system's temporary one by an absolute path
        script = "read_rtlil top.il; write_cxxrtl -O6 -g0 model.cc"
        _call(YOSYS.command("-q", "-l", "log", "-p", script), "yosys", folder, YOSYS.environment())
        include = [f"-I{folder}", f"-I{cxxrtl_runtime()}"]
        command = [compiler, *_FLAGS, *include, str(harness), "-o", str(folder / "model")]
        _call(command, compiler, folder)
        program.parent.mkdir(parents=True, exist_ok=True)
        temporary = program.with_name(f"model.{os.getpid()}")
        shutil.copy(folder / "model", temporary)
        temporary.replace(program)
    return program


def _call(command, name, folder, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        log = folder / "log"
        output = (done.stderr or (log.read_text() if log.exists() else "")).strip().splitlines()
        raise ToolError(f"{name} failed: {output[-1] if output else f'exit code {done.returncode}'}")
