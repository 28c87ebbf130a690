"""Who made a request, what came of it, and on what grounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.attribution import ATTRIBUTION_COLUMNS, COLUMN_BASIS, attributed, credentials
from eks_audit_nb.events import COLUMNS
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

Labels = dict[str, dict[str, Any]]

MASTERS = "system:masters or node authorizer"


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="string")


def frame_of(*events: dict[str, Any] | str) -> pd.DataFrame:
    """Events that were written a second apart, as a query gives them."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return pd.DataFrame({"@timestamp": times, "@message": text(*lines)})


def rows_of(*events: dict[str, Any] | str, **given: Any) -> list[dict[str, Any]]:
    """The requests of events, attributed; None where a value is missing."""
    found = attribute(frame_of(*events), **given).astype(object)
    return found.where(found.notna(), None).to_dict("records")


@pytest.fixture(scope="module")
def requests(sample: FileSource) -> pd.DataFrame:
    """Every request of the sample, attributed."""
    return attribute(sample.run("fields @timestamp, @message").frame)


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> Iterator[tuple[pd.DataFrame, Labels]]:
    """Every request of the whole recording, attributed, and its labels."""
    source = FileSource(str(corpus / "audit.jsonl.gz"))
    lines = (corpus / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    yield (
        attribute(source.run("fields @timestamp, @message").frame),
        {label["scenario"]: label for label in map(json.loads, lines)},
    )
    source.close()


# --- what was played, and what is said of it --------------------------------------------------------------------------


def check_labels(requests: pd.DataFrame, labels: Labels) -> None:
    """Hold every label that the log records against the attribution of its acts."""
    by_id = requests.set_index("audit_id", drop=False)
    checked = 0
    for scenario, label in labels.items():
        acts = [audit_id for audit_id in label["primary_audit_ids"] if audit_id not in label["not_in_log"]]
        if not acts:
            assert scenario == "policy_drops_these"
            continue
        rows = by_id.loc[acts]
        assert len(rows) == len(acts), scenario
        check_caller(scenario, rows, label["attribution"])
        check_object(scenario, rows, label["attribution"])
        # The verb, the code and the URI of each act, as its last event has them.
        last = {event["auditID"]: event for event in label["primary_events"]}
        for row in rows.itertuples():
            event = last[row.audit_id]
            assert (row.verb, row.code, row.uri) == (event["verb"], event["code"], event["uri"]), scenario
        checked += 1
    assert checked == 52


def check_caller(scenario: str, rows: pd.DataFrame, expected: dict[str, Any]) -> None:
    """Who, with which ARN, acting as whom, from where: of every act."""
    assert set(rows["username"].fillna("")) == {expected["username"]}, scenario
    assert set(rows["source_ip"]) == {expected["sourceIP"]}, scenario
    assert set(rows["address_kind"]) == {"private" if expected["sourceIP"].startswith("10.") else "public"}, scenario
    assert set(rows["acted_as"].fillna("")) == {expected.get("impersonated", "")}, scenario
    assert rows["is_impersonating"].eq("impersonated" in expected).all(), scenario
    username, arn = expected["username"], expected.get("arn")
    if arn:
        role, session = arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rsplit("/", 1)
        assert set(rows["arn"]) == {arn}, scenario
        who = {("IAM role session", role, "proven", session, "111122223333", "session", "access key")}
    elif username.startswith("system:node:"):
        instance = "i-019f3c2a77d01b4e1"
        node = username.removeprefix("system:node:")
        who = {("node", node, "proven", instance, "111122223333", "session", "access key")}
    elif username.startswith("system:serviceaccount:"):
        who = {("service account", username, "proven", None, None, None, "token")}
    elif username:
        who = {("anonymous", username, "proven", None, None, None, "none")}
    else:
        who = {("unknown", None, "inferred", None, None, None, "none")}
    names = ["principal_kind", "principal", "principal_basis", "session", "account"]
    told = rows[[*names, "access_key_kind", "credential_kind"]].astype(object)
    assert set(told.where(told.notna(), None).itertuples(index=False, name=None)) == who, scenario


def check_object(scenario: str, rows: pd.DataFrame, expected: dict[str, Any]) -> None:
    """The verb, the object and the code that the label names: of one act at least, all together."""
    fits = pd.Series(True, index=rows.index)
    for name in ("verb", "namespace", "name"):
        if name in expected:
            fits &= rows[name].eq(expected[name]).fillna(False)
    if "resource" in expected or "subresource" in expected:
        resource = expected.get("resource", "pods")
        full = f"{resource}/{expected['subresource']}" if "subresource" in expected else resource
        fits &= rows["resource"].eq(full).fillna(False)
    code = str(expected.get("code", ""))
    fits &= rows["code"].astype("string").map(lambda own: not code or own in code.split("/") or own[0] + "xx" == code)
    assert fits.any(), scenario


def test_labels_of_the_sample(requests: pd.DataFrame, labels: Labels) -> None:
    """Actor, ARN, address, verb and object of every act that was played into the sample are those of its label."""
    check_labels(requests, labels)


def test_labels_of_the_recording(recorded: tuple[pd.DataFrame, Labels]) -> None:
    """The same holds on the whole recording."""
    check_labels(*recorded)


OUTCOMES = {
    "anonymous_probe": "refused by authorization",
    "invalid_tokens_401": "not authenticated",
    "impersonate_denied": "impersonation refused",
    "impersonate_cluster_admin": "allowed",
    "aws_auth_patch_denied": "refused by authorization",
    "rbac_escalation_denied": "refused by admission",
    "psa_denied": "refused by admission",
    "csr_forge_denied": "refused by admission",
    "nodes_proxy_denied": "refused by authorization",
    "error_codes": "failed",
}


@pytest.mark.parametrize("scenario", OUTCOMES)
def test_outcomes_that_were_played(requests: pd.DataFrame, labels: Labels, scenario: str) -> None:
    """What came of an act is what was played."""
    acts = requests[requests["audit_id"].isin(labels[scenario]["primary_audit_ids"])]
    assert len(acts) > 0
    assert set(acts["outcome"]) == {OUTCOMES[scenario]}


def test_the_forged_arn_is_not_believed(requests: pd.DataFrame, labels: Labels) -> None:
    """Who acts as another one and gives that one an ARN of a third stays who authenticated."""
    acts = requests[requests["audit_id"].isin(labels["impersonate_forged_arn"]["primary_audit_ids"])]
    forged = "arn:aws:sts::111122223333:assumed-role/BreakGlass/carol"
    assert len(acts) == 2
    assert set(acts["impersonated_arn"]) == {forged}
    assert COLUMN_BASIS["impersonated_arn"] == "claimed"
    about_the_caller = [*COLUMNS, *ATTRIBUTION_COLUMNS]
    about_the_caller.remove("impersonated_arn")
    about_the_caller.remove("raw")
    for name in about_the_caller:
        assert not acts[name].astype("string").str.contains("BreakGlass").fillna(False).any(), name
    assert set(acts["username"]) == {"bob"}
    assert set(acts["acted_as"]) == {"carol"}
    assert set(acts["session"]) == {"bob@example.com"}


def test_refusals_say_what_was_wanted(requests: pd.DataFrame) -> None:
    """Every refusal by an authorizer in the sample names the permission, which is that of the request itself."""
    refused = requests[requests["outcome"] == "refused by authorization"]
    assert len(refused) > 90
    assert refused["wanted"].notna().all()
    objects = refused[refused["resource"].notna()]
    assert objects["wanted_verb"].eq(objects["verb"]).all()
    assert objects["wanted_resource"].eq(objects["resource"]).all()
    assert objects["wanted_group"].eq(objects["api_group"].fillna("")).all()
    assert objects["wanted_namespace"].fillna("").eq(objects["namespace"].fillna("")).all()
    paths = refused[refused["resource"].isna()]
    assert len(paths) > 5
    assert paths["wanted_path"].eq(paths["uri"]).all()


# --- impersonation, addresses, clients ------------------------------------------------------------------------------


def test_the_caller_is_responsible() -> None:
    """Of a request in another's name the caller is told, and the authorizer's silence is about the other's groups."""
    caller = {"username": "bob", "groups": ["ops", "system:authenticated"]}
    other = {"username": "system:admin", "groups": ["system:masters"], "extra": {"arn": ["arn:aws:iam::1:root"]}}
    (row,) = rows_of(audit_event(user=caller, impersonatedUser=other))
    assert (row["principal"], row["acted_as"], row["is_impersonating"]) == ("bob", "system:admin", True)
    assert (row["empty_reason"], row["arn"], row["account"]) == ("system:masters", None, None)
    (row,) = rows_of(audit_event(user={**other, "username": "ann"}, impersonatedUser={**caller, "groups": ["x"]}))
    assert row["empty_reason"] is None
    (row,) = rows_of(audit_event())
    assert (row["acted_as"], row["is_impersonating"]) == (None, False)


def test_addresses() -> None:
    """The last address is the peer's; those before it are the client's claims, also where they are AWS's."""
    event = audit_event(sourceIPs=["10.0.0.1", "8.8.8.8", "3.5.140.9"])
    (row,) = rows_of(event, aws_ranges=["3.5.140.0/22"])
    assert (row["source_ip"], row["claimed_ips"], row["address_kind"]) == ("3.5.140.9", "10.0.0.1, 8.8.8.8", "AWS")
    assert rows_of(event)[0]["address_kind"] == "public"
    (row,) = rows_of(audit_event(sourceIPs=None))
    assert (row["source_ip"], row["claimed_ips"], row["address_kind"]) == (None, None, "none")


def test_the_client() -> None:
    """The client is read from the user agent."""
    (row,) = rows_of(audit_event())
    assert (row["client"], row["client_version"], row["client_is_cut"]) == ("kubectl", "1.31.0", False)


# --- outcome --------------------------------------------------------------------------------------------------------


def refusal(code: int, decision: str | None) -> dict[str, Any]:
    annotations = {"authorization.k8s.io/decision": decision} if decision else {}
    return {"responseStatus": {"code": code}, "annotations": annotations}


@pytest.mark.parametrize(
    ("changes", "outcome", "grounds"),
    [
        ({}, "allowed", MASTERS),
        ({"responseStatus": {"code": 101}}, "allowed", MASTERS),
        (refusal(201, "allow"), "allowed", MASTERS),
        (refusal(403, "forbid"), "refused by authorization", "no authorizer allowed it"),
        (refusal(403, "allow"), "refused by admission", MASTERS),
        (refusal(403, None), "impersonation refused", "refused before authorization"),
        (refusal(401, None), "not authenticated", "refused before authorization"),
        (refusal(401, "allow"), "failed", MASTERS),  # what a server behind the API server answered
        ({**refusal(403, "allow"), "objectRef": {"resource": "nodes", "subresource": "proxy"}}, "failed", MASTERS),
        (refusal(404, "allow"), "failed", MASTERS),
        (refusal(409, "allow"), "failed", MASTERS),
        (refusal(500, "allow"), "failed", MASTERS),
        (refusal(429, None), "failed", "not recorded"),
        (refusal(0, "allow"), "no response recorded", MASTERS),
        (
            {"responseStatus": None, "annotations": None, "stage": "RequestReceived"},
            "no response recorded",
            "not recorded",
        ),
    ],
)
def test_outcome(changes: dict[str, Any], outcome: str, grounds: str) -> None:
    """What came of a request follows from its code and from whether an authorizer decided, and when."""
    (row,) = rows_of(audit_event(**changes))
    assert (row["outcome"], row["grounds"]) == (outcome, grounds)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (400, 'admission webhook "validate.kyverno.svc-fail" denied the request: policy require-labels'),
        (500, 'admission webhook "x.example.com" denied the request without explanation'),
        (422, "pods \"web\" is forbidden: ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: root"),
    ],
)
def test_admission_refuses_with_other_codes_too(code: int, message: str) -> None:
    """A webhook that gives no code refuses with 400, a policy with 422: their words say it, not a name like them."""
    for words, outcome in ((message, "refused by admission"), (f'pods "{message}" not found', "failed")):
        (row,) = rows_of(audit_event(**(refusal(code, "allow") | {"responseStatus": {"code": code, "message": words}})))
        assert row["outcome"] == outcome


