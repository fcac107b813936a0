"""The command line: one verb, one function; what a verb needs is imported when it runs."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from licgate import __version__
from licgate.errors import ERROR, LicgateError

__all__ = ["main"]

USAGE_ERROR = 2
INTERRUPTED = 130
TERMINATED = 143

# what the extra ``train`` installs
TRAINING_PACKAGES = ("bjontegaard", "matplotlib", "pytorch_msssim", "scipy", "torch")

# verb: (summary, module with add_VERB_arguments and run_VERB)
VERBS = {
    "boards": ("list the boards", "licgate.cli_build"),
    "models": ("list the models", "licgate.cli"),
    "inspect": ("show what a model is made of", "licgate.cli"),
    "import": ("read weights trained elsewhere", "licgate.train.network.cli_import"),
    "train": ("train a float model on photographs", "licgate.train.cli_train"),
    "slim": ("make a model smaller by GDN-slimming", "licgate.train.shrink.cli_slim"),
    "prune": ("make a model smaller by filter norms", "licgate.train.shrink.cli_slim"),
    "distill": ("train a small model under a large one", "licgate.train.shrink.cli_distill"),
    "search": ("find how many bits each layer needs", "licgate.train.search.cli_search"),
    "quantize": ("turn a float checkpoint into a model", "licgate.train.quant.cli_quantize"),
    "export": ("turn a quantised checkpoint into a model", "licgate.train.quant.cli_quantize"),
    "evaluate": ("measure rate and distortion", "licgate.train.measure.cli_evaluate"),
    "compare": ("compare rate-distortion curves", "licgate.train.measure.cli_compare"),
    "encode": ("code images as .lic files", "licgate.cli_codec"),
    "decode": ("turn .lic files into images", "licgate.cli_codec"),
    "info": ("show what a .lic file holds", "licgate.cli_info"),
    "simulate": ("run an image through the gateware", "licgate.cli_simulate"),
    "plan": ("find the widest model that reaches a frame rate on a board", "licgate.cli_plan"),
    "explore": ("search the shapes that an accelerator can have on a board", "licgate.cli_explore"),
    "verilog": ("write an accelerator for designs of others, in Verilog, with a testbench", "licgate.cli_verilog"),
    "build": ("make a bitstream and a report", "licgate.cli_build"),
    "load": ("load a bitstream into a board", "licgate.cli_board"),
    "board": ("find, show, test and measure boards", "licgate.cli_board"),
    "emulate": ("run a build as an emulated board, for host programs", "licgate.cli_emulate"),
    "registers": ("show the registers of an accelerator", "licgate.target.cli_registers"),
}


class Parser(argparse.ArgumentParser):
    """Parser whose errors are the one line that all errors are."""

    def error(self, message: str):
        """Raise instead of printing usage and exiting."""
        raise LicgateError(f"{message} (see: {self.prog} --help)")


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate models``."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run_models(args: argparse.Namespace) -> int:
    """Body of ``licgate models``."""
    from licgate.manifest import list_models
    from licgate.manifest.family import measured

    models = list_models()
    if args.json:
        print(json.dumps(models, indent=2))
        return 0
    for model in models:
        mark = "*" if model["default"] else " "
        if "error" in model:
            print(f"{mark} {model['name']:32} broken: {model['error']}")
        else:
            channels = "-".join(map(str, model["channels"]))
            result = measured(model["measured"])
            told = f"{result} on {result.images or 'its pictures'}" if result else "not measured"
            print(f"{mark} {model['name']:32} {model['hash'][:12]}  {model['architecture']:21} {channels:13}  {told}")
    if not models:
        print("there are no models; make one with: licgate train, licgate quantize")
    return 0


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate inspect``."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="name under models/ or path; the default if left out")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run_inspect(args: argparse.Namespace) -> int:
    """Body of ``licgate inspect``."""
    from licgate.manifest import describe, describe_text, find_model

    manifest = find_model(args.model)
    print(json.dumps(describe(manifest), indent=2) if args.json else describe_text(manifest).rstrip())
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse in two steps, so that only the module of the verb in question is imported."""
    parser = Parser(prog="licgate", description="Learned image compression, from a trained model to FPGA gateware.")
    parser.add_argument("--version", action="version", version=f"licgate {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for verb, (summary, module) in VERBS.items():
        subparser = verbs.add_parser(verb, help=summary, description=f"{summary.capitalize()}.")
        if verb == wanted:
            loaded = importlib.import_module(module)
            getattr(loaded, f"add_{verb}_arguments")(subparser)
            subparser.set_defaults(run=getattr(loaded, f"run_{verb}"))
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.error(f"no verb given; there are {', '.join(VERBS)}")
    return args


def _terminate(number, frame):
    raise SystemExit(TERMINATED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Codes: 0 fine, 2 wrong usage or input, 4 timing missed, 130 interrupted,
    143 terminated; a verb may return others of its own.
    """
    # As an exception, a request to end also ends the tools which a verb has started and removes its temporary files.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    _print_anything()
    try:
        args = _parse(sys.argv[1:] if argv is None else argv)
        code = args.run(args) or 0
        sys.stdout.flush()
        return code
    except LicgateError as error:
        print(f"{ERROR}{' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in TRAINING_PACKAGES:
            raise
        line = f"{error.name} is not installed; install it with: pip install 'licgate[train]'"
        print(f"{ERROR}{line}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("licgate: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read the output has gone (licgate ... | head)
        _forget_output()
        return 0
    except OSError as error:
        # a full disk, a system that may only be read: nothing that a trace-back would explain
        where = error.filename or "standard output"
        if error.filename is None:
            _forget_output()
        print(f"{ERROR}{' '.join(str(where).split())}: {error.strerror or error}", file=sys.stderr)
        return USAGE_ERROR


def _print_anything() -> None:
    """Let the names of files and of models be printed whatever the terminal's encoding is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Send what is left for standard output nowhere, or Python would complain when it closes it itself."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
