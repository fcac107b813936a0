"""The floors of the house, and how imports are read from a source: for the test of the layers and for the census."""

import ast
import gc

# an import only ever goes down; rooms on one floor may use each other
FLOORS = [
    {"errors", "files", "resources", "caches"},
    {"manifest", "images"},
    {"target"},
    {"program", "reference", "codec", "runtime"},
    {"gateware", "perf"},
    {"train", "sim", "synth"},
    {"backends"},
    {"explore", "verilog"},
    {
        "__main__",
        "cli",
        "cli_build",
        "cli_board",
        "cli_codec",
        "cli_device",
        "cli_emulate",
        "cli_explore",
        "cli_files",
        "cli_info",
        "cli_plan",
        "cli_simulate",
        "cli_verilog",
    },
]


def floor(name: str) -> int | None:
    """Return the floor of a room, or of a single file of the package; None if it stands on none."""
    return next((level for level, rooms in enumerate(FLOORS) if name in rooms), None)


def parsed(text: str) -> ast.Module:
    """Parse without garbage collection: CPython 3.11 miscounts recursion where a coroutine ends meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if collects:
            gc.enable()


def imported(source: str, package: tuple[str, ...]) -> set[str]:
    """Return the dotted names that a source imports anywhere, those inside functions too.

    Parameters
    ----------
    source : str
        Text of the file.
    package : tuple of str
        The package that it lies in, ``("licgate", "perf")``: relative imports are made absolute with it.
    """
    names = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names