def test_a_cut_event_is_not_a_refused_one() -> None:
    """An event that breaks off before its annotations says what came of the request, and nothing of the grounds."""
    event = audit_event(verb="create", responseStatus={"code": 201})
    annotations = event.pop("annotations")
    whole = json.dumps({**event, "requestObject": {"data": "x" * 300}, "annotations": annotations})
    for code, outcome in (("201", "allowed"), ("403", "failed")):
        cut = whole.replace("201", code)[:-200] + "[Truncated...]"
        frame = pd.DataFrame({"@timestamp": [pd.Timestamp("2026-11-24T10:00:00Z")], "@message": text(cut)})
        (row,) = attribute(frame).to_dict("records")
        assert (row["outcome"], row["grounds"], row["is_truncated"]) == (outcome, "not recorded", True)


def test_stages_of_a_request_are_one_row() -> None:
    """A request is attributed once, by its last stage."""
    received = audit_event(stage="RequestReceived", responseStatus=None, annotations=None)
    (row,) = rows_of(received, audit_event())
    assert (row["stage"], row["outcome"], row["grounds"]) == ("ResponseComplete", "allowed", MASTERS)


def test_a_refused_impersonation_is_known_by_its_words() -> None:
    """A cut event without its decision tells by its message all the same that impersonation was refused."""
    message = (
        'users "ann" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    status = {"code": 403, "message": message}
    whole = json.dumps(audit_event(responseStatus=status, requestObject={"data": "x" * 300}, annotations=None))
    (row,) = rows_of(whole[:-200] + "[Truncated...]")
    assert (row["outcome"], row["grounds"]) == ("impersonation refused", "refused before authorization")
    assert (row["wanted_verb"], row["wanted_resource"]) == ("impersonate", "users")


@pytest.mark.parametrize(
    ("groups", "reason", "expected"),
    [
        (["system:masters", "system:authenticated"], "", "system:masters"),
        (["system:nodes", "system:authenticated"], "", "node authorizer"),
        (["system:nodes", "system:masters"], "", "system:masters"),
        (["my-system:masters"], "", None),
        (["system:masters"], "some words", None),
    ],
)
def test_who_allows_without_a_word(groups: list[str], reason: str, expected: str | None) -> None:
    """An allow without a reason is that of system:masters or of the node authorizer; the groups say of which."""
    annotations = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}
    (row,) = rows_of(audit_event(user={"username": "ann", "groups": groups}, annotations=annotations))
    assert row["empty_reason"] == expected


