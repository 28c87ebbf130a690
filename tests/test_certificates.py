"""Client certificates: who asked, who approved, for which user, and the credential-id that results."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.certificates import COLUMNS, credential_of, signing_requests, subject_of
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

NAMES = st.text(st.characters(codec="utf-8"), max_size=40)


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x82, size >> 8, size & 0xFF])
    return bytes([tag]) + length + content


def pem(kind: str, content: bytes) -> str:
    body = base64.encodebytes(content).decode()
    return base64.b64encode(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n".encode()).decode()


def signing_request(name: str, groups: list[str], tag: int = 0x0C, codec: str = "utf-8") -> str:
    """A PKCS #10 request as far as its subject, which is all that is read."""
    parts = [(b"\x55\x04\x0a", group) for group in groups] + [(b"\x55\x04\x03", name)]
    sets = [der(0x31, der(0x30, der(0x06, oid), der(tag, text.encode(codec)))) for oid, text in parts]
    return pem("CERTIFICATE REQUEST", der(0x30, der(0x30, der(0x02, b"\x00"), der(0x30, *sets), der(0x30))))


@given(NAMES, st.lists(NAMES, max_size=3))
def test_subjects(name: str, groups: list[str]) -> None:
    """The user is the common name and the groups are the organizations, whatever characters they have."""
    assert subject_of(signing_request(name, groups)) == (name, tuple(groups))


@pytest.mark.parametrize(
    ("tag", "codec"), [(0x0C, "utf-8"), (0x13, "ascii"), (0x14, "latin-1"), (0x16, "ascii"), (0x1E, "utf-16-be")]
)
def test_kinds_of_text(tag: int, codec: str) -> None:
    """A name is read in each of the codings that certificates have for texts."""
    assert subject_of(signing_request("alice", ["ops"], tag, codec)) == ("alice", ("ops",))


def test_the_last_common_name_counts() -> None:
    """Of two common names the API server takes the last."""
    names = [der(0x31, der(0x30, der(0x06, b"\x55\x04\x03"), der(0x0C, name))) for name in (b"first", b"last")]
    content = der(0x30, der(0x30, der(0x02, b"\x00"), der(0x30, *names)))
    assert subject_of(pem("CERTIFICATE REQUEST", content)) == ("last", ())


@given(st.binary(max_size=60), st.integers(0, 200), st.binary(max_size=4))
def test_broken_requests(content: bytes, place: int, damage: bytes) -> None:
    """Bytes that are no request are not decoded, and never break the reader."""
    good = base64.b64decode(signing_request("alice", ["ops"]))
    body = base64.b64decode(b"".join(good.splitlines()[1:-1]))
    for each in (content, body[:place] + damage + body[place + len(damage) :]):
        found = subject_of(pem("CERTIFICATE REQUEST", each))
        assert found is None or isinstance(found[0], str)


@pytest.mark.parametrize("text", [None, "", "%%%", 7, ["x"], "A" * 200_000, base64.b64encode(b"no PEM").decode()])
def test_no_request(text: object) -> None:
    """What is no base64 of a PEM block has no subject and no credential-id."""
    assert subject_of(text) is None
    assert credential_of(text) is None


def test_credential_of_the_first_certificate() -> None:
    """The credential-id is the hash of the holder's certificate, which comes first in a chain."""
    chain = base64.b64decode(pem("CERTIFICATE", b"mine")) + base64.b64decode(pem("CERTIFICATE", b"the authority's"))
    expected = "X509SHA256=" + hashlib.sha256(b"mine").hexdigest()
    assert credential_of(base64.b64encode(chain).decode()) == expected


# --- the requests of a log ------------------------------------------------------------------------------------------


def requested(*events: dict[str, Any]) -> list[dict[str, Any]]:
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    texts = pd.Series([json.dumps(event) for event in events], dtype="string")
    found = signing_requests(attribute(pd.DataFrame({"@timestamp": times, "@message": texts})))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    found = found.astype(object)
    return found.where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


