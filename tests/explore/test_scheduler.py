"""Builds on a cluster: what comes back, what is lost with a worker (nothing), and what is said without a cluster."""

import json
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from licgate import __version__
from licgate.cli import main
from licgate.errors import ConfigError, ToolError
from licgate.explore import worker
from licgate.explore.route import route_shapes
from licgate.explore.scheduler import Cluster, connect
from licgate.explore.space import Space
from licgate.manifest import load_manifest, save_manifest
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.explore.kit import BUILD, OWN_BOARD, tiny_board, tiny_model

ADDRESS = "tcp://stub:8786"


@pytest.fixture
def space():
    return Space(tiny_model(), tiny_board(), "analysis", 32, 16)


@pytest.fixture
def shapes(space):
    return [space.candidate(AcceleratorConfig(rows=rows, cols=2, max_width=32)) for rows in (1, 2, 3)]


class Stub:
    """A client whose only worker is a thread of this process; of what it is told to lose, nothing comes back."""

    def __init__(self, workers=1, lose=()):
        self.pool, self.workers, self.lose = ThreadPoolExecutor(1), workers, dict(lose)
        self.keys, self.cancelled = [], []

    def submit(self, function, *args, key, pure):
        assert pure is False
        self.keys.append(key)
        if not self.workers:
            return Future()
        error = self.lose.get(len(self.keys))
        if error is not None:
            lost = Future()
            lost.set_exception(error)
            return lost
        return self.pool.submit(function, *args)

    def nthreads(self):
        return dict.fromkeys(range(self.workers), 1)

    def cancel(self, futures):
        self.cancelled += futures


def routed(space, shapes, out, outcomes, client, **options):
    said = []

    def command(space, candidate, model, clock_mhz, seeds, folder):
        code, line = outcomes[candidate.config.rows]
        # a worker has its own model, and its own folder
        assert (model, str(folder)) == (worker.MODEL, worker.OUT)
        return ["/no/such/python", "-c", BUILD, str(folder), str(code), line]

    cluster = Cluster(client, ADDRESS, **options)
    run = partial(cluster.run, manifest=space.manifest)
    return route_shapes(space, shapes, out=out, clock_mhz=90.0, command=command, say=said.append, run=run), said


def test_results_come_back_to_the_callers_folder_and_a_second_run_goes_on(space, shapes, tmp_path):
    outcomes = {1: (0, "fine"), 2: (2, "licgate: error: yosys failed"), 3: (4, "licgate: error: timing not met")}
    client, out = Stub(), tmp_path / "out"
    results, said = routed(space, shapes, out, outcomes, client)
    assert [(r["status"], r["why"]) for r in results] == [
        ("met", ""),
        ("failed", "yosys failed"),
        ("missed", "timing not met"),
    ]
    assert [r.get("clock_mhz") for r in results] == [90.0, None, 94.0]
    for result in results:
        key = result["key"]
        assert f"{key}: sent to {ADDRESS}" in said
        assert json.loads((out / f"{key}.json").read_text()) == result
        assert (out / f"{key}.log").read_text().startswith("begun\n")
        assert (out / key / "report.json").is_file() == (result["status"] != "failed")
    assert any(line.endswith("failed: yosys failed (2 of 3)") for line in said)
    assert not list(out.rglob("*.tmp"))
    again, _ = routed(space, shapes, out, outcomes | {2: (0, "fine")}, client)
    assert [r["status"] for r in again] == ["met", "met", "missed"]
    assert len(client.keys) == len(set(client.keys)) == 4  # a key of its own for the second try


def test_a_board_of_ones_own_travels_with_the_builds(tmp_path):
    (tmp_path / "mine.py").write_text(OWN_BOARD)
    board = find_board(str(tmp_path / "mine.py"))
    space = Space(tiny_model(), board, "analysis", 32, 16)
    shape = space.candidate(AcceleratorConfig(rows=1, cols=2, max_width=32))
    code = "import pathlib, sys; out = pathlib.Path(sys.argv[1]); out.mkdir()\n"
    code += "(out / 'board').write_bytes(pathlib.Path(sys.argv[4]).read_bytes())\n" + BUILD

    def command(space, candidate, model, clock_mhz, seeds, folder, board=None):
        return ["/no/such/python", "-c", code, str(folder), "0", "fine", board]

    run = partial(Cluster(Stub(), ADDRESS).run, manifest=space.manifest, board=board.own_file)
    (result,) = route_shapes(
        space, [shape], out=tmp_path / "out", clock_mhz=90.0, command=command, say=lambda line: None, run=run
    )
    assert result["status"] == "met"
    assert (tmp_path / "out" / result["key"] / "board").read_text() == OWN_BOARD


def test_a_stale_bitstream_does_not_stay_beside_a_new_report(space, shapes, tmp_path):
    outcomes = {1: (4, "licgate: error: timing not met")}
    (result,), _ = routed(space, shapes[:1], tmp_path, outcomes, Stub())
    (tmp_path / f"{result['key']}.json").unlink()
    (tmp_path / result["key"] / "top.bit").write_bytes(b"of an earlier build")
    routed(space, shapes[:1], tmp_path, outcomes, Stub())
    assert not (tmp_path / result["key"] / "top.bit").exists()
    assert (tmp_path / result["key"] / "report.json").exists()


