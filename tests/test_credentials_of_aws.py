"""Profiles as boto3 knows them: roles are assumed, and what keeps credentials away is a sentence and no traceback."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fake_sts
import pytest
from botocore.credentials import SSOProvider
from fake_sts import FakeSts

from eks_audit_nb.cli import main
from eks_audit_nb.cluster import logging_status
from eks_audit_nb.errors import CloudWatchError, ClusterError
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.cloudwatch.pacing import Pacer

from fake_cloudwatch import FakeCloudWatch, LogGroup, delivered, serve
from loopback import point_boto3_at
from pacers import hasty

T = 1_795_514_400_000  # 2026-11-24T10:00:00Z
START, END = "2026-11-24T10:00:00Z", "2026-11-24T10:59:59.999Z"
ROLE = "arn:aws:iam::111122223333:role/Audit"
CONFIG = f"""
[profile base]
aws_access_key_id = AKIABASE
aws_secret_access_key = none
[profile audit]
region = ca-central-1
role_arn = {ROLE}
source_profile = base
[profile sso]
region = ca-central-1
sso_start_url = https://example.awsapps.com/start
sso_region = ca-central-1
sso_account_id = 111122223333
sso_role_name = Audit
[profile process]
region = ca-central-1
credential_process = false
"""


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeSts]:
    """CloudWatch with five events of "prod", STS, and boto3 with the profiles of `CONFIG`."""
    events = delivered([(T + number, f'{{"auditID":"{number}"}}') for number in range(5)])
    service = FakeSts()
    with serve(FakeCloudWatch.of(LogGroup("/aws/eks/prod/cluster", events))) as address:
        point_boto3_at(monkeypatch, address)
        for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        (tmp_path / "config").write_text(CONFIG)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        with fake_sts.serve(service) as sts_address:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts_address)
            yield service


def test_an_assumed_role(sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that names a role assumes it with its source profile, when the first question is asked."""
    monkeypatch.setenv("AWS_PROFILE", "audit")
    source = CloudWatchSource("prod", pacer=hasty())
    assert sts.requests == []
    assert len(source.run("fields @timestamp, @message", START, END)) == 5
    assert source.region == "ca-central-1"
    assert source.session.get_credentials().access_key == "ASIAROLE1"
    assert [(request["Action"], request["RoleArn"]) for request in sts.requests] == [("AssumeRole", ROLE)]
    source.close()


def test_one_pacer_a_role(sts: FakeSts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sources by one role share the account's quotas, though each session has a key of its own."""
    monkeypatch.setenv("AWS_PROFILE", "audit")
    pacers: list[Pacer] = []
    for _ in range(2):
        source = CloudWatchSource("prod")
        pacers.append(source._pacer)
        source.close()
    assert pacers[0] is pacers[1]


def _sso_expired(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """What `aws sso login` left long ago, under the SHA-1 of the start URL."""
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(folder))
    name = hashlib.sha1(b"https://example.awsapps.com/start", usedforsecurity=False).hexdigest()
    expired = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    (folder / f"{name}.json").write_text(json.dumps({"accessToken": "none", "expiresAt": expired}))


def _nothing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nobody has logged in."""


@pytest.mark.parametrize(
    ("profile", "prepare", "message"),
    [
        ("sso", _nothing, r"credentials cannot be had: Error loading SSO Token: .* not exist\. Log in again"),
        ("sso", _sso_expired, r"credentials cannot be had: The SSO session .* has expired .* Log in again"),
        ("process", _nothing, "credentials from custom-process"),
        ("nobody", _nothing, r"The config profile \(nobody\) could not be found"),
    ],
)
def test_credentials_that_cannot_be_had(
    sts: FakeSts,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    profile: str,
    prepare: Callable[[pytest.MonkeyPatch, Path], None],
    message: str,
) -> None:
    """A login that has expired, or was never made, and a profile that is not there are errors with what to do."""
    monkeypatch.setenv("AWS_PROFILE", profile)
    prepare(monkeypatch, tmp_path)
    for command in (["query", "cloudwatch:prod", "fields verb"], ["collect", "cloudwatch:prod", "--out", "x"]):
        assert main([*command, "--start", START, "--end", END]) == 1
        said = capsys.readouterr().err
        assert re.search(message, said)
        assert "cannot be reached" not in said


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            ("AccessDenied", f"User: alice is not authorized to perform: sts:AssumeRole on resource: {ROLE}"),
            rf"The role of the profile cannot be had: AccessDenied: .*{ROLE}\. The caller needs sts:AssumeRole,",
        ),
        (("ExpiredToken", "The security token included in the request is expired"), r"ExpiredToken: .*\. Log in again"),
    ],
)
def test_a_role_that_is_refused(
    sts: FakeSts, monkeypatch: pytest.MonkeyPatch, refusal: tuple[str, str], message: str
) -> None:
    """A role that may not be assumed, and an expired login behind it, are told as what they are."""
    monkeypatch.setenv("AWS_PROFILE", "audit")
    sts.refusal = refusal
    source = CloudWatchSource("prod", pacer=hasty())
    with pytest.raises(CloudWatchError, match=message):
        source.run("fields @timestamp", START, END)
    with pytest.raises(ClusterError, match=message):
        logging_status(source.session, "prod")
    source.close()
