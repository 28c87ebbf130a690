"""The command line: data on standard output, the rest on standard error, exit codes, and errors without a traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_run import make_notebook

from eks_audit_nb.cli import main
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import parse
from eks_audit_nb.queries import list_queries
from eks_audit_nb.reporting.notebooks import list_notebooks

from conftest import audit_event
from logs import go_json


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_query_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A query prints its rows as a table, and says elsewhere what was read and whether it is whole."""
    code, out, err = run(capsys, "query", "sample", "stats count(*) as events by stage | sort events desc")
    assert code == 0
    assert out.splitlines()[0].split() == ["stage", "events"]
    assert out.splitlines()[2].split() == ["ResponseComplete", "12221"]
    assert "Complete:  yes" in err


def test_query_jsonl(capsys: pytest.CaptureFixture[str]) -> None:
    """jsonl gives one object a row, keys as the query names them, values typed, times as ISO 8601 in UTC."""
    text = (
        "fields @timestamp, verb, responseStatus.code, nothing | filter auditID like /^1/ | sort @timestamp | limit 1"
    )
    _, out, _ = run(capsys, "query", "sample", text, "--format", "jsonl")
    row = json.loads(out)
    assert list(row) == ["@timestamp", "verb", "responseStatus.code", "nothing"]
    assert row["@timestamp"].startswith("2026-11-24T22:")
    assert row["@timestamp"].endswith("Z")
    assert isinstance(row["responseStatus.code"], int)
    assert row["nothing"] is None


def test_query_csv(capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path]) -> None:
    """In CSV a text that a spreadsheet would take for a formula is defused."""
    log = make_log(audit_event(userAgent='=HYPERLINK("http://x")'))
    _, out, _ = run(capsys, "query", str(log), "fields userAgent, verb", "--format", "csv")
    assert list(csv.reader(io.StringIO(out))) == [["userAgent", "verb"], ['\'=HYPERLINK("http://x")', "get"]]


def test_query_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A query can be a file, and its placeholders are parameters."""
    path = tmp_path / "mine.cwli"
    path.write_text("fields verb # comment\n| filter verb = {{verb}}\n| limit 2")
    code, out, _ = run(capsys, "query", "sample", str(path), "-p", "verb", "watch")
    assert code == 0
    assert out.split() == ["verb", "-----", "watch", "watch"]
    assert main(["query", "sample", str(tmp_path / "none.cwli")]) == 1


def test_query_file_of_any_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any file can be the query, unless a query that ships has its name, or a pipe shows the argument to be text."""
    monkeypatch.chdir(tmp_path)
    text = "stats count(*) as found_in_the_file by verb"
    for name in ("mine.txt", "aws_auth_changes", "fields verb | limit 1"):
        Path(name).write_text(f"\ufeff{text}", encoding="utf-8")
    assert "found_in_the_file" in run(capsys, "query", "sample", "mine.txt")[1]
    assert "found_in_the_file" not in run(capsys, "query", "sample", "aws_auth_changes")[1]
    assert run(capsys, "query", "sample", "fields verb | limit 1")[1].splitlines()[0] == "verb"


@pytest.mark.parametrize("value", ["-x", "-1h", "-", "x", "=y", "-p"])
def test_values_that_begin_with_a_dash(capsys: pytest.CaptureFixture[str], value: str) -> None:
    """The value of a parameter may begin with a dash."""
    text = "stats count(*) as n, {{given}} as value"
    assert run(capsys, "query", "sample", text, "-p", "given", value, "--format", "csv")[0] == 0
    _, out, _ = run(capsys, "query", "sample", text, "--parameter", "given", value, "--format", "jsonl")
    assert json.loads(out)["value"] == value


def test_window(capsys: pytest.CaptureFixture[str]) -> None:
    """A relative start needs no equals sign and counts from the last event of a file."""
    _, out, err = run(capsys, "query", "sample", "stats count(*) as events", "--start", "-1m")
    assert 0 < int(out.split()[-1]) < 13_107
    assert "2026-11-24 22:36:07.002 to 2026-11-24 22:37:07.002 UTC" in err


