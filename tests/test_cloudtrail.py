"""CloudTrail: exported in every form, or asked of the service within its limits, and never less in silence."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb.cloudtrail_events import ACCESS_OPERATIONS, COLUMNS, cloudtrail_frame
from eks_audit_nb.errors import CloudTrailError
from eks_audit_nb.sources.base import RESULT_MIMETYPE
from eks_audit_nb.sources.cloudtrail import exported_trail, lookup_cloudtrail, read_cloudtrail, trail_of
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource
from eks_audit_nb.window import Window, to_milliseconds

from conftest import audit_event
from fake_cloudtrail import POLICY, FakeCloudTrail, as_looked_up, assume_role_event, cloudtrail_event, serve
from loopback import point_boto3_at

ROLE = "arn:aws:iam::111122223333:role/Shadow"
ENCODED = "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FShadow"
T0 = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


def policy_event(moment: str | datetime = T0, cluster: str = "prod", **changes: Any) -> dict[str, Any]:
    """Somebody gives the cluster to the role Shadow."""
    asked = {
        "name": cluster,
        "principalArn": ENCODED,
        "policyArn": f"{POLICY}/AmazonEKSClusterAdminPolicy",
        "accessScope": {"type": "cluster"},
    }
    return cloudtrail_event("AssociateAccessPolicy", moment, asked, **changes)


EVENTS = [
    cloudtrail_event("CreateAccessEntry", "2026-11-24T22:29:00Z", {"name": "prod", "principalArn": ROLE}),
    policy_event(),
    assume_role_event("2026-11-24T22:20:00Z", "ASIABOB"),
]
IN_ORDER = ["AssumeRole", "CreateAccessEntry", "AssociateAccessPolicy"]


def write(path: Path, content: object) -> Path:
    """Content as JSON, one text a line where it is a tuple; gzipped where the name says so."""
    texts = [json.dumps(each) for each in content] if isinstance(content, tuple) else [json.dumps(content)]
    data = "\n".join(texts).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# --- exported events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("delivered.json", {"Records": EVENTS}),
        ("delivered.json.gz", {"Records": EVENTS}),
        ("reply.json", {"Events": [as_looked_up(event) for event in EVENTS], "NextToken": "x"}),
        ("list.json", EVENTS),
        ("lines.jsonl", tuple(EVENTS)),
        ("deliveries.jsonl", tuple({"Records": [event]} for event in EVENTS)),
        ("lookups.jsonl", tuple(as_looked_up(event) for event in EVENTS)),
        ("bridge.jsonl", tuple({"detail-type": "AWS API Call via CloudTrail", "detail": event} for event in EVENTS)),
    ],
)
def test_every_form(tmp_path: Path, name: str, content: object) -> None:
    """Events are read from deliveries to S3, replies, lists, lines and EventBridge, in the order of time."""
    frame = read_cloudtrail(write(tmp_path / name, content))
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == COLUMNS
    assert list(frame["event_name"]) == IN_ORDER


def test_spread_over_lines(tmp_path: Path) -> None:
    """A reply that is set out over many lines, as AWS's command line prints it, is one text."""
    path = tmp_path / "pretty.json"
    path.write_text(json.dumps({"Records": EVENTS}, indent=4))
    assert list(read_cloudtrail(path)["event_name"]) == IN_ORDER


def test_a_folder(tmp_path: Path) -> None:
    """A bucket's folder is read whole; digests beside the events are passed over, and an event counts once."""
    folder = tmp_path / "AWSLogs" / "111122223333"
    folder.mkdir(parents=True)
    write(folder / "a.json.gz", {"Records": EVENTS[:2]})
    write(folder / "b.json.gz", {"Records": EVENTS[1:]})
    write(folder / "digest.json.gz", {"digestStartTime": "2026-11-24T22:00:00Z", "logFiles": []})
    write(folder / "empty.json", {"Records": []})
    assert list(read_cloudtrail(tmp_path)["event_name"]) == IN_ORDER
    assert list(read_cloudtrail(str(tmp_path / "AWSLogs" / "*" / "a*"))["event_name"]) == IN_ORDER[1:]


def test_columns_of_eks(tmp_path: Path) -> None:
    """Who asked, with which key and from where, for which cluster, whose entry, which policy and scope."""
    row = read_cloudtrail(write(tmp_path / "x.json", {"Records": EVENTS})).iloc[2]
    assert row["time"] == pd.Timestamp(T0)
    assert row["arn"] == "arn:aws:sts::111122223333:assumed-role/Admin/alice"
    assert row["session_issuer"] == "arn:aws:iam::111122223333:role/Admin"
    assert (row["access_key"], row["source_ip"], row["user_agent"]) == ("ASIAALICE", "198.51.100.21", "aws-cli/2.30")
    assert (row["cluster"], row["entry_principal"]) == ("prod", ROLE)
    assert row["policy_arn"] == f"{POLICY}/AmazonEKSClusterAdminPolicy"
    assert (row["scope"], row["account"], row["region"]) == ("cluster", "111122223333", "eu-west-1")
    assert pd.isna(row["error_code"])
    assert json.loads(row["raw"]) == EVENTS[1]


