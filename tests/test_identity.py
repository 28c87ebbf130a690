"""Who somebody is, by the whole log: identities, what connects them, lookalikes, mappings, and the sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb import analysis, attribute
from eks_audit_nb.analysis import identity
from eks_audit_nb.reporting import sentences
from eks_audit_nb.reporting.notebooks import find_notebooks
from eks_audit_nb.reporting.run import DONE, run_report
from eks_audit_nb.sources.cloudtrail import read_cloudtrail
from eks_audit_nb.sources.files import FileSource

ROLES = "arn:aws:iam::111122223333:role"
KEY = "ASIA761512CC952F26FD"
ARN = "arn:aws:iam::111122223333:role/AWSReservedSSO_Developer_3f9d2b7c11aa"
COLUMNS = ("username", "uid", "listed_groups", "arn", "canonical_arn", "session", "access_key", "principal_id")
COLUMNS += ("credential_id", "pod", "node", "impersonated", "addresses", "audit_id")


@pytest.fixture(scope="module")
def identities(sample: FileSource) -> pd.DataFrame:
    return analysis.stated_identities(sample.run("identity_uses").frame)


def stated(*callers: dict[str, str]) -> pd.DataFrame:
    """Identities as the query would give them, each seen once."""
    time = pd.Timestamp("2026-11-24T22:00:00", tz="UTC").as_unit("us")
    frame = pd.DataFrame(
        [{name: caller.get(name) for name in COLUMNS} for caller in callers], columns=COLUMNS, dtype="string"
    )
    return analysis.stated_identities(frame.assign(requests=1, first_seen=time, last_seen=time))


@pytest.fixture(scope="module")
def issuing(sample: FileSource) -> pd.DataFrame:
    return attribute(sample.run("credential_events").frame)


def said(identities: pd.DataFrame, issuing: pd.DataFrame, who: str, trail: pd.DataFrame | None = None) -> str:
    subject, issued = analysis.subject_of(who), analysis.issued_credentials(issuing, analysis.role_sessions(trail))
    found_as = analysis.found_as(identities, subject)
    ways, ties = analysis.credential_ways(subject, identities, issued), analysis.ties(subject, identities)
    summary = analysis.identities_of(identities[found_as.notna()])
    return sentences.identity(subject, found_as, summary, ways, ties, identities)


def test_the_service_counts_the_same(sample: FileSource, identities: pd.DataFrame) -> None:
    """What the query counts is who the events say it was: the same principals, bases, credentials and addresses."""
    everything = sample.run('fields @timestamp, @message | filter @logStream like "kube-apiserver-audit"')
    requests = attribute(everything.frame)
    keys = [
        "principal_kind",
        "principal",
        "principal_basis",
        "session",
        "account",
        "credential",
        "source_ip",
        "acted_as",
    ]
    wanted = requests.groupby(keys, dropna=False).size()
    counted = identities.groupby(keys, dropna=False)["requests"].sum()
    assert counted.sort_index().to_dict() == wanted.sort_index().to_dict()


def test_an_identity_in_a_row(identities: pd.DataFrame) -> None:
    """One row says the kind, the principal, the session, the names, the keys, and on what that rests."""
    found = identities[analysis.found_as(identities, analysis.subject_of(KEY)).notna()]
    (row,) = analysis.identities_of(found).to_dict("records")
    assert (row["kind"], row["principal"], row["session"]) == ("IAM role session", ARN, "alice@example.com")
    assert (row["usernames"], row["credentials"], row["addresses"]) == ("alice", KEY, "198.51.100.21")
    assert (row["basis"], row["requests"]) == ("proven", 191)


def relations(who: str, identities: pd.DataFrame, issued: tuple[str, ...] = ()) -> dict[str, set[str]]:
    ties = analysis.ties(analysis.subject_of(who), identities, issued)
    return {relation: set(rows["username"].dropna()) for relation, rows in ties.groupby("relation")}


def test_connections_of_an_address(identities: pd.DataFrame) -> None:
    """The key and the names that an address used are found elsewhere; a token that it had issued is not in use."""
    found = relations("203.0.113.77", identities, ("JTI=0",))
    assert found[identity.OTHER_ADDRESS] == {"system:node:ip-10-0-1-11.ec2.internal"}
    assert "system:node:ip-10-0-2-11.ec2.internal" in found[identity.OTHER_NAME]
    assert found[identity.NAME_ALONE] == {"system:serviceaccount:kube-system:namespace-controller"}
    assert identity.ISSUED in found


def test_connections_of_names() -> None:
    """Each way of being connected has its name; what is concluded is called inferred."""
    key = {"username": "eve", "access_key": "ASIA0000000000000001", "addresses": '"203.0.113.1"'}
    key |= {"canonical_arn": f"{ROLES}/Dev", "session": "eve"}
    every = stated(
        key,
        {**key, "username": "admin", "addresses": '"10.0.0.1","10.0.0.2"'},
        {**key, "addresses": '"203.0.113.2"'},
        {**key, "access_key": "ASIA0000000000000002", "addresses": '"203.0.113.3"'},
        {**key, "canonical_arn": f"{ROLES}/Other", "access_key": "ASIA3"},
        {"username": "mallory", "impersonated": "eve"},
        {"username": "trent", "addresses": '"203.0.113.1"'},
        {**key, "username": "peggy", "session": "peggy", "access_key": "ASIA4", "addresses": '"10.0.0.9"'},
        {
            **key,
            "username": "x",
            "canonical_arn": "arn:aws:iam::111122223333:role/X",
            "access_key": "A",
            "addresses": "",
        },
        {"username": "walter", "addresses": '"10.0.0.7"'},
    )
    own_key = analysis.ties(analysis.subject_of("ASIA0000000000000001"), every.drop(index=[1, 2]))
    told = own_key.set_index("username")[["relation", "basis"]].drop_duplicates().to_records().tolist()
    assert set(told) == {
        ("eve", identity.OTHER_CREDENTIAL, "proven"),
        ("eve", identity.OTHER_PRINCIPAL, "proven"),
        ("mallory", identity.ACTED_AS_IT, "proven"),
        ("trent", identity.SAME_ADDRESS, "inferred"),
        ("peggy", identity.SAME_ROLE, "proven"),
        ("x", identity.SESSION_NAME, "inferred"),
    }
    by_address = analysis.ties(analysis.subject_of("203.0.113.1"), every)
    assert set(by_address.loc[by_address["relation"] == identity.OTHER_NAME, "username"]) == {"admin"}
    assert "mallory" not in set(by_address["username"])


LOOKALIKES = [
    ({"username": "system:kube-controler-manager"}, "system:kube-controller-manager"),
    ({"username": "system:node:ip-1", "listed_groups": '"system:authenticated"', "uid": ""}, "system:*"),
    ({"username": "kubernetes-adm\u0456n"}, "kubernetes-admin"),
    ({"username": "Kubernetes-Admin"}, "kubernetes-admin"),
    ({"username": "kubernetes-admln"}, "kubernetes-admin"),
    ({"username": "system:serviceaccount:kube-systern:x"}, "system:serviceaccount:kube-system:*"),
    ({"username": "alice\u200b"}, "alice"),
]


@pytest.mark.parametrize(("caller", "resembles"), LOOKALIKES)
def test_lookalikes(caller: dict[str, str], resembles: str) -> None:
    """A name that an eye in a hurry takes for a system's, or for another's, is told with what it resembles."""
    found = analysis.lookalikes(stated(caller, {"username": "alice"}))
    assert list(found["resembles"]) == [resembles]


def test_no_lookalikes(identities: pd.DataFrame) -> None:
    """Real names of the cluster, of AWS and of people look like nobody else."""
    assert analysis.lookalikes(identities).empty


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_names(names: list[str]) -> None:
    """No name breaks the search for lookalikes or for the nearest."""
    every = stated(*({"username": name, "addresses": name} for name in names))
    analysis.lookalikes(every)
    assert len(identity.nearest_identities(every, "".join(names))) <= 4


def test_mappings(identities: pd.DataFrame) -> None:
    """The audit log and the authenticator's log say which ARN is which user; failed logins of it are there too."""
    found = identities[analysis.found_as(identities, analysis.subject_of("alice")).notna()]
    start = 'time="2026-11-24T22:00:00Z" level=info'
    lines = [
        f'{start} msg="access granted" arn="{ARN}" username=alice groups="[dev]"',
        f'{start} msg="access denied" arn="{ARN}" error="ARN is not mapped"',
        f'{start} msg="access granted" arn="arn:aws:iam::111122223333:role/Other" username=other',
    ]
    log = analysis.authenticator_log(pd.DataFrame({"@message": lines}))
    told = analysis.mappings(found, log)[["arn", "outcome", "seen_in", "times"]].to_records(index=False).tolist()
    assert told == [
        (ARN, "became this user", "audit log", 191),
        (ARN, "became this user", "authenticator log", 1),
        (ARN, "turned away: ARN is not mapped", "authenticator log", 1),
    ]
    assert analysis.mappings(found.iloc[:0], log.iloc[:0]).empty
    node = identities[identities["username"] == "system:node:ip-10-0-1-11.ec2.internal"]
    (arn,) = set(analysis.mappings(node, log.iloc[:0])["arn"])
    assert arn.startswith("arn:aws:iam::111122223333:role/eksctl-prod-use1-nodegroup-NodeInstanceRole")
    assert "not in files" in sentences.mapping_caption(log.iloc[:0], is_remote=False)
    assert "both logs" in sentences.mapping_caption(log, is_remote=True)


