"""A text that names somebody is understood by its form, and finds the requests that are meant."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.subjects import Subject, found_as, subject_of
from eks_audit_nb.sources.files import FileSource

USER = "arn:aws:iam::111122223333:user/team/bob"
UUID = "25913c60-0f40-495f-8f68-9d902c34fbd5"
ROLE = "arn:aws:iam::111122223333:role/AWSReservedSSO_Developer_3f9d2b7c11aa"
SESSION = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Developer_3f9d2b7c11aa/alice@example.com"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Subject("", "nobody")),
        ("  alice ", Subject("alice", "name")),
        ("203.0.113.77", Subject("203.0.113.77", "source address")),
        ("::ffff:203.0.113.77", Subject("203.0.113.77", "source address")),
        ("[2001:DB8:0::1]", Subject("2001:db8::1", "source address")),
        ("ci/deployer", Subject("system:serviceaccount:ci:deployer", "service account")),
        ("system:serviceaccount:ci:deployer", Subject("system:serviceaccount:ci:deployer", "service account")),
        ("system:node:ip-10-0-1-11", Subject("system:node:ip-10-0-1-11", "node")),
        ("asia761512cc952f26fd", Subject("ASIA761512CC952F26FD", "access key")),
        (f"JTI={UUID.upper()}", Subject(UUID, "token")),
        (UUID, Subject(UUID, "name")),
        ("X509SHA256=ab01", Subject("X509SHA256=ab01", "client certificate")),
        (SESSION, Subject(SESSION, "ARN of a role session")),
        (
            USER,
            Subject(USER, "ARN of an IAM user"),
        ),
        (ROLE.replace("role/", "role/aws-reserved/sso.amazonaws.com/eu-west-1/"), Subject(ROLE, "ARN of an IAM role")),
        ("AROA40936BDBA507B755C", Subject("AROA40936BDBA507B755C", "IAM id")),
        ("AROA40936BDBA507B755C:bob@x", Subject("AROA40936BDBA507B755C", "IAM id", "bob@x")),
        ("aws-iam-authenticator:111122223333:AROA40936BDBA507B755C", Subject("AROA40936BDBA507B755C", "IAM id")),
    ],
)
def test_forms(text: str, wanted: Subject) -> None:
    """Each form is told from the others, and brought into the spelling of an event's fields."""
    assert subject_of(text) == wanted


@given(st.text())
def test_any_text(text: str) -> None:
    """No text breaks it, and what comes of it means the same when it is given again."""
    subject = subject_of(text)
    assert subject_of(subject.text).text == subject.text


def found(sample: FileSource, text: str) -> tuple[set[str], set[str]]:
    subject = subject_of(text)
    requests = attribute(sample.run("principal_activity", principal=subject.text).frame)
    result = found_as(requests, subject)
    return set(result.dropna()), set(requests.loc[result.notna(), "username"].dropna())


@pytest.mark.parametrize(
    ("text", "kind", "username"),
    [
        ("alice", "username", "alice"),
        ("alice@example.com", "session name", "alice"),
        ("ASIA761512CC952F26FD", "access key", "alice"),
        ("AROA40936BDBA507B755C", "IAM id", "alice"),
        (SESSION, "ARN", "alice"),
        (UUID, "token", "system:serviceaccount:ci:deployer"),
        ("ci/deployer", "username", "system:serviceaccount:ci:deployer"),
        ("ip-10-0-1-11.ec2.internal", "node", "system:node:ip-10-0-1-11.ec2.internal"),
    ],
)
def test_found_in_the_log(sample: FileSource, text: str, kind: str, username: str) -> None:
    """The query and the rule together find a caller by every name that it has."""
    assert found(sample, text) == ({kind}, {username})


def test_a_role_is_shared(sample: FileSource) -> None:
    """The ARN of a role finds all its sessions, that of a session only its own."""
    assert found(sample, ROLE) == ({"ARN"}, {"alice", "dave"})


def test_the_query_and_the_whole_log_agree(sample: FileSource) -> None:
    """What the query leaves out is nobody's: the whole log finds no more than what it gives."""
    everything = attribute(sample.run("fields @timestamp, @message").frame)
    for text in ("bob", "203.0.113.77", "ASIAA8E01C95B0846E98", "payments/payments-api", ROLE):
        subject = subject_of(text)
        given = attribute(sample.run("principal_activity", principal=subject.text).frame)
        assert found_as(given, subject).notna().sum() == found_as(everything, subject).notna().sum() > 0


def test_nobody(sample: FileSource) -> None:
    """An empty text is nobody, though fields of events are empty too."""
    requests = attribute(sample.run("principal_activity", principal="").frame)
    assert found_as(requests, subject_of(" ")).isna().all()
    assert found_as(requests.iloc[:0], subject_of("alice")).empty


def test_the_name_of_another_kind(sample: FileSource) -> None:
    """An address that only a client claims, and a name that only was acted as, find nobody."""
    requests = attribute(sample.run("principal_activity", principal="alice").frame)
    carol = requests[requests["acted_as"].eq("alice").fillna(False)]
    assert set(carol["username"]) == {"carol"}
    assert found_as(carol, subject_of("alice")).isna().all()
    claimed = pd.concat([requests.head(1)]).assign(claimed_ips="203.0.113.9")
    assert found_as(claimed, subject_of("203.0.113.9")).isna().all()
