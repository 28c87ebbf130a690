"""Credentials that are not where they belong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis.credentials import (
    ISSUED,
    USES,
    credential_uses,
    issued_credentials,
    stated_uses,
)
from eks_audit_nb.analysis.token_use import (
    AFTER_EXPIRY,
    AFTER_POD,
    FINDINGS,
    NO_ID,
    NO_POD,
    NO_POD_UNKNOWN,
    OTHER_ADDRESS,
    OTHER_NODE,
    OUTSIDE,
    PODS,
    SEVERAL,
    credential_findings,
    is_private,
    pod_facts,
)
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

TIME = pd.Timestamp("2026-11-24T10:00:00Z")
WEB = "system:serviceaccount:shop:web"


def use(source_ip: str, **changes: Any) -> dict[str, Any]:
    """One use of a token that is bound to the pod web-1 on the node n1."""
    token = {"username": WEB, "credential": "JTI=1", "pod": "web-1", "pod_uid": "u1", "node": "n1"}
    counted = {"requests": 1, "first": TIME, "last": TIME, "audit_id": f"used from {source_ip}"}
    return {**token, **counted, "source_ip": source_ip, **changes}


def node(name: str, source_ip: str) -> dict[str, Any]:
    """A request of a node itself."""
    own = {"username": f"system:node:{name}", "credential": f"ASIA{name}", "pod": None, "pod_uid": None, "node": None}
    return use(source_ip, **own)


def pod(**changes: Any) -> dict[str, Any]:
    return {"pod_uid": "u1", "pod": "web-1", "addresses": "10.0.9.1, 10.0.1.1", **changes}


def found(
    *uses: dict[str, Any], issued: tuple[dict[str, Any], ...] = (), pods: tuple[dict[str, Any], ...] = ()
) -> dict[str, dict[str, Any]]:
    """The findings by what they find."""
    frames = typed_frame(uses, USES), typed_frame(issued, ISSUED), typed_frame(pods, PODS)
    rows = credential_findings(*frames)
    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == FINDINGS
    return {row["finding"]: row for row in rows.astype(object).to_dict("records")}


HOME = node("n1", "10.0.1.1")


def test_at_home() -> None:
    """A token that is used from its pod's or its node's own address is nothing to report."""
    assert found(HOME, use("10.0.9.1"), use("10.0.1.1"), pods=(pod(),)) == {}


def test_outside() -> None:
    """A public address that neither the node nor the pod has is proven to be another one, with the audit id."""
    row = found(HOME, use("203.0.113.66"))[OUTSIDE]
    assert (row["certainty"], row["addresses"], row["expected"]) == ("proven", "203.0.113.66", "10.0.1.1")
    assert row["evidence"] == "used from 203.0.113.66"


def test_outside_of_nothing_known() -> None:
    """Where neither the node's nor the pod's addresses are in the log, a public address is an inference."""
    assert found(use("203.0.113.66"))[OUTSIDE]["certainty"] == "inferred"


def test_nodes_behind_a_public_address() -> None:
    """A cluster whose nodes themselves come from public addresses proves nothing by another public one."""
    public = node("n1", "198.51.100.1")
    assert found(public, use("198.51.100.1")) == {}
    assert found(public, use("198.51.100.2"))[OUTSIDE]["certainty"] == "inferred"


def test_a_thief_of_the_node_too() -> None:
    """A node's credential that is used from outside does not make the outside the node's home."""
    thief = {**HOME, "source_ip": "203.0.113.77"}
    assert found(HOME, thief, use("203.0.113.77"))[OUTSIDE]["expected"] == "10.0.1.1"
    row = found(HOME, thief)[OUTSIDE]
    assert (row["certainty"], row["username"], row["addresses"]) == ("proven", "system:node:n1", "203.0.113.77")


def test_another_node() -> None:
    """A token that comes from where another node's kubelet comes from is away from its own node."""
    rows = found(HOME, node("n2", "10.0.1.2"), use("10.0.1.2"))
    assert list(rows) == [OTHER_NODE]
    assert rows[OTHER_NODE]["certainty"] == "proven"
    assert "n2" in rows[OTHER_NODE]["explanation"]


def test_another_private_address() -> None:
    """A private address is of note only where the log shows the pod's own."""
    assert found(HOME, use("10.0.9.9")) == {}
    assert found(HOME, use("10.0.9.9"), pods=(pod(),))[OTHER_ADDRESS]["certainty"] == "inferred"


