"""The verb ``licgate registers``."""

import argparse
import json

from licgate.target.registermap import c_header, json_map, markdown

__all__ = ["add_registers_arguments", "run_registers"]


def add_registers_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate registers``."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--markdown", action="store_true", help="as the page docs/registers.md (default)")
    forms.add_argument("--json", action="store_true", help="as JSON")
    forms.add_argument("--header", action="store_true", help="as a header for C and C++")


def run_registers(args: argparse.Namespace) -> int:
    """Body of ``licgate registers``."""
    if args.json:
        print(json.dumps(json_map(), indent=2))
    else:
        print(c_header() if args.header else markdown(), end="")
    return 0
