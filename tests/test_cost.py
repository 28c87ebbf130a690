"""What a query costs is told before and behind it, and what would cost more than is allowed is not started."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from test_console import decoded

from eks_audit_nb.cli import main
from eks_audit_nb.errors import CloudWatchError, QueryError
from eks_audit_nb.sources import connect
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.window import to_text

from conftest import audit_event
from fake_cloudwatch import Behaviour, FakeCloudWatch, Fault, LogGroup, Occasions, delivered, serve
from loopback import point_boto3_at
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR = 3_600_000
PROD = "/aws/eks/prod/cluster"
START, END = to_text(T), to_text(T + HOUR - 1)
ROWS = "fields @timestamp, verb"
COUNT = "stats count(*) as n"
GROUP = LogGroup(PROD, delivered((T + 10_000 * number, json.dumps(audit_event())) for number in range(360)))
BYTES = GROUP.stored_bytes()


@pytest.fixture(scope="module")
def server() -> Iterator[FakeCloudWatch]:
    """The service, and boto3 pointed at it."""
    fake = FakeCloudWatch.of()
    with serve(fake) as address, pytest.MonkeyPatch.context() as monkeypatch:
        point_boto3_at(monkeypatch, address)
        yield fake


@pytest.fixture
def service(server: FakeCloudWatch) -> FakeCloudWatch:
    """The service as new, with an hour of events."""
    server.become(GROUP)
    return server


def opened(max_rows: int = 100_000, **changes: object) -> CloudWatchSource:
    """The cluster as a source."""
    return CloudWatchSource("prod", pacer=hasty(), max_rows=max_rows, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "max_rows", "times"), [(COUNT, 100, 1), (ROWS, 100_000, 1), (ROWS, 100, 2)])
def test_estimate(service: FakeCloudWatch, text: str, max_rows: int, times: int) -> None:
    """The estimate is the service's own, scans nothing, and says whether the window may be read twice."""
    source = opened(max_rows, dollars_per_gigabyte=2.0)
    estimate = source.estimate(text, START, END)
    assert estimate.bytes_scanned == BYTES
    assert estimate.most_bytes == times * BYTES
    assert service.bytes_scanned == 0
    assert f"${BYTES * 2 / 1e9:.4f} at $2 a GB" in estimate.summary()["Would scan"]
    result = source.run(text, START, END)
    source.close()
    assert result.statistics.bytes_scanned == service.bytes_scanned <= estimate.most_bytes
    assert result.statistics.dollars == pytest.approx(service.bytes_scanned * 2 / 1e9)


@pytest.mark.parametrize(("text", "max_rows", "times"), [(COUNT, 100, 1), (ROWS, 100_000, 1), (ROWS, 100, 2)])
def test_max_bytes(service: FakeCloudWatch, text: str, max_rows: int, times: int) -> None:
    """What may scan more than is allowed is refused before anything is scanned; what may not is answered."""
    source = opened(max_rows, max_bytes=times * BYTES - 1)
    with pytest.raises(CloudWatchError, match="This would scan up to .* and max_bytes allows"):
        source.run(text, START, END)
    assert service.bytes_scanned == 0
    source.max_bytes = times * BYTES
    assert len(source.run(text, START, END))
    source.close()


def test_max_bytes_when_the_estimate_was_wrong(service: FakeCloudWatch) -> None:
    """Tries of a query that fails count too: none is started once so much was scanned."""
    source = opened(max_bytes=BYTES)
    service.behaviour.faults = {Fault.FAIL: Occasions(every=1, action="")}
    service.behaviour.final_status = "Complete"
    with pytest.raises(CloudWatchError):
        source.run(COUNT, START, END)
    source.close()
    assert service.bytes_scanned <= BYTES