@pytest.mark.parametrize(
    ("username", "is_found"),
    [("alice", True), (WEB, True), ("system:kube-controller-manager", False), ("eks:addon-manager", False)],
)
def test_several_addresses(username: str, is_found: bool) -> None:
    """One credential at two addresses is told, except for the control plane's, which has several servers."""
    person = {"username": username, "credential": "ASIA1", "pod": None, "pod_uid": None, "node": None}
    assert (SEVERAL in found(use("198.51.100.1", **person), use("198.51.100.2", **person))) == is_found


def test_nodes_that_share_a_key_keep_apart() -> None:
    """One key that two nodes show is not one node at two addresses."""
    assert found(HOME, {**node("n2", "10.0.1.2"), "credential": HOME["credential"]}) == {}


UNBOUND = {"pod": None, "pod_uid": None, "node": None}


def test_no_pod() -> None:
    """A token without a pod is told with its issuer; the controller manager's are its own; an unknown is unknown."""
    issue = {"credential": "JTI=1", "username": "alice", "source_ip": "198.51.100.1", "audit_id": "issued"}
    rows = found(use("10.0.9.1", **UNBOUND), issued=(issue,))
    assert (rows[NO_POD]["certainty"], rows[NO_POD]["evidence"]) == ("proven", "issued, used from 10.0.9.1")
    assert rows[NO_POD]["explanation"] == "alice had it issued from 198.51.100.1."
    assert found(use("10.0.9.1", **UNBOUND), issued=({**issue, "username": "system:kube-controller-manager"},)) == {}
    assert found(use("10.0.9.1", **UNBOUND))[NO_POD_UNKNOWN]["certainty"] == "unknown"


def test_no_id() -> None:
    """A service account without an id shows a Secret's token where others have ids; before 1.30 nobody has one."""
    without = use("10.0.9.1", **UNBOUND, credential=None)
    assert list(found(HOME, use("10.0.1.1"), without)) == [NO_ID]
    assert found(without) == {}


def test_after_the_pod() -> None:
    """A use more than ten seconds after its pod was gone is told; the server's cache explains an earlier one."""
    gone = pod(deleted=TIME, audit_id="gone")
    assert found(HOME, use("10.0.1.1", last=TIME + pd.Timedelta(seconds=9)), pods=(gone,)) == {}
    row = found(HOME, use("10.0.1.1", last=TIME + pd.Timedelta(seconds=11)), pods=(gone,))[AFTER_POD]
    assert (row["certainty"], row["evidence"]) == ("proven", "gone, used from 10.0.1.1")


