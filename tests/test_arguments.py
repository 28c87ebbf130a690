"""Tests of the commands and their arguments."""

from __future__ import annotations

import argparse

import pytest

from eks_audit_nb import cli
from eks_audit_nb.arguments import build_parser, shield_dashes


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of all commands, by name."""
    (found,) = (each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


def test_every_command_is_run_by_something() -> None:
    """A command that can be said is one that the command line runs, and the other way round."""
    assert set(commands()) == set(cli._COMMANDS)
    assert all(parser.get_default("command") == name for name, parser in commands().items())


@pytest.mark.parametrize(
    ("arguments", "start", "parameter"),
    [
        (["--start", "-24h"], "-24h", []),
        (["-p", "namespace", "-x"], "", [["namespace", "-x"]]),
    ],
)
def test_values_may_begin_with_a_dash(arguments: list[str], start: str, parameter: list[list[str]]) -> None:
    """What stands where a time or a parameter's value belongs is one, though it begins with a dash."""
    given = build_parser().parse_args(shield_dashes(["query", "sample", "fields verb", *arguments]))
    assert (given.start, given.parameter) == (start, parameter)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["estimate", "cloudwatch:prod", "x", "--price", "-1"], "takes dollars, such as 0.0063, not '-1'"),
        (["collect", "sample", "--out", "x", "--settle", "nan"], "takes minutes, such as 15, not 'nan'"),
        (["report", "sample", "--workers", "0"], "takes a whole number from 1 on, not '0'"),
    ],
)
def test_what_a_number_may_be(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that means nothing is refused with what would, and with the exit code of errors."""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(arguments)
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.endswith(f"Help: eks-audit {arguments[0]} --help\n")
