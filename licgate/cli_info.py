"""The verb ``licgate info``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from licgate.cli_files import complain, read_coded, sizes
from licgate.codec import Header, model_of
from licgate.codec.container import unpack
from licgate.errors import LicgateError
from licgate.manifest.family import measured

__all__ = ["add_info_arguments", "run_info"]


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate info``."""
    parser.add_argument("files", metavar="FILE.lic", nargs="+", help="coded images")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run_info(args: argparse.Namespace) -> int:
    """Body of ``licgate info``: 0, or 2 when a file is damaged."""
    entries, failed = [], False
    for name in args.files:
        entry = {"file": str(name)}
        entries.append(entry)
        try:
            data = read_coded(Path(name))
            header, patches = unpack(data)
        except LicgateError as error:
            failed = True
            complain(name, error)
            entry["error"] = str(error)
            continue
        model, result = _model(header)
        sections = {key: sum(len(patch[key]) for patch in patches) for key in patches[0]}
        entry.update(
            **sizes(header.width, header.height, len(data)),
            patch=header.patch,
            patches=len(patches),
            sections=sections,
            model=model,
            measured=result,
            manifest=header.manifest,
            tables=header.tables,
        )
        if not args.json:
            print(_info_text(entry))
    if args.json:
        print(json.dumps(entries, indent=2))
    return LicgateError.exit_code if failed else 0


def _info_text(entry: dict) -> str:
    coded = f"in {entry['patches']} patches of {entry['patch']} pixels" if entry["patch"] else "as a whole"
    sections = ", ".join(f"{name} {size}" for name, size in entry["sections"].items())
    told = f", {entry['measured']}" if entry["measured"] else ""
    return (
        f"{entry['file']}: {entry['width']} x {entry['height']} pixels, {entry['bytes']} bytes, "
        f"{entry['bpp']:.4f} bpp, coded {coded}\n"
        f"  model     {entry['model'] or 'not in models/'} ({entry['manifest'][:16]}, tables {entry['tables']})"
        f"{told}\n"
        f"  sections  {sections} bytes"
    )


def _model(header: Header) -> tuple[str | None, str | None]:
    """Return the name of the model that made a file, and what it does on average."""
    try:
        manifest = model_of(header)
    except LicgateError:
        return None, None
    result = measured(manifest.measured)
    return manifest.name, f"{result} on {result.images or 'its pictures'}" if result else None