# --- columns --------------------------------------------------------------------------------------------------------


def test_columns(sample: FileSource) -> None:
    """The columns are those of an event and of its attribution, with their dtypes, also without a row."""
    dtypes = {**COLUMNS, **ATTRIBUTION_COLUMNS}
    for start, end in (("", ""), ("2020-01-01", "2020-01-02")):
        found = attribute(sample.run("refused_requests", start, end).frame)
        assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dtypes
        assert list(found.columns) == list(dtypes)
    assert len(found) == 0
    assert list(credentials(found).columns) == list(credentials(attribute(frame_of(audit_event()))).columns)


def test_every_column_says_what_it_rests_on() -> None:
    """Each column is proven, claimed or inferred, or names the column that says it row by row."""
    assert set(COLUMN_BASIS) == {*COLUMNS, *ATTRIBUTION_COLUMNS}
    assert set(COLUMN_BASIS.values()) == {"proven", "claimed", "inferred", "principal_basis"}
    claimed = {name for name, basis in COLUMN_BASIS.items() if basis == "claimed"}
    assert {"user_agent", "client", "client_version", "claimed_ips", "impersonated_arn", "audit_id"} <= claimed


def test_flat_columns_are_enough(requests: pd.DataFrame) -> None:
    """Without the events' text, and attributed a second time, the columns are the same."""
    flat = requests[[name for name in COLUMNS if name != "raw"]]
    pd.testing.assert_frame_equal(attributed(flat), requests.drop(columns="raw"))
    before = requests.copy()
    pd.testing.assert_frame_equal(attributed(requests), requests)
    pd.testing.assert_frame_equal(requests, before)


