"""Counts what makes a tree hard to carry on: `make census`, or `make census SINCE=REV` for a column of before.

Lines per room, files over 300 lines, functions over 60, functions of more than 8 parameters, circles of imports,
imports that run up, and pairs of places that repeat each other, in `licgate/` of the working tree or of a git revision.
Statements do not depend on where a formatter breaks lines.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import subprocess
import sys
import tarfile
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.floors import floor, imported, parsed

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "licgate"

FILE_LINES = 300
FUNCTION_LINES = 60
PARAMETERS = 8
RUN_LINES = 6

#: Rooms that make, model, simulate or build hardware, whatever they are called in a revision.
HARDWARE = {"target", "program", "gateware", "perf", "backends", "runtime", "sim", "synth", "explore", "hostframes"}

Tree = Mapping[str, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def working_tree(root: Path = ROOT) -> Tree:
    """Return the sources under `root`/licgate: text by path."""
    files = sorted((root / PACKAGE).rglob("*.py"))
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}


def revision(name: str, root: Path = ROOT) -> Tree:
    """Return the sources of a git revision of the repository `root`: text by path."""
    done = subprocess.run(["git", "archive", name, PACKAGE], cwd=root, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"census: {done.stderr.decode().strip() or 'git archive failed'}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        members = [member for member in archive if member.isfile() and member.name.endswith(".py")]
        return {member.name: archive.extractfile(member).read().decode() for member in sorted(members, key=_name)}


def _name(member: tarfile.TarInfo) -> str:
    return member.name


def room(path: str) -> str:
    """Return the room of a path: `perf` of ``licgate/perf/core.py``, `files` of ``licgate/files.py``."""
    return path.split("/")[1].removesuffix(".py")


def lines_of_rooms(tree: Tree) -> dict[str, int]:
    """Return the lines of each room; files beside the rooms are one room, ``(files)``."""
    rooms: dict[str, int] = defaultdict(int)
    for path, text in tree.items():
        rooms[room(path) if path.count("/") > 1 else "(files)"] += len(text.splitlines())
    return dict(sorted(rooms.items()))


def statements(tree: Tree) -> int:
    """Return how many statements a tree has, docstrings not counted."""
    nodes = [node for text in tree.values() for node in ast.walk(parsed(text))]
    return sum(isinstance(node, ast.stmt) and not _is_text(node) for node in nodes)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def long_files(tree: Tree) -> list[str]:
    """Return the files of more than 300 lines, the longest first."""
    counts = [(len(text.splitlines()), path) for path, text in tree.items()]
    return [f"{count} {path}" for count, path in sorted(counts, reverse=True) if count > FILE_LINES]


def functions(tree: Tree) -> Iterator[tuple[str, Function, bool]]:
    """Yield every function of a tree: where it is, its node, and whether a class is around it."""
    for path, text in tree.items():
        module = parsed(text)
        classes = [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
        methods = {id(part): node.name for node in classes for part in node.body}
        for node in ast.walk(module):
            if isinstance(node, Function):
                owner = methods.get(id(node))
                name = f"{owner}.{node.name}" if owner else node.name
                yield f"{path}:{node.lineno} {name}", node, owner is not None


def long_functions(tree: Tree) -> list[str]:
    """Return the functions of more than 60 lines, decorators and docstring not counted; the longest first."""
    counts = []
    for where, node, _ in functions(tree):
        docstring = node.body[0] if ast.get_docstring(node, clean=False) else None
        documented = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
        counts.append((node.end_lineno - node.lineno + 1 - documented, where))
    return [f"{count} {where}" for count, where in sorted(counts, reverse=True) if count > FUNCTION_LINES]


def parameters(node: Function, method: bool) -> int:
    """Return how many parameters a function names: neither `self` or `cls`, nor what ``*`` and ``**`` collect."""
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
    arguments = node.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    return count - (method and not static)


def wide_functions(tree: Tree) -> list[str]:
    """Return the functions of more than 8 parameters, the widest first."""
    counts = [(parameters(node, method), where) for where, node, method in functions(tree)]
    return [f"{count} {where}" for count, where in sorted(counts, reverse=True) if count > PARAMETERS]


def graph(tree: Tree) -> dict[str, set[str]]:
    """Return which file of a tree imports which, those imports included that stand inside functions."""
    files = {}
    for path in tree:
        parts = path.removesuffix(".py").split("/")
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    edges: dict[str, set[str]] = {path: set() for path in tree}
    for path, text in tree.items():
        for name in imported(text, tuple(path.split("/")[:-1])):
            # what is named is a module, or something in the module before the last dot
            found = files.get(name) or files.get(name.rpartition(".")[0])
            if found and found != path:
                edges[path].add(found)
    return edges


def circles(edges: Mapping[str, set[str]]) -> list[str]:
    """Return the circles of a graph: its strongly connected parts of two nodes or more, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(" <-> ".join(sorted(part)))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return sorted(found)