class KilledWorker(Exception):
    """As Dask calls it."""


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KilledWorker("long\nstory"), "the workers that tried it died, one after the other"),
        (
            ModuleNotFoundError("No module named 'licgate'"),
            f"the worker cannot load the package: install licgate {__version__} for the workers, too",
        ),
        (
            RuntimeError("Error during deserialization of the task graph."),
            f"the worker cannot load the package: install licgate {__version__} for the workers, too",
        ),
        (OSError(28, "No space\nleft"), "the worker could not do it: [Errno 28] No space left"),
        (MemoryError(), "the worker could not do it: MemoryError"),
    ],
)
def test_a_build_whose_worker_is_lost_loses_no_other(space, shapes, tmp_path, error, why):
    outcomes = dict.fromkeys((1, 2, 3), (0, "fine"))
    # of three, the second is lost; one that killed its workers has a second chance, alone
    client = Stub(lose={2: error, 4: error})
    results, said = routed(space, shapes, tmp_path, outcomes, client)
    killed = isinstance(error, KilledWorker)
    assert len(client.keys) == (4 if killed else 3)
    assert any(line.endswith("a worker died; once more, alone") for line in said) == killed
    assert [(r["status"], r["why"]) for r in results] == [("met", ""), ("failed", why), ("met", "")]
    assert (tmp_path / f"{results[1]['key']}.log").read_text() == f"licgate: error: {why}\n"


def test_what_a_dead_worker_only_had_in_its_queue_is_built_after_all(space, shapes, tmp_path):
    outcomes = dict.fromkeys((1, 2, 3), (0, "fine"))
    lost = {1: KilledWorker(), 2: KilledWorker(), 3: KilledWorker(), 5: KilledWorker()}
    results, _ = routed(space, shapes, tmp_path, outcomes, Stub(lose=lost))
    assert [r["status"] for r in results] == ["met", "failed", "met"]


def test_without_workers_the_rest_is_given_up(space, shapes, tmp_path):
    client = Stub(workers=0)
    outcomes = dict.fromkeys((1, 2, 3), (0, ""))
    results, said = routed(space, shapes, tmp_path, outcomes, client, deserted=0.5, heartbeat=0.1)
    assert {(r["status"], r["why"]) for r in results} == {("failed", f"there was no worker at {ADDRESS} for 0.5 s")}
    assert len(client.cancelled) == 3
    assert f"3 builds to go, 0 workers at {ADDRESS}" in said


def test_an_interrupt_cancels_what_is_still_to_do(space, shapes, tmp_path):
    client = Stub()
    cluster = Cluster(client, ADDRESS)

    def say(line):
        if "sent to" not in line:
            raise KeyboardInterrupt

    command = lambda *args: [sys.executable, "-c", ""]  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        route_shapes(
            space,
            shapes,
            out=tmp_path,
            clock_mhz=90.0,
            command=command,
            say=say,
            run=partial(cluster.run, manifest=space.manifest),
        )
    assert len(client.cancelled) == 2
    client.pool.shutdown()


def test_a_worker_gets_the_model_itself(tmp_path):
    model = tiny_model()
    save_manifest(model, tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    code = "import pathlib, sys; from licgate.manifest import find_model; o = pathlib.Path('out'); o.mkdir(); "
    code += "(o / 'hash').write_text(find_model('./model').hash); sys.exit(7)"
    left = worker.build_on_worker(["python", "-c", code], files, worker.__version__)
    assert (left["code"], left["log"]) == (7, b"")
    assert left["files"] == {"hash": load_manifest(tmp_path / "model").hash.encode()}


def test_a_worker_of_another_version_says_so():
    left = worker.build_on_worker(["python", "-c", "raise SystemExit(0)"], {}, "0.0.1")
    assert left["code"] == 2
    assert b"not 0.0.1: install the same version there" in left["log"]
    assert left["log"].count(b"\n") == 1


def test_a_build_that_nobody_waits_for_any_more_is_ended():
    command = ["python", "-c", "import time; time.sleep(60)"]
    left = worker.build_on_worker(command, {}, worker.__version__, given_up=lambda: True, poll=0.05)
    assert left["code"] < 0


@pytest.mark.parametrize("address", ["", "host:8786", "tcp://host", "file:///x:1", "tcp://host:port"])
def test_an_address_that_is_none(address):
    with (
        pytest.raises(ConfigError, match=r"is no address of a scheduler: give --scheduler tcp://HOST:PORT$"),
        connect(address),
    ):
        pass


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ToolError, match=r"pip install 'licgate\[dask\]'"), connect("tcp://127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--scheduler", "tcp://h:1"], "--scheduler is for what --route K builds"),
        (["--scheduler", "tcp://h:1", "--route", "1", "--jobs", "2"], "--jobs is for builds on this machine"),
        (["--scheduler", "h", "--route", "1"], "'h' is no address of a scheduler"),
    ],
)
def test_the_verb_refuses_in_one_line(words, line, capsys):
    assert main(["explore", "--board", "ulx3s-85f", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"licgate: error: {line}")
    assert error.count("\n") == 1
