"""Builds on a real Dask cluster of this machine: workers that die, builds given up, a scheduler that is gone."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from licgate.errors import ToolError
from licgate.explore.route import route_shapes
from licgate.explore.scheduler import Cluster, connect
from licgate.explore.space import Space
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import BUILD, tiny_board, tiny_model

# the cluster's own warnings are no business of this package
pytestmark = [pytest.mark.needs_dask, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).resolve().parents[2]

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""

# the first try takes its worker with it
DEADLY = """
import os, pathlib, signal, sys
mark = pathlib.Path(sys.argv[4])
if not mark.exists() or sys.argv[5] == "always":
    mark.touch()
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(1)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two workers in processes of their own; its address, and the process that ends it."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "cluster.py").write_text(CLUSTER)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "cluster.py"],
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    yield process.stdout.readline().strip(), process
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture
def space():
    return Space(tiny_model(), tiny_board(), "analysis", 32, 16)


@pytest.fixture
def shapes(space):
    return [space.candidate(AcceleratorConfig(rows=rows, cols=2, max_width=32)) for rows in (1, 2, 3, 4)]


def routed(space, shapes, out, cluster, scripts, say=lambda line: None):
    def command(space, candidate, model, clock_mhz, seeds, folder):
        code, line, script, *more = scripts[candidate.config.rows]
        return ["python", "-c", script + BUILD, str(folder), str(code), line, *more]

    run = partial(cluster.run, manifest=space.manifest)
    said = []

    def hear(line):
        said.append(line)
        say(line)

    return route_shapes(space, shapes, out=out, clock_mhz=90.0, command=command, say=hear, run=run), said


def test_dead_workers_and_failed_builds_lose_no_other(cluster, space, shapes, tmp_path):
    scripts = {
        1: (0, "fine", DEADLY, str(tmp_path / "once"), "once"),
        2: (2, "licgate: error: yosys failed", ""),
        3: (0, "fine", DEADLY, str(tmp_path / "always"), "always"),
        4: (4, "licgate: error: timing not met", ""),
    }
    with connect(cluster[0]) as own:
        results, _ = routed(space, shapes, tmp_path / "out", own, scripts)
        assert [(r["status"], r["why"]) for r in results] == [
            ("met", ""),
            ("failed", "yosys failed"),
            ("failed", "the workers that tried it died, one after the other"),
            ("missed", "timing not met"),
        ]
        assert results[0]["cells"] == {"MULT18X18D": 4}
        assert (tmp_path / "out" / results[0]["key"] / "report.json").is_file()
        # a second run has only the failed ones to do
        again, said = routed(space, shapes, tmp_path / "out", own, {2: (0, "fine", ""), 3: (0, "fine", "")})
    assert [r["status"] for r in again] == ["met", "met", "met", "missed"]
    assert sum("sent to" in line for line in said) == 2


def test_what_is_given_up_is_ended_on_the_worker(cluster, space, shapes, tmp_path):
    mark = tmp_path / "pid"
    script = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(600)"

    def interrupt(line):
        if mark.exists() and mark.read_text():
            raise KeyboardInterrupt

    with connect(cluster[0]) as own:
        lively = Cluster(own.client, "it", heartbeat=0.05)
        with pytest.raises(KeyboardInterrupt):
            routed(space, shapes[:1], tmp_path / "out", lively, {1: (0, "", script)}, interrupt)
    until = time.monotonic() + 30
    while Path(f"/proc/{mark.read_text()}").exists():
        assert time.monotonic() < until, "the build goes on"
        time.sleep(0.1)


def test_a_scheduler_that_is_gone_leaves_what_there_is(cluster, space, shapes, tmp_path):
    """The last of the file: it ends the cluster."""
    address, process = cluster
    mark = tmp_path / "begun"
    script = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(600)"
    scripts = {1: (0, "fine", ""), 2: (0, "", script)}

    def end(line):
        # one build has come back, the other one runs
        if mark.exists() and any((tmp_path / "out").rglob("report.json")) and process.poll() is None:
            process.kill()
            process.wait()

    with connect(address) as own:
        cluster = Cluster(own.client, address, deserted=2, heartbeat=0.5)
        results, _ = routed(space, shapes[:2], tmp_path / "out", cluster, scripts, end)
    assert [r["status"] for r in results] == ["met", "failed"]
    assert results[1]["why"] in ("the scheduler lost it", f"there was no worker at {address} for 2 s")
    start = time.monotonic()
    with pytest.raises(ToolError, match=f"^no Dask scheduler answers at {address} within 1 s: start one"):  # noqa: SIM117
        with connect(address, timeout=1):
            pass
    assert time.monotonic() - start < 15
