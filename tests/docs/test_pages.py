"""The pages: what they point to is there, the commands that they show are understood, and the README stays short."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from licgate.cli import VERBS
from tests.bench.run import BENCHES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "models" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: Files of the tree as pages name them.
NAMED = re.compile(r"`((?:licgate|tests|docs|examples|boards|models|sim)/[\w/.-]*\w\.(?:py|md|cpp|hpp|svg|html))`")
#: Folders that a program writes to.
WRITTEN = ("models/NAME",)


def texts(path):
    """Text of a page, and its code blocks (indented or fenced) as lines; continued lines are one."""
    text = path.read_text(encoding="utf-8")
    code, fenced, before = [], False, ""
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or (line.startswith("    ") and (before == "" or before.startswith("    "))):
            code.append(line.strip())
        before = line
    return text, "\n".join(code).replace("\\\n", " ").splitlines()


def shown_commands():
    """Give (page, verb, options) of every licgate command in a code block."""
    for path in PAGES:
        for line in texts(path)[1]:
            # a number may stand in front; a comment or an explanation behind several blanks
            found = re.match(r"(?:\d+ +)?(?:FINE=.*|licgate (.*))", line)
            if found and found[1]:
                command = re.split(r"\s#|\s{2,}(?![-\\])", found[1])[0]
                yield path.name, command.split()[0], re.findall(r"(?<!\S)\[?(--?[a-z][a-z-]*|-o)", command)


def accepted(verb):
    """Options of a verb, as its help has them, with those of its actions."""
    parser = argparse.ArgumentParser(prog=verb)
    getattr(importlib.import_module(VERBS[verb][1]), f"add_{verb}_arguments")(parser)
    # argparse has no public way to ask for them
    actions = [action.choices.values() for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    helps = "\n".join(one.format_help() for one in (parser, *(one for choices in actions for one in choices)))
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", helps))


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 110
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_names_lead_somewhere(path):
    text, _ = texts(path)
    links = [link.split("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    missing = [link for link in links if link and not (path.parent / link).exists()]
    missing += [name for name in NAMED.findall(text) if not name.startswith(WRITTEN) and not (ROOT / name).exists()]
    assert not missing


def test_commands_are_understood():
    commands = list(shown_commands())
    assert len(commands) > 40
    assert {verb for _, verb, _ in commands} <= set(VERBS)
    options = {verb: accepted(verb) for verb in {verb for _, verb, _ in commands}}
    wrong = [(page, verb, o) for page, verb, found in commands for o in found if o not in options[verb]]
    assert not wrong


def test_the_check_of_commands_sees_what_it_looks_for():
    assert ("commands.md", "quantize", ["--data", "--out", "--method"]) in list(shown_commands())
    assert ("results.md", "build", ["--board", "--arithmetic", "--clock", "--seed"]) in list(shown_commands())
    assert "--board" in accepted("build")
    assert "--bored" not in accepted("build")


def test_results_name_benches_that_there_are():
    rows = [line for line in texts(ROOT / "docs" / "results.md")[0].splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.rsplit("|", 2)[1])}
    assert named
    assert named <= set(BENCHES)
    numbers = {int(n) for row in rows for n in re.findall(r"(?<![\w`])\d+", row.rsplit("|", 2)[1])}
    commands = [int(m[1]) for line in texts(ROOT / "docs" / "results.md")[1] if (m := re.match(r"(\d+) +\w", line))]
    assert sorted(numbers) == commands == list(range(1, len(commands) + 1))