def test_after_the_expiry() -> None:
    """A use after the time that was asked for, and a minute, is an inference: another time may have been given."""
    issue = {"credential": "JTI=1", "username": "system:node:n1", "expires": TIME, "audit_id": "issued"}
    assert found(HOME, use("10.0.1.1", last=TIME + pd.Timedelta(seconds=59)), issued=(issue,)) == {}
    rows = found(HOME, use("10.0.1.1", last=TIME + pd.Timedelta(seconds=61)), issued=(issue,))
    assert rows[AFTER_EXPIRY]["certainty"] == "inferred"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((each, True) for each in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1")),
        *((each, True) for each in ("::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "", "x", "@pod")),
        *(
            (each, False)
            for each in ("203.0.113.66", "192.0.2.1", "198.51.100.1", "172.32.0.1", "2001:db8::1", "8.8.8.8")
        ),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_private(address: str, expected: bool) -> None:
    """Private are the ranges of RFC 1918, RFC 6598, loopback, link-local and unique local; documentation is not."""
    assert is_private(address) == expected


# --- pods -----------------------------------------------------------------------------------------------------------


def pods_of(*events: dict[str, Any]) -> list[dict[str, Any]]:
    times = pd.date_range(TIME, periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = pd.Series([json.dumps(event) for event in events], dtype="string")
    rows = pod_facts(attribute(pd.DataFrame({"@timestamp": times, "@message": texts})))
    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == PODS
    rows = rows.astype(object)
    return rows.where(rows.notna(), None).to_dict("records")  # type: ignore[return-value]


def pod_event(verb: str, user: str = "system:node:n1", subresource: str = "", **changes: Any) -> dict[str, Any]:
    target = {"resource": "pods", "namespace": "shop", "name": "web-1"} | (
        {"subresource": subresource} if subresource else {}
    )
    return audit_event(verb=verb, auditID=f"{verb} {subresource}", user={"username": user}, objectRef=target, **changes)


def test_addresses_of_pods() -> None:
    """A pod's addresses are those that a kubelet wrote; what others write into a status does not count."""
    status = {"podIP": "10.0.9.1", "hostIP": "10.0.1.1", "podIPs": [{"ip": "fd00::9"}, "x"], "hostIPs": 7}
    body = {"metadata": {"uid": "u1"}, "status": status}
    (row,) = pods_of(pod_event("patch", subresource="status", requestObject=body))
    assert row["addresses"] == "10.0.1.1, 10.0.9.1, fd00::9"
    assert pods_of(pod_event("patch", "alice", "status", requestObject=body)) == []


@pytest.mark.parametrize(
    ("changes", "is_gone"),
    [
        ({"requestObject": {"gracePeriodSeconds": 0, "preconditions": {"uid": "u1"}}}, True),
        ({"responseObject": {"kind": "Pod", "metadata": {"uid": "u1", "deletionGracePeriodSeconds": 0}}}, True),
        ({"responseObject": {"kind": "Status", "details": {"uid": "u1"}}}, True),
        ({"responseObject": {"kind": "Pod", "metadata": {"uid": "u1", "deletionGracePeriodSeconds": 30}}}, False),
        ({"requestObject": [], "responseObject": "x"}, False),
        ({"responseObject": {"kind": "Status", "details": {"uid": "u1"}}, "responseStatus": {"code": 404}}, False),
    ],
)
def test_gone_pods(changes: dict[str, Any], is_gone: bool) -> None:
    """A pod is gone with the deletion that ends its grace period, not with one that begins it or that failed."""
    rows = pods_of(pod_event("delete", **changes))
    assert [row["audit_id"] for row in rows] == (["delete "] if is_gone else [])


# --- the logs -------------------------------------------------------------------------------------------------------


def test_the_sample(sample: FileSource) -> None:
    """Every stolen token of the sample, and the stolen key of a node, is found outside; nothing else is."""
    events = attribute(sample.run("credential_events").frame)
    uses = stated_uses(sample.run("credential_uses").frame)
    rows = credential_findings(uses, issued_credentials(events), pod_facts(events))
    outside = rows[rows["finding"] == OUTSIDE]
    assert set(outside["username"]) == {
        "system:serviceaccount:payments:payments-api",
        "system:serviceaccount:ci:deployer",
        "system:node:ip-10-0-1-11.ec2.internal",
    }
    assert set(outside["addresses"]) == {"203.0.113.66", "203.0.113.77"}
    assert set(outside["certainty"]) == {"proven"}


def test_stolen_credentials(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each credential that a hostile label shows away from its home is found; the benign ones found are printed."""
    labels = [json.loads(line) for line in (corpus / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    with gzip.open(corpus / "audit.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = pd.Series([line.strip() for line in lines], dtype="string")
    stamps = pd.to_datetime(texts.str.extract(r'"stageTimestamp":\s*"([^"]+)"', expand=False), utc=True)
    requests = attribute(pd.DataFrame({"@timestamp": stamps, "@message": texts}))
    rows = credential_findings(credential_uses(requests), issued_credentials(requests), pod_facts(requests))
    key = ["username", "credential"]
    shown = requests.assign(credential=requests["credential_id"].fillna(requests["access_key"]))

    def credentials(audit_ids: set[str]) -> set[tuple[str, str]]:
        of_them = shown[shown["audit_id"].isin(audit_ids)][key].fillna("")
        return set(of_them.itertuples(index=False, name=None))

    hostile: set[tuple[str, str]] = set()
    for label in labels:
        is_machine = str(label["actor"]).startswith(("system:serviceaccount:", "system:node:"))
        if label["malicious"] and is_machine and str(label["attribution"].get("sourceIP")).startswith("203."):
            theirs = {each for each in credentials(set(label["primary_audit_ids"])) if each[0] == label["actor"]}
            assert theirs, label["scenario"]
            hostile |= theirs
    # The Secret's token of the scenario sa_token_secret is another account's than its actor's.
    (label,) = [each for each in labels if each["scenario"] == "sa_token_secret"]
    hostile |= credentials(set(label["audit_ids"]))
    flagged = {
        str(name): set(of_them[key].fillna("").itertuples(index=False, name=None))
        for name, of_them in rows.groupby("finding")
    }
    assert hostile <= set().union(*flagged.values())
    every = len(set(shown[key].fillna("").itertuples(index=False, name=None)))
    with capsys.disabled():
        print(f"\n{len(hostile)} stolen credentials, all found; {every - len(hostile)} others in the log:")
        for name, those in flagged.items():
            print(f"    {name}: {len(those & hostile)} stolen, {len(those - hostile)} others")
    assert flagged[OUTSIDE] <= hostile
    assert {name.rpartition(":")[2] for name, _ in flagged[OTHER_NODE]} == {"aws-node", "kube-proxy"}