def test_columns_of_sts(tmp_path: Path) -> None:
    """An AssumeRole says who assumed what, and which access key was issued: the one that an audit event shows."""
    row = read_cloudtrail(write(tmp_path / "x.json", {"Records": EVENTS})).iloc[0]
    assert (row["arn"], row["user_name"], row["access_key"]) == ("arn:aws:iam::111122223333:user/bob", "bob", "AKIABOB")
    assert (row["role_arn"], row["role_session_name"]) == ("arn:aws:iam::111122223333:role/Admin", "bob@example.com")
    assert row["assumed_arn"] == "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com"
    assert (row["issued_access_key"], row["source_identity"]) == ("ASIABOB", "bob")
    assert pd.isna(row["cluster"])


def test_scope_of_namespaces(tmp_path: Path) -> None:
    """A policy for some namespaces names them."""
    asked = {"name": "prod", "principalArn": ROLE, "accessScope": {"type": "namespace", "namespaces": ["a", "b"]}}
    path = write(tmp_path / "x.json", cloudtrail_event("AssociateAccessPolicy", T0, asked))
    assert read_cloudtrail(path)["scope"].iloc[0] == "namespace: a, b"


def test_errors_are_kept(tmp_path: Path) -> None:
    """A request that failed has its code and message."""
    event = policy_event(errorCode="AccessDenied", errorMessage="not authorized")
    row = read_cloudtrail(write(tmp_path / "x.json", event)).iloc[0]
    assert (row["error_code"], row["error_message"]) == ("AccessDenied", "not authorized")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"Records": [', "1 piece is no JSON"),
        (json.dumps(EVENTS[0]).encode() + b"\n{broken\n", "1 piece is no JSON"),
        (b"{broken\n" + json.dumps(EVENTS[0]).encode(), "1 piece is no JSON"),
        (json.dumps(EVENTS[0]).encode() + b'\n{"kind": "Event"}', "1 piece is no event of CloudTrail"),
        (gzip.compress(json.dumps(EVENTS[0]).encode() + b"\n" + b" " * 100_000 + b"{}")[:-20], "is cut or damaged"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    """A part that cannot be read is an error that names the file; what can be read is there for who asks for it."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(CloudTrailError, match=said) as caught:
        read_cloudtrail(path)
    assert "x.json" in str(caught.value)
    if b"CreateAccessEntry" in content:
        trail = exported_trail(str(path))
        assert len(trail.frame) == 1
        assert not trail.complete


def test_nothing_there(tmp_path: Path) -> None:
    """A path that is not there, a folder without JSON and a log of another kind are each said to be so."""
    with pytest.raises(CloudTrailError, match="There is no file or folder"):
        read_cloudtrail(tmp_path / "none.json")
    with pytest.raises(CloudTrailError, match="holds no file of CloudTrail's events"):
        read_cloudtrail(tmp_path)
    path = write(tmp_path / "audit.jsonl", (audit_event(),))
    with pytest.raises(CloudTrailError, match="holds no event of CloudTrail"):
        read_cloudtrail(path)


def test_a_window_of_an_export(tmp_path: Path) -> None:
    """Events outside the window are left out and counted; times are whole seconds."""
    path = write(tmp_path / "x.json", {"Records": EVENTS})
    moment = to_milliseconds(T0)
    trail = exported_trail(str(path), Window(moment + 900, moment + 1000))
    assert list(trail.frame["event_name"]) == ["AssociateAccessPolicy"]
    assert trail.said == "1 event of CloudTrail in 1 file. 2 events lie outside the window."
    assert trail.complete


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(policy_event())), VALUES))
def test_any_value_is_survived(changes: dict[str, Any]) -> None:
    """Whatever stands in the place of a value, an event gives one row with the dtypes that are promised."""
    frame = cloudtrail_frame([{**policy_event(), **changes}])
    assert len(frame) == 1
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == COLUMNS


# --- the service ----------------------------------------------------------------------------------------------------


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudTrail]:
    """CloudTrail with the events of two clusters, and boto3 pointed at it."""
    fake = FakeCloudTrail(now=T0 + timedelta(hours=1), requests_per_second=1000)
    fake.events = [*EVENTS, policy_event(cluster="other"), policy_event(T0 - timedelta(days=2))]
    with serve(fake) as address:
        point_boto3_at(monkeypatch, cloudtrail=address)
        yield fake


SESSION = boto3.Session(region_name="eu-west-1")  # reads the API's model once


def looked_up(**changes: Any) -> pd.DataFrame:
    window = {"start": T0 - timedelta(hours=1), "end": T0 + timedelta(hours=1)}
    return lookup_cloudtrail(SESSION, "prod", **{"requests_per_second": 1000, **window, **changes})


def test_lookup(service: FakeCloudTrail) -> None:
    """The service is asked for each operation in the window, and gives the events of this cluster alone."""
    frame = looked_up()
    assert list(frame["event_name"]) == IN_ORDER[1:]
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == COLUMNS
    assert set(frame["cluster"]) == {"prod"}
    assert [each["LookupAttributes"][0]["AttributeValue"] for each in service.requests] == list(ACCESS_OPERATIONS)


def test_pages(service: FakeCloudTrail) -> None:
    """All pages are fetched."""
    service.events = [policy_event(T0 + timedelta(seconds=number)) for number in range(120)]
    assert len(looked_up(names=["AssociateAccessPolicy"])) == 120
    assert len(service.requests) == 3


def test_a_page_that_leads_to_itself(service: FakeCloudTrail) -> None:
    """Pages that come again and again are an error and no endless loop."""
    service.events = [policy_event(T0 + timedelta(seconds=number)) for number in range(120)]
    service.is_repeating = True
    with pytest.raises(CloudTrailError, match="the same page of AssociateAccessPolicy again"):
        looked_up(names=["AssociateAccessPolicy"])


def test_the_quota_is_kept(service: FakeCloudTrail) -> None:
    """At the pace that CloudTrail allows nothing is throttled."""
    service.requests_per_second = 2
    looked_up(names=ACCESS_OPERATIONS[:4], requests_per_second=2)
    assert (len(service.requests), service.throttled) == (4, 0)


def test_throttled(service: FakeCloudTrail) -> None:
    """Where others use up the quota too, the requests are sent again until they are answered."""
    service.requests_per_second = 4
    frame = looked_up(names=ACCESS_OPERATIONS[:8])
    assert service.throttled > 0
    assert list(frame["event_name"]) == IN_ORDER[1:]


def test_forbidden(service: FakeCloudTrail) -> None:
    """A caller who may not ask is told which permission is missing, after one request."""
    service.is_forbidden = True
    with pytest.raises(CloudTrailError, match=r"AccessDeniedException: .* The caller needs cloudtrail:LookupEvents"):
        looked_up()


def test_a_request_without_parameters(service: FakeCloudTrail) -> None:
    """A denied request whose cluster was not recorded is kept: it may have been about this one."""
    service.events = [cloudtrail_event("CreateAccessEntry", T0, None, errorCode="AccessDenied")]
    assert len(looked_up(names=["CreateAccessEntry"])) == 1


# --- beside a source ------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(service: FakeCloudTrail) -> Iterator[CloudWatchSource]:
    """A cluster with a CloudTrail."""
    source = CloudWatchSource("prod", session=SESSION)
    yield source
    source.close()


WINDOW = ("2026-11-24T22:00:00Z", "2026-11-24T23:00:00Z")


def test_of_a_cluster(cluster: CloudWatchSource) -> None:
    """For a cluster the service is asked for the window, and the result is one that a report can count."""
    trail = trail_of(cluster, "", *WINDOW, requests_per_second=1000)
    assert trail.is_read
    assert trail.complete
    assert len(trail.frame) == 2
    assert trail.said.startswith("2 events of the EKS API about access to prod in CloudTrail.")
    shown = trail._repr_mimebundle_()
    assert shown[RESULT_MIMETYPE]["rows"] == 2
    assert shown[RESULT_MIMETYPE]["start"] == "2026-11-24T22:00:00+00:00"
    assert "2 events of the EKS API" in shown["text/html"]


def test_a_refusal_is_a_sentence(cluster: CloudWatchSource, service: FakeCloudTrail) -> None:
    """Where the caller may not ask, that is told with the permission, and is no error."""
    service.is_forbidden = True
    trail = trail_of(cluster, "", *WINDOW, requests_per_second=1000)
    assert not trail.is_read
    assert trail.frame.empty
    assert "The caller needs cloudtrail:LookupEvents" in trail.problem
    assert RESULT_MIMETYPE not in trail._repr_mimebundle_()


def test_further_back_than_cloudtrail_holds(cluster: CloudWatchSource) -> None:
    """A window that begins before the last 90 days is incomplete, and says where the rest is."""
    trail = trail_of(cluster, "", "2020-01-01", "2020-01-02", requests_per_second=1000)
    assert not trail.complete
    assert "last 90 days only" in trail.reasons[0]


def test_an_export_for_a_cluster(cluster: CloudWatchSource, service: FakeCloudTrail, tmp_path: Path) -> None:
    """Where an export is named the service is not asked."""
    path = write(tmp_path / "x.json", {"Records": EVENTS})
    trail = trail_of(cluster, str(path), *WINDOW)
    assert (len(trail.frame), trail.cluster) == (3, "prod")
    assert service.requests == []


def test_of_a_file(make_log: Callable[..., Path], tmp_path: Path) -> None:
    """For a file nothing is asked, or the export that is named: whole, or in the window that was asked for."""
    source = FileSource(str(make_log(audit_event())))
    assert not trail_of(source).is_read
    assert trail_of(source).problem == ""
    path = str(write(tmp_path / "trail.json", {"Records": EVENTS}))
    assert len(trail_of(source, path).frame) == 3
    assert len(trail_of(source, path, "2026-11-24T22:29:30Z", "2026-11-24T23:00:00Z").frame) == 1
    source.close()
