"""Each notebook's answer is computed from its frames, also when there is little to say."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from eks_audit_nb import analysis, attribute, mapping_changes
from eks_audit_nb.analysis import (
    access_changes,
    behind,
    cause_links,
    consequences,
    object_history,
    stated_decisions,
)
from eks_audit_nb.cloudtrail_events import cloudtrail_frame
from eks_audit_nb.reporting import sentences
from eks_audit_nb.sources.cloudtrail import Trail
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from fake_cloudtrail import POLICY, cloudtrail_event

NEVER = {"start": "2020-01-01", "end": "2020-01-02"}


def requests(source: FileSource, query: str, **window: str) -> pd.DataFrame:
    return attribute(source.run(query, window.get("start", ""), window.get("end", "")).frame)


def test_aws_auth_changes(sample: FileSource) -> None:
    """The sentence says who succeeded, who did not, and who was made an administrator."""
    found = requests(sample, "aws_auth_changes")
    text = sentences.aws_auth_changes(found, mapping_changes(found))
    assert text.startswith("5 requests to change aws-auth: 4 succeeded (alice, kubernetes-admin, terraform), 1 did not")
    assert "system:masters was given to arn:aws:iam::111122223333:user/backup-operator." in text
    assert "in place for arn:aws:iam::111122223333:role/shadow-admin, possibly new" in text


def test_failed_anonymous_requests(sample: FileSource) -> None:
    """The sentence tells anonymous requests and refused credentials apart."""
    text = sentences.failed_anonymous_requests(requests(sample, "failed_anonymous_requests"))
    assert text.startswith("28 requests without a valid identity were turned away: 20 anonymous (403) and 8 whose")
    assert text.endswith("the most, 17, from 192.0.2.9.")


def test_secret_activity(sample: FileSource) -> None:
    """The sentence names who listed every Secret, the rarest first."""
    text = sentences.secret_activity(requests(sample, "secret_activity"))
    assert text.startswith("663 requests for Secrets by 23 users and service accounts; 32 were refused.")
    assert "system:anonymous" in text


def test_authorization_decisions(sample: FileSource) -> None:
    """The sentence adds up the requests that were allowed on each ground, and those that were refused."""
    decisions = stated_decisions(sample.run("authorization_decisions").frame)
    text = sentences.authorization_decisions(decisions, requests(sample, "refused_requests"))
    assert "by EKS access policy" in text
    assert text.startswith("The authorizers allowed 12,124 requests: 9,476 by RBAC")
    assert "Of these 17 were then refused by admission. 105 requests were turned away: 95 refused" in text


def history_of(sample: FileSource, resource: str, namespace: str, name: str) -> str:
    found = attribute(sample.run("object_neighbourhood", namespace=namespace, name=name).frame)
    linked = cause_links(found)
    history = behind(object_history(found, resource, namespace, name), linked)
    return sentences.object_history(found, history, consequences(linked, history.index), resource, name)


def test_object_history(sample: FileSource) -> None:
    """The sentence says who made, changed and ended an object, and whose act a controller answered with that."""
    text = history_of(sample, "replicasets", "storefront", "checkout-f54c6c7d8")
    bob = "bob (arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Operations_91c0ffee22bb/bob@example.com)"
    assert f"collector, which answered the delete of deployments/storefront/checkout by {bob}, proven by uid" in text
    text = history_of(sample, "deployments", "payments", "ledger")
    assert "last changed on 2026-11-24 at 22:34:08 UTC by dave" in text
    assert "entered on 2026-11-24" in history_of(sample, "pods", "data", "order-worker-6555fbf5b6-7s4gr")


def test_one_username_of_two_people() -> None:
    """Who made an object and who deleted it are told apart by their ARNs where they share a username."""
    events = []
    for verb, name in (("create", "ann"), ("delete", "bob")):
        arn = f"arn:aws:sts::111122223333:assumed-role/Admin/{name}"
        events.append(audit_event(verb=verb, auditID=name, user={"username": "admin", "extra": {"arn": [arn]}}))
    times = pd.date_range("2026-11-24T10:00:00Z", periods=2, freq="s")
    found = attribute(pd.DataFrame({"@timestamp": times, "@message": [json.dumps(each) for each in events]}))
    history = behind(object_history(found, "pods", "default", "web"), cause_links(found))
    text = sentences.object_history(found, history, history.head(0), "pods", "web")
    assert "UTC by admin (arn:aws:sts::111122223333:assumed-role/Admin/ann); deleted on" in text
    assert text.endswith("UTC by admin (arn:aws:sts::111122223333:assumed-role/Admin/bob).")
    assert history["behind_arn"].str[-3:].tolist() == ["ann", "bob"]


def test_object_that_is_not_there(sample: FileSource) -> None:
    """An object without a request is said to have none, with the names that are like its own."""
    text = history_of(sample, "deployments", "storefront", "chekout")
    assert text.startswith(
        "Nobody created, changed, entered or deleted deployments/chekout by its name in this window."
    )
    assert "deployments/checkout" in text
    text = history_of(sample, "deployments", "tmp-preview", "preview")
    assert "2 deletions of everything in its place may have hit it, if it was there." in text
    assert history_of(sample, "pods", "nowhere", "x").endswith("Nothing in the log has a name like it.")


def test_nothing_found(sample: FileSource) -> None:
    """An empty window gives a sentence that says so, not an error and not an empty text."""
    empty = requests(sample, "aws_auth_changes", **NEVER)
    assert sentences.aws_auth_changes(empty, mapping_changes(empty)).startswith("Nobody created, changed or deleted")
    assert sentences.failed_anonymous_requests(empty).startswith("No request without a valid identity")
    assert sentences.secret_activity(empty).startswith("Nobody asked for a Secret")
    decisions = stated_decisions(sample.run("authorization_decisions", **NEVER).frame)
    assert sentences.authorization_decisions(decisions, empty) == "No request was decided on in this window."
    levels = sample.run("recording_levels", **NEVER).frame
    assert sentences.setup("This is a file.", levels) == "This is a file. No audit event lies in this window."


def test_credential_chain(sample: FileSource) -> None:
    """The sentence says who had a credential issued, how that one came by its own, and what was used from outside."""
    events, uses = requests(sample, "credential_events"), analysis.stated_uses(sample.run("credential_uses").frame)
    issued = analysis.issued_credentials(events)
    findings = analysis.credential_findings(uses, issued, analysis.pod_facts(events))

    def said(credential: str) -> str:
        return sentences.credential_chain(credential, analysis.credential_chain(credential, issued, uses), findings)

    text = said("fadf1374-b802-42c3-a45c-5f93f9bb3881")
    assert "was issued at the request of system:serviceaccount:ci:deployer from 203.0.113.77, whose own" in text
    assert text.endswith("), and 2 from another node.")
    assert "6 credentials of pods and nodes were used from outside (" in text
    assert said("nowhere").startswith("The credential nowhere is not in this log. 6 credentials")
    assert said("").startswith("6 credentials")
    assert "was issued at the request of nobody whom this log shows" in said("ASIAA8E01C95B0846E98")
    nothing = sentences.credential_chain("", analysis.credential_chain("", issued, uses), findings.iloc[:0])
    assert nothing == "No credential of a pod or a node was used from outside."


# --- access through the EKS API -------------------------------------------------------------------------------------


def said(*events: dict[str, Any], **trail: Any) -> str:
    """What is said about CloudTrail's events, where nobody touched aws-auth."""
    frame = cloudtrail_frame(events)
    empty = attribute(pd.DataFrame({"@timestamp": pd.Series(dtype="datetime64[us, UTC]"), "@message": []}))
    read = Trail("", frame, **{"source": "cloudtrail", **trail})
    text = sentences.aws_auth_changes(empty, mapping_changes(empty), access_changes(frame), read)
    nobody, _, rest = text.partition(" in this window. ")
    assert nobody == "Nobody created, changed or deleted the aws-auth ConfigMap" or not rest
    return rest