def test_incomplete(capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path]) -> None:
    """A line that cannot be read makes the answer incomplete: exit code 3, and the reason."""
    code, out, err = run(capsys, "query", str(make_log(audit_event(), "{broken")), "fields verb | filter verb = 'get'")
    assert code == 3
    assert "get" in out
    assert "Complete:  NO. 1 line of the window is no JSON" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "sample", "fields a | flter b = 1"], "Did you mean 'filter'"),
        (["query", "sample", "aws_auth_chnges"], "Did you mean 'aws_auth_changes'"),
        (["query", "no/such/file", "fields a"], "There is no file or folder 'no/such/file'"),
        (["query", "", "fields a"], "The source is empty"),
        (["query", "sample", "fields verb", "--start", "yesterday"], "The start 'yesterday' is not a time"),
        (["query", "sample", "fields verb", "--start", "2026-11-25", "--end", "2026-11-24"], "before it starts"),
        (["query", "sample", "aws_auth_changes", "-p", "x", "1"], "has no parameter 'x'"),
        (["query", "sample", "fields {{x}}"], "needs a value for x"),
        (["query", "sample", "fields {{x}}", "-p", "x", "1", "-p", "x", "2"], "'x' is given twice"),
        (["query", "sample", "fields {{source}}", "-p", "source", "x"], "say SOURCE"),
        (["report", "sample", "02", "-p", "source", "x"], "say SOURCE"),
        (["report", "sample", "02", "-p", "start", "-1h"], "say --start"),
        (["report", "sample", "02", "-p", "end", "now"], "say --end"),
        (["query", "sample", "fields {{query}}", "-p", "query", "x"], "cannot be called 'query'"),
        (["query", "sample", "fields {{self}}", "-p", "self", "x"], "cannot be called 'self'"),
        (["query", "sample", __file__.replace(".py", ".cwli")], "cannot be read: No such file"),
        (["query", "sample", sys.executable], "is no text in UTF-8"),
        (["report", "sample", "02", "--out", __file__], "--out takes a folder, and"),
        (["report", "sample", "02", "--out", f"{__file__}/x"], "--out takes a folder, and"),
        (["lab", "--dir", __file__], "--dir takes a folder, and"),
        (["lab", "--dir", f"{__file__}/x"], "--dir takes a folder, and"),
        (["queries", "nothing_like_it"], "There is no query named 'nothing_like_it'"),
        (["notebooks", "99"], "There is no notebook '99'"),
        (["report", "sample", "99"], "There is no notebook '99'"),
        (["report", "no/such/file", "02"], "There is no file or folder"),
        (["report", "sample", "02", "-p", "nope", "1"], "parameter 'nope'"),
        (["report", "sample", "--out", "s3://bucket/x"], "--out takes a folder"),
        (["lab", "no/such/file"], "There is no file or folder"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """A mistake gives exit code 1 and a message that says what to do, on standard error."""
    code, out, err = run(capsys, *arguments)
    assert code == 1
    assert out == ""
    assert err.startswith("eks-audit: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["query", "sample"],
        ["query", "sample", "x", "--format", "xml"],
        ["query", "sample", "x", "-p", "name"],
        ["query", "sample", "x", "-p", "name", "--format", "csv"],
        ["report", "sample", "--workers", "0"],
        ["report", "sample", "--workers", "-1"],
        ["report", "sample", "--workers", "many"],
    ],
)
def test_wrong_calls(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A wrong call exits with 1 and not with argparse's 2, which means findings here, and says where the help is."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 1
    told = capsys.readouterr().err
    assert "usage: eks-audit" in told
    assert re.search(r"Help: eks-audit( query| report)? --help\n$", told)


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """queries and notebooks list what ships, a line each, and show the whole of one."""
    _, out, _ = run(capsys, "queries")
    assert [line.split()[0] for line in out.splitlines()] == [query.name for query in list_queries()]
    _, out, _ = run(capsys, "queries", "refused_requests")
    assert "username: string = ''" in out
    assert "filter responseStatus.code = 401 or responseStatus.code = 403" in out
    _, out, _ = run(capsys, "notebooks")
    assert [line.split()[0] for line in out.splitlines()] == [notebook.name for notebook in list_notebooks()]
    _, out, _ = run(capsys, "notebooks", "04")
    assert 'namespace: str = ""  only this namespace; empty for all' in out


def test_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """report prints where the index is, and nothing else, on standard output."""
    code, out, err = run(capsys, "report", "sample", "02", "--out", str(tmp_path))
    assert code == 0
    assert out.strip() == str(tmp_path / "index.html")
    assert Path(out.strip()).is_file()
    assert "5 requests to change aws-auth" in err


@pytest.mark.parametrize("name", ["index.html", "report.json"])
def test_no_place_for_the_index(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """A folder in the place of the index is a clear message."""
    (tmp_path / name).mkdir()
    code, _, err = run(capsys, "report", "sample", "02", "--out", str(tmp_path))
    assert code == 1
    assert f"{name}: Is a directory" in err


def test_a_source_that_cannot_be_opened_is_one_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make_log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is there and cannot be read is one message, before a kernel starts or a file is written."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    out = tmp_path / "out"
    for source, message in (("cloudwatch:x", "No AWS region is set"), (str(make_log()), "it is empty")):
        code, _, err = run(capsys, "report", source, "--out", str(out))
        assert code == 1
        assert message in err
        assert err.count("eks-audit: ") == err.count("\n") == 1
        assert not out.exists()


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["--start", "2026-13-45"], "The start '2026-13-45' is not a time."),
        (["--start", "2026-11-25", "--end", "2026-11-24"], "The window ends"),
        (["--start", "-1h", "--end", "-2h"], "The window ends"),
    ],
)
def test_a_window_that_is_none_is_one_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, times: list[str], message: str
) -> None:
    """Times that make no window are one message, before a kernel starts or a file is written."""
    code, _, err = run(capsys, "report", "sample", *times, "--out", str(tmp_path / "out"))
    assert code == 1
    assert message in err
    assert err.count("eks-audit: ") == err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_same_failure_is_told_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What went wrong in the same words in several notebooks is printed for the first one; the others refer to it."""
    for name in ("a", "b"):
        make_notebook(tmp_path / f"{name}.ipynb", "raise ValueError('on purpose')")
    notebooks = [str(tmp_path / f"{name}.ipynb") for name in ("a", "b")]
    code, _, err = run(capsys, "report", "sample", *notebooks, "--out", str(tmp_path / "out"))
    assert code == 1
    assert [line.split(maxsplit=2) for line in err.splitlines()] == [
        ["a", "failed", "ValueError: on purpose"],
        ["b", "failed", "as a"],
    ]


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What `report` prints for a log with an escape sequence in a user's name and with a line that cannot be read."""
    folder = tmp_path_factory.mktemp("hostile")
    event = audit_event(
        verb="list",
        objectRef={"resource": "secrets", "apiVersion": "v1"},
        requestURI="/api/v1/secrets",
        user={"username": "\x1b]0;owned\x07\n04_secret_activity done"},
    )
    (folder / "audit.jsonl").write_text(f"{json.dumps(event)}\n{{broken\n")
    command = [sys.executable, "-m", "eks_audit_nb.cli", "report", str(folder / "audit.jsonl"), "4"]
    return subprocess.run([*command, "--out", str(folder / "out")], capture_output=True, text=True, check=False)