def about(
    verb: str, user: str, subresource: str = "", code: int = 200, uid: str = "u1", **stored: Any
) -> dict[str, Any]:
    """An event about the signing request "web"."""
    target = {"resource": "certificatesigningrequests", "name": "web", "apiGroup": "certificates.k8s.io"}
    return audit_event(
        verb=verb,
        auditID=f"{verb} {subresource or code}",
        user={"username": user},
        objectRef={**target, **({"subresource": subresource} if subresource else {})},
        responseStatus={"code": code},
        responseObject={"metadata": {"name": "web", "uid": uid}, **stored},
    )


CREATED = {"spec": {"request": signing_request("web", ["ops"]), "signerName": "s", "usages": ["client auth"]}}
APPROVED = {"status": {"conditions": [{"type": "Approved"}]}}
ISSUED = {"status": {**APPROVED["status"], "certificate": pem("CERTIFICATE", b"c")}}


def test_the_way_of_a_request() -> None:
    """Who asked, who approved, and what was issued come from three events about one object."""
    (row,) = requested(
        about("create", "alice", code=201, **CREATED),
        about("update", "bob", "approval", **APPROVED),
        about("update", "signer", "status", **ISSUED),
    )
    assert row["outcome"] == "issued"
    assert (row["username"], row["approved_by"], row["subject"], row["subject_groups"]) == (
        "alice",
        "bob",
        "web",
        "ops",
    )
    assert row["credential"] == "X509SHA256=" + hashlib.sha256(b"c").hexdigest()
    assert row["created_audit_id"] == "create 201"
    assert row["approved_audit_id"] == "update approval"
    assert row["issued_audit_id"] == "update status"


def test_who_asked_without_the_create() -> None:
    """Where the create is not in the log, the object itself says who asked, and with which credential."""
    extra = {"authentication.kubernetes.io/credential-id": ["JTI=1"]}
    spec = {**CREATED["spec"], "username": "carol", "extra": extra}
    (row,) = requested(about("update", "signer", "status", spec=spec, **ISSUED))
    assert (row["username"], row["by_credential"], row["created_audit_id"]) == ("carol", "JTI=1", None)


def test_denied_and_refused() -> None:
    """A request that was denied stays so; a create that was refused is a row of its own; a failed approval is none."""
    denied = {"status": {"conditions": [{"type": "Denied"}]}}
    rows = requested(
        about("create", "alice", code=403, **CREATED),
        about("create", "alice", code=201, **CREATED),
        about("update", "dave", "approval", code=403),
        about("update", "bob", "approval", **denied),
    )
    assert [row["outcome"] for row in rows] == ["refused", "denied"]
    assert [row["approved_by"] for row in rows] == [None, "bob"]


def test_one_name_used_twice() -> None:
    """Objects of one name are told apart by their uid."""
    events = [about("create", "alice", code=201, uid=uid, **CREATED) for uid in ("u1", "u2")]
    rows = requested(*({**event, "auditID": str(number)} for number, event in enumerate(events)))
    assert [row["uid"] for row in rows] == ["u1", "u2"]


@pytest.mark.parametrize(
    "body", [[], "x", 7, None, {"spec": []}, {"spec": {"usages": 7}, "status": {"conditions": {}}}]
)
def test_bodies_of_any_form(body: Any) -> None:
    """Bodies that are not what they should be do not hide that there was a request."""
    event = about("create", "alice", code=201)
    (row,) = requested({**event, "responseObject": body, "requestObject": body})
    assert row["username"] == "alice"


def test_the_sample(sample: FileSource) -> None:
    """The certificate for backup-agent is followed from its request to its id; the forged one was refused."""
    rows = signing_requests(attribute(sample.run("credential_events").frame)).to_dict("records")
    assert [(row["name"], row["outcome"], row["subject"], row["subject_groups"]) for row in rows] == [
        ("evil-masters", "refused", "root", "system:masters"),
        ("backup-agent", "issued", "backup-agent", "acme:ops"),
    ]
    assert rows[1]["approved_by"] == rows[1]["username"] == "system:serviceaccount:ci:deployer"
