"""Client certificates: who asked for one, who approved it, for which user, and the credential-id that it has in use.

A certificate's credential-id is the SHA-256 of its DER. Source: kubernetes apiserver authentication/request/x509. What
EKS records of CertificateSigningRequests: RequestResponse, so that the events hold the request and the certificate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.events import parse_event

RESOURCE = "certificatesigningrequests"
COLUMNS = {
    "time": "datetime64[us, UTC]",  # of the first event about it
    "name": "string",
    "uid": "string",
    "outcome": "string",  # refused, asked for, approved, denied, issued
    "signer": "string",
    "usages": "string",  # joined by ", "
    "subject": "string",  # the user that the certificate makes its holder; missing where it could not be decoded
    "subject_groups": "string",  # joined by ", "
    "username": "string",  # who asked, as the API server noted it in the object, or the caller of the create
    "by_credential": "string",  # what that caller showed
    "arn": "string",
    "source_ip": "string",
    "user_agent": "string",
    "approved_by": "string",  # who approved or denied it
    "approved": "datetime64[us, UTC]",
    "credential": "string",  # X509SHA256=..., missing where the log does not hold the certificate
    "issued": "datetime64[us, UTC]",
    "created_audit_id": "string",
    "approved_audit_id": "string",
    "issued_audit_id": "string",
}
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s*([A-Za-z0-9+/=\s]+)-----END \1-----")
_LONGEST = 100_000  # bytes; a request with a key of 16,384 bits has 4,000
# ASN.1 tags and object identifiers. Source: ITU-T X.690 and X.520.
_SEQUENCE, _SET, _OBJECT_IDENTIFIER = 0x30, 0x31, 0x06
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_TEXTS = {0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be"}


def signing_requests(requests: pd.DataFrame) -> pd.DataFrame:
    """One row a CertificateSigningRequest: who asked, who approved, which user it makes, which credential-id it got.

    Args:
        requests: Rows of `attribute`; those about other resources are passed over.

    Returns:
        The columns of `COLUMNS`, in the order of time. A create that was refused is a row of its own.
    """
    is_about = requests["resource"].str.startswith(RESOURCE).fillna(False) & requests["verb"].isin(
        ["create", "update", "patch"]
    )
    rows: dict[object, dict[str, Any]] = {}
    request: Any
    for request in requests[is_about].sort_values("time", kind="stable").itertuples():
        event = parse_event(str(request.raw))
        sent, stored = _mapping(event.get("requestObject")), _mapping(event.get("responseObject"))
        worked = not pd.isna(request.code) and int(request.code) < 300
        if not worked and (request.resource != RESOURCE or request.verb != "create"):
            continue  # an approval that failed changes nothing
        uid = _text(_mapping(stored.get("metadata")).get("uid")) or _text(request.object_uid)
        # Names are used again after a deletion; without the uid the name is what there is.
        row = rows.setdefault(
            (uid or request.name) if worked else (request.Index,),
            {"time": request.time, "name": request.name, "uid": uid, "outcome": "asked for" if worked else "refused"},
        )
        if request.resource == RESOURCE and request.verb == "create":
            row |= {
                "created_audit_id": request.audit_id,
                "username": request.username,
                "by_credential": request.credential_id if not pd.isna(request.credential_id) else request.access_key,
                **{name: getattr(request, name) for name in ("arn", "source_ip", "user_agent")},
            }
        _describe(row, _mapping(stored.get("spec")) or _mapping(sent.get("spec")))
        if worked:
            _follow(row, request, _mapping(stored.get("status")) or _mapping(sent.get("status")))
    return typed_frame(rows.values(), COLUMNS)


def subject_of(request: object) -> tuple[str, tuple[str, ...]] | None:
    """The user's name and groups that a signing request asks for; None where it cannot be decoded.

    Args:
        request: The field `spec.request`: base64 of a PEM block with a PKCS #10 request. The name is the last common
            name of its subject, and the groups are its organizations, as the API server reads them.
    """
    try:
        return _subject(_der(request, b"CERTIFICATE REQUEST"))
    except (ValueError, LookupError):  # whatever is no base64, no PEM or no DER
        return None


def credential_of(certificate: object) -> str | None:
    """The credential-id of a certificate, `X509SHA256=...`; None where the text holds none.

    Args:
        certificate: The field `status.certificate`: base64 of PEM blocks, of which the first is the holder's.
    """
    try:
        return "X509SHA256=" + hashlib.sha256(_der(certificate, b"CERTIFICATE")).hexdigest()
    except ValueError:
        return None


def _describe(row: dict[str, Any], spec: Mapping[str, Any]) -> None:
    """What the object says about itself. The API server writes who asked, and lets nobody else write it."""
    if not spec:
        return
    extra = _mapping(spec.get("extra")).get("authentication.kubernetes.io/credential-id")
    shown = extra[0] if isinstance(extra, list) and extra else None
    noted = {
        "signer": _text(spec.get("signerName")),
        "usages": _joined(spec.get("usages")),
        "username": row.get("username") if _is_given(row.get("username")) else _text(spec.get("username")),
        "by_credential": row.get("by_credential") if _is_given(row.get("by_credential")) else _text(shown),
    }
    row |= {name: value for name, value in noted.items() if value is not None}
    if not _is_given(row.get("subject")) and (subject := subject_of(spec.get("request"))):
        row["subject"], row["subject_groups"] = subject[0], ", ".join(subject[1]) or None


def _follow(row: dict[str, Any], request: Any, status: Mapping[str, Any]) -> None:
    if request.resource == f"{RESOURCE}/approval":
        conditions = status.get("conditions")
        kinds = {_mapping(each).get("type") for each in conditions} if isinstance(conditions, list) else set()
        if row["outcome"] == "asked for":
            row["outcome"] = "denied" if "Denied" in kinds else "approved"
        row |= {"approved_by": request.username, "approved": request.time, "approved_audit_id": request.audit_id}
    elif "credential" not in row and (credential := credential_of(status.get("certificate"))):
        row |= {"credential": credential, "issued": request.time, "outcome": "issued"}
        row["issued_audit_id"] = request.audit_id


def _der(text: object, kind: bytes) -> bytes:
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError("no text, or far too long")
    decoded = base64.b64decode(text, validate=True)
    for found in _PEM.finditer(decoded):
        if found[1] == kind:
            return binascii.a2b_base64(found[2])
    raise ValueError("no such block")


def _subject(der: bytes) -> tuple[str, tuple[str, ...]]:
    # CertificationRequest ::= SEQUENCE { info SEQUENCE { version INTEGER, subject Name, ... }, ... }. Source: RFC 2986.
    (whole,) = [content for tag, content in _items(der) if tag == _SEQUENCE][:1]
    _, info = next(_items(whole))
    fields = _items(info)
    next(fields)
    tag, name = next(fields)
    if tag != _SEQUENCE:
        raise ValueError("no name")
    common, organizations = "", []
    for _, part in _items(name):  # a SET of pairs of an identifier and a text
        for _, pair in _items(part):
            (identifier_tag, identifier), (kind, value) = list(_items(pair))[:2]
            if identifier_tag != _OBJECT_IDENTIFIER or kind not in _TEXTS:
                continue
            if identifier == _COMMON_NAME:
                common = value.decode(_TEXTS[kind], errors="replace")
            elif identifier == _ORGANIZATION:
                organizations.append(value.decode(_TEXTS[kind], errors="replace"))
    return common, tuple(organizations)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the content of each item; ends, or fails with ValueError, where the bytes do."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("cut short")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:  # the length's own length comes first
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > len(data):
                raise ValueError("no length")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut short")
        yield tag, data[at : at + length]
        at += length


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _joined(value: object) -> str | None:
    return ", ".join(str(each) for each in value) or None if isinstance(value, list) else None


def _is_given(value: object) -> bool:
    return isinstance(value, str) and value != ""