def test_a_person_is_inferred_or_unknown(identities: pd.DataFrame, issuing: pd.DataFrame) -> None:
    """A session's name is no proof of a person, and without one the sentence says where to look."""
    text = said(identities, issuing, "alice")
    assert text.startswith(f"alice, found as a username, is the IAM role session {ARN}, session alice@example.com in")
    assert "Who holds it, inferred and not proven: IAM Identity Center names a session after the login: alice" in text
    assert text.endswith("carol acted as it (1 request): that is their doing.")
    assert "Which person holds it, this log does not say: CloudTrail does." in said(
        identities, issuing, "kubernetes-admin"
    )


def assume_role() -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventID": "e-1",
        "eventTime": "2026-11-24T22:20:00Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithSAML",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.21",
        "userIdentity": {"type": "SAMLUser", "userName": "alice@example.com", "principalId": "x"},
        "requestParameters": {"roleArn": ARN, "roleSessionName": "alice@example.com"},
        "responseElements": {
            "credentials": {"accessKeyId": KEY},
            "assumedRoleUser": {"arn": f"{ARN}/alice@example.com"},
        },
    }


def test_a_person_that_cloudtrail_names(identities: pd.DataFrame, issuing: pd.DataFrame, tmp_path: Path) -> None:
    """With CloudTrail's event of the key the person behind it is told as proven."""
    path = tmp_path / "trail.json"
    path.write_text(json.dumps({"Records": [assume_role()]}))
    text = said(identities, issuing, KEY, read_cloudtrail(path))
    assert "Who holds it: CloudTrail names alice@example.com, as the identity provider named the user." in text