def room_circles(edges: Mapping[str, set[str]]) -> list[str]:
    """Return the circles between rooms; one floor allows them, but neither room can be read without the other."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for path, others in edges.items():
        rooms[room(path)] |= {room(other) for other in others} - {room(path)}
    return circles({**{other: set() for others in rooms.values() for other in others}, **rooms})


def upward(edges: Mapping[str, set[str]]) -> list[str]:
    """Return the imports that run up, by today's `tests.floors.FLOORS` whatever the revision.

    Rooms on no floor are left out. The package's own `__init__` is one: it hands out on demand what stands above it.
    """
    found = []
    for path, others in edges.items():
        own = floor(room(path))
        for other in sorted(others):
            above = floor(room(other))
            if own is not None and above is not None and above > own:
                found.append(f"{path} -> {other}")
    return sorted(found)


def code_lines(text: str) -> list[tuple[int, str]]:
    """Return number and text of the lines of code: no comment, docstring, import or bracket alone; no indentation."""
    lines = [line.rstrip() for line in text.splitlines()]
    module = parsed(text)
    silent: set[int] = set()
    for node in ast.walk(module):
        documented = isinstance(node, Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False)
        part = node.body[0] if documented else node if isinstance(node, ast.Import | ast.ImportFrom) else None
        if part is not None:
            silent.update(range(part.lineno, part.end_lineno + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    numbered = ((number, line.strip()) for number, line in enumerate(lines, 1) if number not in silent)
    return [(number, line) for number, line in numbered if line.strip("()[]{},: ")]


def repetitions(tree: Tree) -> list[str]:
    """Return the pairs of places that repeat each other: runs of six equal lines or more, the longest first.

    Lines are compared as `code_lines` returns them, so names count. Three equal places are three pairs. Runs of
    one file count, too, unless their first lines lie closer than six.
    """
    sources = {path: code_lines(text) for path, text in tree.items()}
    windows: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for path, lines in sources.items():
        for start in range(len(lines) - RUN_LINES + 1):
            windows[tuple(line for _, line in lines[start : start + RUN_LINES])].append((path, start))
    pairs = {
        (first, second)
        for places in windows.values()
        for index, first in enumerate(places)
        for second in places[index + 1 :]
        if first[0] != second[0] or second[1] - first[1] >= RUN_LINES
    }
    found = []
    for (one, start), (other, second) in pairs:
        if ((one, start - 1), (other, second - 1)) in pairs:
            continue
        length = 1
        while ((one, start + length), (other, second + length)) in pairs:
            length += 1
        count = length + RUN_LINES - 1
        places = f"{one}:{sources[one][start][0]} {other}:{sources[other][second][0]}"
        found.append((count, places))
    return [f"{count} {places}" for count, places in sorted(found, reverse=True)]


def census(tree: Tree) -> dict:
    """Return every figure of a tree, and the places behind it."""
    edges = graph(tree)
    rooms = lines_of_rooms(tree)
    hardware = sum(len(text.splitlines()) for path, text in tree.items() if room(path) in HARDWARE)
    places = {
        f"files over {FILE_LINES} lines": long_files(tree),
        f"functions over {FUNCTION_LINES} lines": long_functions(tree),
        f"functions with over {PARAMETERS} parameters": wide_functions(tree),
        "circles of imports between files": circles(edges),
        "circles between rooms": room_circles(edges),
        "imports that run up": upward(edges),
        f"pairs of places with {RUN_LINES} equal lines or more": repetitions(tree),
    }
    figures = {
        "lines": sum(rooms.values()),
        "lines of the hardware rooms": hardware,
        "statements, docstrings apart": statements(tree),
    }
    figures |= {name: len(found) for name, found in places.items()}
    return {"rooms": rooms, "figures": figures, "places": places}


def table(columns: Mapping[str, dict]) -> str:
    """Return the figures of several trees, a column each."""
    rows = [["", *columns]]
    for kind in ("rooms", "figures"):
        names = dict.fromkeys(name for document in columns.values() for name in document[kind])
        for name in sorted(names) if kind == "rooms" else names:
            rows.append([name, *(str(document[kind].get(name, "")) for document in columns.values())])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the census."""
    parser = argparse.ArgumentParser(prog="census", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ref", metavar="REV", help="count this git revision, not the working tree")
    parser.add_argument("--since", metavar="REV", help="a column for this revision, too")
    parser.add_argument("--places", action="store_true", help="list the places behind the figures")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    options = parser.parse_args(arguments)
    columns = {options.since: census(revision(options.since))} if options.since else {}
    last = options.ref or "working tree"
    columns[last] = census(revision(options.ref) if options.ref else working_tree())
    if options.json:
        print(json.dumps(columns, indent=1))
        return 0
    print(table(columns))
    for name, places in columns[last]["places"].items() if options.places else ():
        print("", f"{name}: {len(places)}", *(f"  {place}" for place in places), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