def test_few_columns() -> None:
    """What a frame lacks is taken for missing: nothing is refused where there are no decisions to read."""
    index = pd.Index([5, 5, 9])
    frame = pd.DataFrame({"username": text("alice", "eks:x", None), "code": [200, 403, 401], "n": 1})
    found = attributed(frame.set_axis(index))
    assert list(found.index) == [5, 5, 9]
    assert list(found.columns[:3]) == ["username", "code", "n"]
    assert set(ATTRIBUTION_COLUMNS) <= set(found.columns)
    assert found["outcome"].tolist() == ["allowed", "failed", "not authenticated"]
    assert set(found["principal_basis"]) == {"inferred"}
    assert attributed(frame[["n"]])["outcome"].tolist() == ["no response recorded"] * 3


# --- credentials ----------------------------------------------------------------------------------------------------


def iam_user(username: str, key: str, session: str = "ann@example.com") -> dict[str, Any]:
    extra = {
        "accessKeyId": [key],
        "arn": [f"arn:aws:sts::111122223333:assumed-role/Ops/{session}"],
        "canonicalArn": ["arn:aws:iam::111122223333:role/Ops"],
        "sessionName": [session],
    }
    uid = "aws-iam-authenticator:111122223333:AROAEXAMPLE"
    return {"username": username, "uid": uid, "groups": ["system:authenticated"], "extra": extra}