def test_several_and_none(identities: pd.DataFrame, issuing: pd.DataFrame) -> None:
    """An address is shared; a token that nobody used was still issued; a wrong name gets the nearest one."""
    text = said(identities, issuing, "203.0.113.77")
    assert "found as a source address, is shared by 3 identities: the service account system:serviceaccount:ci:" in text
    assert "Several can share an address." in text
    text = said(identities, issuing, "fadf1374-b802-42c3-a45c-5f93f9bb3881")
    assert (
        "issued at the request of system:serviceaccount:ci:deployer from 203.0.113.77 (proven). Nobody used it" in text
    )
    assert (
        said(identities, issuing, "alise") == "Nobody authenticated as alise in this window. Nearest in the log: alice."
    )
    assert said(identities, issuing, "").startswith("Nobody was asked for: name somebody.")
    assert "is whoever did not authenticate" in said(identities, issuing, "system:anonymous")


def test_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebooks run with nobody named, and with a file of CloudTrail's events."""
    monkeypatch.chdir(tmp_path)
    Path("trail.json").write_text(json.dumps({"Records": [assume_role()]}))
    values = {"principal": "", "who": KEY, "cloudtrail": "trail.json"}
    report = run_report("sample", find_notebooks(["07", "08"]), tmp_path, parameters=values, progress=False)
    assert report.exit_code == DONE, [run.error for run in report.runs]
    assert report.runs[0].headline.startswith("Nobody was asked for")
    assert "CloudTrail names alice@example.com" in report.runs[1].headline
