"""The IAM authenticator's log: who became whom, and who was turned away."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.authenticator import COLUMNS, authenticator_log, failed_logins, mapped_users
from eks_audit_nb.sources.files import FileSource

GRANTED = (
    'time="2026-11-24T10:00:00Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/Ops" '
    'client="127.0.0.1:57586" groups="[system:masters ops]" method=POST path=/authenticate '
    'uid="aws-iam-authenticator:111122223333:AROAEXAMPLE" username=kubernetes-admin'
)
DENIED = (
    'time="2026-11-24T10:00:01Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Test" '
    'client="127.0.0.1:33384" error="ARN is not mapped" method=POST path=/authenticate'
)
REFUSED = (
    'time="2026-11-24T10:00:02Z" level=warning msg="access denied" client="127.0.0.1:1" '
    r'error="sts getCallerIdentity failed: {\"Error\":{\"Code\":\"InvalidClientTokenId\"}}" method=POST'
)
STS = (
    'time="2026-11-24T10:00:00Z" level=info msg="STS response" accountid=111122223333 '
    'arn="arn:aws:sts::111122223333:assumed-role/Ops/alice" client="127.0.0.1:1" session=alice userid=AROAEXAMPLE'
)


def log(*lines: str) -> pd.DataFrame:
    found = authenticator_log(pd.DataFrame({"@message": pd.Series(lines, dtype="string")}))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    return found


def test_granted() -> None:
    """A login says which ARN became which user with which groups."""
    (row,) = log(GRANTED).to_dict("records")
    assert row["time"] == pd.Timestamp("2026-11-24T10:00:00Z")
    assert (row["outcome"], row["username"]) == ("granted", "kubernetes-admin")
    assert (row["arn"], row["groups"]) == ("arn:aws:iam::111122223333:role/Ops", "system:masters, ops")
    assert row["uid"] == "aws-iam-authenticator:111122223333:AROAEXAMPLE"


def test_denied() -> None:
    """A refusal says who and why; what was quoted in it is unquoted."""
    rows = log(DENIED, REFUSED)
    assert rows["outcome"].tolist() == ["denied", "denied"]
    assert rows["error"].tolist() == [
        "ARN is not mapped",
        'sts getCallerIdentity failed: {"Error":{"Code":"InvalidClientTokenId"}}',
    ]
    assert rows["arn"].isna().tolist() == [False, True]


def test_other_lines() -> None:
    """Lines about something else, without quotes, in another form or empty are kept as they are."""
    rows = log(STS, "I1124 10:00:00.000000 1 main.go:1] started", "", '{"msg": "x"}', 'msg="access granted')
    assert set(rows["outcome"]) == {"other"}
    assert rows["session"].tolist()[0] == "alice"
    assert rows["raw"].tolist()[1].startswith("I1124")


def test_the_log_stream_stands_in_for_the_time() -> None:
    """A line without a time of its own has the time at which it was received."""
    time = pd.Timestamp("2026-11-24T10:00:00Z")
    frame = pd.DataFrame({"@timestamp": [time], "@message": ["msg=x"]}).astype({"@timestamp": "datetime64[us, UTC]"})
    assert authenticator_log(frame)["time"].tolist() == [time]


def test_the_first_of_two_values_counts() -> None:
    """What is written again further on in a line does not replace what the program wrote first."""
    (row,) = log(f'{GRANTED} msg="access denied" username=mallory').to_dict("records")
    assert (row["outcome"], row["username"]) == ("granted", "kubernetes-admin")


def test_counts() -> None:
    """Users and failures are counted, the most frequent first."""
    rows = log(GRANTED, DENIED, GRANTED, REFUSED, DENIED, STS)
    (user,) = mapped_users(rows).to_dict("records")
    assert (user["arn"], user["username"], user["logins"]) == (
        "arn:aws:iam::111122223333:role/Ops",
        "kubernetes-admin",
        2,
    )
    assert failed_logins(rows)["failures"].tolist() == [2, 1]
    assert len(mapped_users(log())) == len(failed_logins(log())) == 0


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(TEXTS, max_size=5))
def test_any_line(lines: list[str]) -> None:
    """No line breaks the reader, and each stays one row with its text."""
    assert log(*lines)["raw"].tolist() == lines


@given(TEXTS)
def test_quoted_values_come_back(value: str) -> None:
    """A value that is quoted as the authenticator quotes comes back whole."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    (row,) = log(f'msg="access denied" error="{quoted.replace(chr(13), chr(92) + "r")}"').to_dict("records")
    assert (row["error"] if isinstance(row["error"], str) else "") == value


def test_only_its_streams(sample: FileSource) -> None:
    """The query reads the log streams of the authenticator, which a file of audit events does not have."""
    result = sample.run("authenticator_log")
    assert "| filter @logStream like /^authenticator-/\n" in result.query
    assert len(authenticator_log(result.frame)) == 0