def test_one_person_behind_many_names() -> None:
    """Requests with one key are one row, whatever their usernames; those of one username with two keys are two."""
    events = [
        audit_event(auditID="1", user=iam_user("ann", "ASIA1"), userAgent="kubectl/v1.31.0"),
        audit_event(auditID="2", user=iam_user("admin", "ASIA1"), userAgent="curl/8.5.0", sourceIPs=["203.0.113.7"]),
        audit_event(
            auditID="3", user=iam_user("admin", "ASIA1"), impersonatedUser={"username": "bob"}, **refusal(403, "forbid")
        ),
        audit_event(auditID="4", user=iam_user("admin", "ASIA2", "dave@example.com")),
        audit_event(auditID="5", user={}, **refusal(401, None)),
    ]
    found = credentials(attribute(frame_of(*events))).astype(object)
    rows = found.where(found.notna(), None).to_dict("records")
    assert [(row["credential"], row["requests"]) for row in rows] == [("ASIA1", 3), (None, 1), ("ASIA2", 1)]
    first = rows[0]
    assert first["usernames"] == "ann, admin"
    assert (first["principals"], first["sessions"]) == ("arn:aws:iam::111122223333:role/Ops", "ann@example.com")
    assert (first["addresses"], first["address_count"]) == ("198.51.100.21, 203.0.113.7", 2)
    assert (first["clients"], first["acted_as"]) == ("kubectl, curl", "bob")
    assert (first["refused"], str(first["first"])[11:19], str(first["last"])[11:19]) == (1, "10:00:00", "10:00:02")
    assert (rows[1]["credential_kind"], rows[1]["refused"], rows[1]["usernames"]) == ("none", 1, None)


def test_long_lists_are_cut() -> None:
    """A credential that was used from many places names 20 of them, and how many more there are."""
    events = [audit_event(auditID=str(n), sourceIPs=[f"203.0.113.{n}"]) for n in range(23)]
    (row,) = credentials(attribute(frame_of(*events))).to_dict("records")
    assert row["addresses"].endswith("203.0.113.18, 203.0.113.19 and 3 more")
    assert row["address_count"] == 23


def test_credentials_of_the_sample(requests: pd.DataFrame) -> None:
    """Every request of the sample belongs to one credential, and each key, token or certificate to one kind."""
    found = credentials(requests)
    assert found["requests"].sum() == len(requests)
    assert not found.duplicated(["credential", "credential_kind"]).any()
    keyed = found[found["credential_kind"].isin(["access key", "token", "client certificate"])]
    assert not keyed["principal_kinds"].str.contains(", ").any()
    dtypes = {"credential": "string", "principals": "string", "requests": "int64", "refused": "int64"}
    assert {name: str(found[name].dtype) for name in dtypes} == dtypes