@pytest.mark.parametrize("text", [ROWS, COUNT])
def test_no_estimate(service: FakeCloudWatch, text: str) -> None:
    """A service without estimates is planned for without; only what needs one is refused."""
    service.behaviour = Behaviour(timeout_above=-1)
    source = opened()
    with pytest.raises(CloudWatchError, match="estimate"):
        source.estimate(text, START, END)
    source.max_bytes = 10**9
    with pytest.raises(CloudWatchError, match="estimate"):
        source.run(text, START, END)
    source.close()


def test_a_wrong_text_is_told_in_the_user_s_own(service: FakeCloudWatch) -> None:
    """What the service refuses in a text that was made for planning is told in the text that was written."""
    text = "fields verb | filter verb like /(?=x)/ | sort objectRef.name"
    source = opened()
    with pytest.raises(QueryError) as error:
        source.run(text, START, END)
    source.close()
    assert error.value.query == text
    assert text[error.value.start : error.value.end] == "/(?=x)/"


def test_the_console(service: FakeCloudWatch) -> None:
    """A result carries the link to the same query, window and log group."""
    result = opened().run(f"{ROWS} | sort objectRef.name", START, END)
    detail = decoded(result.console_url)
    assert detail["editorString"] == result.query == f"{ROWS} | sort objectRef.name"
    assert (detail["start"], detail["end"]) == ("2026-11-24T10:00:00.000Z", "2026-11-24T10:59:59.999Z")
    assert detail["source"] == [PROD]
    assert "region=eu-west-1#" in result.console_url


def test_connect(service: FakeCloudWatch) -> None:
    """Price and bound are given where a source is opened; for files they have no meaning and do no harm."""
    source = connect("cloudwatch:prod", dollars_per_gigabyte=0.0063, max_bytes=1000)
    assert isinstance(source, CloudWatchSource)
    assert (source.dollars_per_gigabyte, source.max_bytes) == (0.0063, 1000)
    source.close()
    connect("sample", dollars_per_gigabyte=0.0063, max_bytes=1000).close()


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_command(service: FakeCloudWatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`eks-audit estimate` prints bytes and dollars, at the price that is given, and scans nothing."""
    assert main(["estimate", "cloudwatch:prod", COUNT, "--start", START, "--end", END, "--price", "3"]) == 0
    out = capsys.readouterr().out
    assert f"Would scan:  {BYTES / 1e3:.1f} kB, ${BYTES * 3 / 1e9:.4f} at $3 a GB" in out
    assert service.bytes_scanned == 0


def test_the_command_counts_parameters(service: FakeCloudWatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A query that ships is estimated with its parameters."""
    given = [
        "estimate",
        "cloudwatch:prod",
        "refused_requests",
        "-p",
        "username",
        "alice",
        "--start",
        START,
        "--end",
        END,
    ]
    assert main(given) == 0
    assert "AWS's us-east-1 list price" in capsys.readouterr().out
    (text,) = [request["queryString"] for action, request in service.requests if action == "StartQuery"]
    assert '"alice"' in text


def test_the_bound_on_the_command_line(service: FakeCloudWatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--max-bytes` refuses what would scan more, as an error."""
    given = ["query", "cloudwatch:prod", COUNT, "--start", START, "--end", END, "--format", "jsonl", "--max-bytes"]
    assert main([*given, str(BYTES - 1)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "max_bytes allows" in said.err
    assert main([*given, str(BYTES)]) == 0
    assert capsys.readouterr().out == '{"n": 360}\n'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["estimate", "sample", COUNT], "To read files costs nothing."),
        (["estimate", "cloudwatch:", COUNT], "The cluster has no name."),
    ],
)
def test_nothing_to_estimate(capsys: pytest.CaptureFixture[str], given: list[str], message: str) -> None:
    """Files cost nothing, and a cluster has a name."""
    assert main(given) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("price", ["cheap", "-1", "nan", "inf"])
def test_prices(capsys: pytest.CaptureFixture[str], price: str) -> None:
    """A price is a number of dollars."""
    with pytest.raises(SystemExit, match="1"):
        main(["estimate", "cloudwatch:prod", COUNT, f"--price={price}"])
    assert "takes dollars" in capsys.readouterr().err