def test_the_log_does_not_drive_the_terminal(hostile_report: subprocess.CompletedProcess[str]) -> None:
    """A headline is printed without what could drive the terminal or pass for another notebook's line."""
    assert "]0;owned" in hostile_report.stderr
    assert hostile_report.stderr.replace("\n", "").isprintable()
    assert sum(line.startswith("04_secret_activity") for line in hostile_report.stderr.splitlines()) == 1


def test_incomplete_says_why(hostile_report: subprocess.CompletedProcess[str]) -> None:
    """Where an answer may lack rows the line of its notebook says so, and why."""
    assert hostile_report.returncode == 3
    assert "INCOMPLETE In what could be read: " in hostile_report.stderr
    assert "\n    It may lack rows: 1 line of the window is no JSON" in hostile_report.stderr


def test_messages_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A message about a query keeps the line with the mark, and nothing that could drive the terminal."""
    query = "fields verb\n| flter verb = '\x1b[31m'"
    with pytest.raises(QueryError) as caught:
        parse(query)
    _, _, err = run(capsys, "query", "sample", query)
    assert err == f"eks-audit: {str(caught.value).replace(chr(27), ' ')}\n"
    assert err.count("\n") == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("text", ["fields verb | limit 1", "fields @message"])
def test_full_device(text: str) -> None:
    """Output that cannot be written is a message and exit code 1, whether little or much of it."""
    command = [sys.executable, "-m", "eks_audit_nb.cli", "query", "sample", text]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "eks-audit: The output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_closed_pipe() -> None:
    """A reader that stops early, as head does, is no error."""
    command = f"{sys.executable} -m eks_audit_nb.cli query sample 'fields @message' --format jsonl | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_light_import() -> None:
    """Importing the package, and asking the command for help, loads neither pandas nor DuckDB, boto3 or matplotlib."""
    code = (
        "import sys, eks_audit_nb, eks_audit_nb.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*[name for name in ('pandas', 'duckdb', 'boto3', 'matplotlib', 'papermill') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_query_with_a_table_and_modes(
    capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path], tmp_path: Path
) -> None:
    """A lookup table, strictness and the field cap are given on the command line."""
    table = tmp_path / "people.csv"
    table.write_text("login,name\nalice,Alice\n")
    log = str(make_log(audit_event()))
    text = "lookup people login AS user.username OUTPUT name | display name"
    _, out, _ = run(capsys, "query", log, text, "--table", "people", str(table))
    assert out.split() == ["name", "-----", "Alice"]
    code, _, err = run(capsys, "query", log, "limit 5 | stats count(*)", "--strict")
    assert code == 1
    assert "limit stands before the last stats" in err
    _, out, _ = run(capsys, "query", log, "fields verb", "--field-cap", "2", "--format", "jsonl")
    assert json.loads(out) == {"verb": None}
    code, _, err = run(capsys, "query", log, text)
    assert code == 1
    assert "--table NAME FILE" in err


# --- cases ----------------------------------------------------------------------------------------------------------


def test_collect_and_verify(capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path], tmp_path: Path) -> None:
    """collect prints where the case is and nothing else on standard output; verify says that it is whole."""
    log, out = make_log(audit_event(), audit_event(verb="list")), tmp_path / "case"
    code, said, err = run(capsys, "collect", str(log), "--out", str(out))
    assert (code, said) == (0, f"{out}\n")
    assert "Events:      2, " in err
    code, said, err = run(capsys, "verify", str(out))
    assert (code, err) == (0, "")
    assert said.splitlines()[-1] == "The case is whole, as it was collected."
    assert "Manifest:    SHA-256 " in said
    log.unlink()
    assert f"Input:       {log} is not there any more." in run(capsys, "verify", str(out))[1]


def test_query_of_a_case(capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path], tmp_path: Path) -> None:
    """A query of a case has the rows of the log, its completeness and its exit code."""
    logs = {
        0: make_log(audit_event(), audit_event(verb="list"), name="whole.jsonl"),
        3: make_log(audit_event(), audit_event(verb="list"), "{broken", name="broken.jsonl"),
    }
    for number, (expected, log) in enumerate(logs.items()):
        out = str(tmp_path / f"case {number}")
        assert run(capsys, "collect", str(log), "--out", out)[0] == 0  # every line is in the case, as it was
        for text in ("filter verb = 'list' | fields verb, @message, @ptr", "stats count(*) as n by verb"):
            code, said, err = run(capsys, "query", out, text, "--format", "jsonl")
            assert code == expected
            assert said == run(capsys, "query", str(log), text, "--format", "jsonl")[1]
            assert "Complete:  yes" in err if expected == 0 else "Complete:  NO. 1 line of the window is no JSON" in err


def test_collect_of_a_broken_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is missing of a log makes collecting incomplete, with exit code 3, as it does every query of the case."""
    log, out = tmp_path / "audit.jsonl.gz", tmp_path / "case"
    lines = [json.dumps(audit_event(userAgent=str(number**9))) for number in range(99)]
    log.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0)[:-300])
    code, said, err = run(capsys, "collect", str(log), "--out", str(out))
    assert (code, said) == (3, f"{out}\n")
    assert f"Incomplete:  The compressed data of {log} is cut or damaged; what follows is missing." in err
    assert run(capsys, "verify", str(out))[0] == 0
    assert run(capsys, "query", str(out), "stats count(*) as n")[0] == 3