def policy(name: str, verb: str = "Associate", **changes: Any) -> dict[str, Any]:
    asked = {"name": "prod", "principalArn": "arn:aws:iam::111122223333:role/Shadow", "policyArn": f"{POLICY}/{name}"}
    asked |= {"accessScope": {"type": "cluster"}} if verb == "Associate" else {}
    return cloudtrail_event(f"{verb}AccessPolicy", "2026-11-24T22:30:00Z", asked, **changes)


ALICE = "arn:aws:sts::111122223333:assumed-role/Admin/alice"


def test_access_entries_are_counted() -> None:
    """The changes through the EKS API are counted with who made them, those that failed too, and new administrators."""
    text = said(
        policy("AmazonEKSClusterAdminPolicy"),
        policy("AmazonEKSViewPolicy"),
        policy("AmazonEKSClusterAdminPolicy", errorCode="AccessDenied"),
    )
    assert text == (
        f"There were 2 changes of access through the EKS API ({ALICE}), and 1 more that failed ({ALICE}). "
        "AmazonEKSClusterAdminPolicy was given to arn:aws:iam::111122223333:role/Shadow."
    )


def test_an_administrator_less() -> None:
    """A policy that was taken is told."""
    assert "was taken from arn:aws:iam::111122223333:role/Shadow" in said(
        policy("AmazonEKSClusterAdminPolicy", "Disassociate")
    )


def test_audit_logging_that_was_switched_off() -> None:
    """Switching the audit log off is said loudly; another log's end is not."""

    def off(kind: str) -> dict[str, Any]:
        setup = {"clusterLogging": [{"types": ["api", kind], "enabled": False}]}
        return cloudtrail_event("UpdateClusterConfig", "2026-11-24T22:30:00Z", {"name": "prod", "logging": setup})

    assert f"AUDIT LOGGING WAS SWITCHED OFF ({ALICE})." in said(off("audit"))
    assert "SWITCHED OFF" not in said(off("scheduler"))


def test_cloudtrail_that_says_nothing() -> None:
    """No change in CloudTrail, a refusal by it, and not asking it are three different things."""
    assert said() == "CloudTrail shows no change of access through the EKS API."
    assert said(problem="CloudTrail could not be asked: no.") == "CloudTrail could not be asked: no."
    assert said(source="") == ""
