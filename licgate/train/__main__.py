"""``python -m licgate.train train|quantize|evaluate …``: the training verbs by themselves."""

from __future__ import annotations

import argparse
import sys

from licgate.errors import LicgateError
from licgate.train import cli

VERBS = {
    "train": (cli.add_train_arguments, cli.run_train),
    "quantize": (cli.add_quantize_arguments, cli.run_quantize),
    "evaluate": (cli.add_evaluate_arguments, cli.run_evaluate),
}


def main(argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run one verb; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m licgate.train")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (add, _) in VERBS.items():
        add(verbs.add_parser(name))
    args = parser.parse_args(argv)
    try:
        return VERBS[args.verb][1](args)
    except LicgateError as error:
        print(f"licgate: error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
