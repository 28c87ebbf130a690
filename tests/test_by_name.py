"""From a source's name to the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources import connect
from eks_audit_nb.sources.by_name import absolute, check_source
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from loopback import point_boto3_at


def test_the_sample() -> None:
    """The name "sample" is the log that ships, wherever the working folder is."""
    source = connect("sample")
    assert isinstance(source, FileSource)
    assert source.name == "sample"
    assert not source.is_remote
    source.close()


def test_a_path(make_log: Callable[..., Path]) -> None:
    """A path is a file, a folder or a glob, and stays the source's name as it was given."""
    log = make_log(audit_event())
    for where in (str(log), str(log.parent), f"{log.parent}/*.jsonl"):
        source = connect(where)
        assert isinstance(source, FileSource)
        assert source.name == where
        assert len(source.run("fields auditID")) == 1
        source.close()


def test_a_file_named_sample(make_log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named "sample" does not stand in for the sample; ./sample names it."""
    log = make_log(audit_event(), name="sample")
    monkeypatch.chdir(log.parent)
    for where, events in (("sample", 13_107), ("./sample", 1)):
        source = connect(where)
        assert source.run("stats count(*) as n").frame["n"].tolist() == [events]
        source.close()


def test_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """cloudwatch:CLUSTER is the log group of that cluster, and opening it asks nothing yet."""
    point_boto3_at(monkeypatch, "http://127.0.0.1:9")
    source = connect("cloudwatch:prod")
    assert isinstance(source, CloudWatchSource)
    assert (source.name, source.log_group, source.is_remote) == ("cloudwatch:prod", "/aws/eks/prod/cluster", True)
    source.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", 'The source is empty. Give "sample", a file, a folder, a glob, or "cloudwatch:CLUSTER".'),
        ("  ", "The source is empty."),
        ("cloudwatch:", 'The cluster has no name. Write "cloudwatch:CLUSTER".'),
        ("no/such", "There is no file or folder 'no/such'. Give a file, a folder, a glob in quotes, \"sample\", or"),
        (
            "s3://bucket/logs",
            "Objects in S3 are read once, into a case: eks-audit collect s3://bucket/logs --out CASE.",
        ),
    ],
)
def test_names_of_nothing(name: str, message: str) -> None:
    """A name of nothing is refused when connecting and when checking, and the message says what a source can be."""
    for function in (connect, check_source):
        with pytest.raises(SourceError) as error:
            function(name)
        assert str(error.value).startswith(message)


def test_checking_asks_nobody(make_log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking a source opens no file and asks no service."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for source in ("sample", "cloudwatch:prod", str(make_log("no audit log"))):
        check_source(source)


@pytest.mark.parametrize("name", ["sample", "cloudwatch:prod"])
def test_names_that_hold_everywhere(name: str) -> None:
    """The sample and a cluster have the same name wherever a kernel starts."""
    assert absolute(name) == name


def test_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, a glob and a tilde become a path that is right wherever a kernel starts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute("logs/*.gz") == str(tmp_path / "logs/*.gz")
    assert absolute("~/audit.jsonl") == str(tmp_path / "home/audit.jsonl")
    assert absolute("/logs") == "/logs"