def test_verify_of_a_damaged_case(
    capsys: pytest.CaptureFixture[str], make_log: Callable[..., Path], tmp_path: Path
) -> None:
    """Each problem is a line on standard error, the exit code is 1, and a query says how to check."""
    out = tmp_path / "case"
    run(capsys, "collect", str(make_log(audit_event())), "--out", str(out))
    (out / "part-00001.jsonl.zst").write_bytes(b"x")
    (out / "more").touch()
    code, said, err = run(capsys, "verify", str(out))
    assert code == 1
    assert said.splitlines()[-1] == "The case is not what was collected."
    assert "eks-audit: part-00001.jsonl.zst has changed: its SHA-256 is another one.\n" in err
    assert "eks-audit: more does not belong to the case.\n" in err
    code, said, err = run(capsys, "query", str(out), "fields @message")
    assert (code, said) == (1, "")
    assert "eks-audit verify" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["collect", "cloudwatch:!", "--out", "case"], "neither a cluster nor a log group"),
        (["collect", "no/such/file", "--out", "case"], "There is no file or folder 'no/such/file'"),
        (["collect", "audit.jsonl", "--out", "audit.jsonl"], "--out takes a folder, and 'audit.jsonl' is a file"),
        (["collect", "audit.jsonl", "--out", "audit.jsonl/case"], "--out takes a folder, and 'audit.jsonl' is a file"),
        (["collect", "audit.jsonl", "--out", "."], "is there already. Give --out a folder that is not there"),
        (["collect", "text.jsonl", "--out", "case"], "holds no audit events"),
        (["verify", "none"], "none is no case: there is no manifest.json in it"),
        (["verify", "audit.jsonl"], "audit.jsonl is no case: a case is a folder"),
        (["verify", "."], ". is no case: there is no manifest.json in it"),
    ],
)
def test_mistakes_with_cases(
    capsys: pytest.CaptureFixture[str],
    make_log: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    """A mistake gives exit code 1 and a message on standard error, and no case."""
    monkeypatch.chdir(make_log(audit_event()).parent)
    make_log("text", name="text.jsonl")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("eks-audit: ") == err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["audit.jsonl", "text.jsonl"]


def test_a_query_is_asked_once(make_log: Callable[..., Path], tmp_path: Path) -> None:
    """A query for a rare text makes no case and leaves nothing behind; any other one makes the case, once."""
    events = [go_json(audit_event(auditID=str(n), verb="delete" if n == 70 else "get")) for n in range(99)]
    log, cache, temporary = make_log(*events), tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()

    def rows(text: str) -> list[str]:
        command = [sys.executable, "-m", "eks_audit_nb.cli", "query", str(log), text, "--format", "csv"]
        own = {**os.environ, "EKS_AUDIT_CACHE": str(cache), "TMPDIR": str(temporary)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=own)
        assert list(temporary.iterdir()) == []
        assert "Complete:  yes" in done.stderr
        return done.stdout.split()[1:]

    assert rows("filter verb = 'delete' | fields auditID") == ["70"]
    assert not cache.exists()
    assert rows("stats count(*) as n") == ["99"]
    (case,) = cache.iterdir()
    assert rows("filter verb = 'delete' | fields auditID") == ["70"]
    assert list(cache.iterdir()) == [case]
