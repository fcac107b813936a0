"""The accelerator as compiled C++, by CXXRTL or Verilator, for whole photographs."""

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from licgate.caches import cache_folder
from licgate.errors import SimulationError, ToolError
from licgate.resources import simulation_source
from licgate.runtime.outcome import Outcome
from licgate.sim.engine import PATIENCE, armed, check_outcome
from licgate.sim.faults import STREAMS, seeds
from licgate.sim.form import RTL, form_of, make_model
from licgate.sim.verilator import runtime_arguments, verilator_command
from licgate.synth.toolchain import YOSYS, cxxrtl_runtime
from licgate.target.registermap import c_header

__all__ = ["build", "run", "run_harness"]

HARNESS = simulation_source("harness.cpp")
# programs by their accelerator, which can be converted only once
_built, _building = WeakKeyDictionary(), threading.Lock()
_FLAGS = ("-std=c++17", "-DNDEBUG", "-fno-strict-aliasing")


def run(accelerator, job, progress=None, *, patience=PATIENCE, engine="cxxrtl"):
    """Run a job; see :func:`licgate.sim.engine.get_engine`."""
    writes, reads = armed(accelerator, job.registers, patience)
    coins = [0] * len(STREAMS) if job.faults is None else seeds(job.faults)
    program = build(accelerator, form=form_of(engine, job.random))
    # a width of 0 announces values that are no picture
    header = [len(writes), job.words.shape[1] if job.words.ndim == 2 else 0, patience, len(reads), *coins]
    header += [*(v for pair in writes for v in pair), *reads]
    words = np.concatenate([np.array(header, dtype="<u4"), job.words.ravel().astype("<u4")])
    result = run_harness(program, words.tobytes(), seed=job.random, progress=progress).astype(np.int64)
    hung, clashes, status, patches, latents = result[:5].tolist()
    read, rest = result[5 : 5 + len(reads)].tolist(), result[5 + len(reads) :]
    counters = check_outcome(accelerator, hung=bool(hung), status=status, values=read, patience=patience)
    if job.random is not None:
        counters["clashes"] = clashes
    values = rest[4 * patches :]
    if len(values) != latents:
        raise ToolError(f"the simulation's result holds {len(values)} latents and announces {latents}")
    low = (values & 0xFFFF).astype(np.uint16).view(np.int16).astype(np.int64)
    return Outcome(rest[: 4 * patches].reshape(-1, 4), low, (values >> 16 & 1) != 0, counters)


def run_harness(program, job, *, seed=None, broken="", progress=None):
    """Run a compiled harness on the bytes of its job; return what it wrote, uint32.

    ``seed`` is that of `Form.random`. ``broken`` begins the message when the harness says that a rule of the memory was
    broken, by exit code 3. Its standard output is lines of how far it is, for ``progress``.
    """
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        job_file, result_file = Path(folder, "job"), Path(folder, "result")
        job_file.write_bytes(job)
        command = [program, job_file, result_file, *([] if seed is None else [str(seed)])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                for line in process.stdout:
                    if progress is not None:
                        progress(int(line))
                said, code = process.stderr.read().strip(), process.wait()
            finally:
                process.kill()
        if code == 3:
            raise SimulationError(f"{broken}: {said}")
        if code or not result_file.exists():
            told = f": {said.splitlines()[-1]}" if said else ""
            raise ToolError(f"the simulation ended with exit code {code} and no result{told}")
        return np.frombuffer(result_file.read_bytes(), dtype="<u4")


def build(accelerator, harness=HARNESS, form=RTL):
    """Compile the model with a harness, or find it in the cache; return the program's path.

    Parameters
    ----------
    accelerator : Component
        It takes one form only.
    harness : Path
    form : Form
        What becomes of it.

    Raises
    ------
    ConfigError
        What the form asks for does not exist of it.
    ToolError, BuildError
        Yosys, nextpnr, Verilator or g++ is missing, or one of them fails.
    """
    with _building:
        if accelerator not in _built:
            _built[accelerator] = _compiled(accelerator, harness, form)
        return _built[accelerator]


def _compiled(accelerator, harness, form):
    yosys = YOSYS.find()
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        raise ToolError("g++ is missing; install it (Debian: apt install g++), or name a C++17 compiler in CXX")
    model = make_model(accelerator, form)
    headers, registers = sorted(harness.parent.glob("*.hpp")), c_header()
    sources = [registers, *(source.read_text(encoding="utf-8") for source in (harness, *headers))]
    # the user's come last, and win
    flags = (*_FLAGS, *model.flags, *shlex.split(os.environ.get("CXXFLAGS", "")))
    parts = (*model.files.values(), *sources, model.script, " ".join(flags), yosys.identity, compiler, *model.verilator)
    parts += tuple(verilator_command(model.verilator)) if model.verilator else ()
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    program = cache_folder("cxxrtl") / digest / "model"
    if program.exists():
        with contextlib.suppress(OSError):  # another user's
            os.utime(program.parent)
        return program
    with tempfile.TemporaryDirectory(prefix="licgate-") as folder:
        folder = Path(folder)
        for name, text in (model.files | {"registers.h": registers}).items():
            (folder / name).write_text(text, encoding="utf-8")
        # YoWASP sees its working folder, but not the system's temporary one by an absolute path
        _call(YOSYS.command("-q", "-l", "log", "-p", model.script), "yosys", folder, YOSYS.environment())
        if model.verilator:
            _call(verilator_command(model.verilator), "verilator", folder)
            runtime = runtime_arguments(model.verilator, folder)
        else:
            runtime = [f"-I{cxxrtl_runtime()}"]
        command = [compiler, *flags, f"-I{folder}", *runtime, str(harness), "-o", str(folder / "model")]
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
        # a compiler's last line counts its errors
        errors = [line for line in output if "error:" in line.lower()] or output[-1:]
        raise ToolError(f"{name} failed: {errors[0] if errors else f'exit code {done.returncode}'}")
