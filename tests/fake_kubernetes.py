"""A Kubernetes API server on loopback: namespaces and Secrets for the real client, with the audit events of it all.

It records as the real one does under EKS's audit policy: Secrets at the level Metadata, namespaces with their bodies.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loopback import Request, serve_json

Reply = tuple[int, dict[str, Any]]
USER = {
    "username": "alice",
    "groups": ["system:authenticated"],
    "extra": {"arn": ["arn:aws:sts::111122223333:assumed-role/Admin/alice"], "accessKeyId": ["ASIAEXAMPLE"]},
}
TOKEN = "not-a-token"


@dataclass
class FakeKubernetes:
    """The cluster's objects, and the audit events of all requests.

    Attributes:
        refusals: Status and message by verb and resource, such as ("create", "secrets").
        is_echoing: Whether a refusal's message quotes what was sent, as a webhook may.
        is_garbling: Whether what it answers about Secrets has the wrong shape.
        is_slow_to_remove: Whether a namespace stays after its deletion.
        level_of_secrets: The level at which requests for Secrets are recorded.
    """

    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    is_echoing: bool = False
    is_garbling: bool = False
    is_slow_to_remove: bool = False
    level_of_secrets: str = "Metadata"
    namespaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)  # every Secret that ever was
    events: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        """The status and the body for one call, which leaves an audit event."""
        received = datetime.now(UTC)
        parts = request.path.strip("/").split("/")[2:]  # behind api/v1
        verb = {"POST": "create", "GET": "get", "DELETE": "delete"}.get(request.method, request.method.lower())
        namespace, resource, name = (parts + [""] * 4)[1], "namespaces", (parts + [""] * 4)[1]
        if len(parts) > 2:
            resource, name = parts[2], (parts + [""] * 4)[3]
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            status, body = self._status(401, "Unauthorized")
        elif (verb, resource) in self.refusals:
            code, message = self.refusals[verb, resource]
            status, body = self._status(code, message + (json.dumps(request.body) if self.is_echoing else ""))
        elif resource == "namespaces":
            status, body = self._namespace(verb, name, request.body)
            namespace = name = body.get("metadata", {}).get("name", name)
        else:
            status, body = self._secret(verb, namespace, name, request.body)
            if self.is_garbling:
                body = {**body, "metadata": list(body.get("data", {}).items()), "data": str(body.get("data"))}
            name = name or (request.body or {}).get("metadata", {}).get("name", "")
        self._record(request, verb, resource, namespace, name, status, body, received)
        return status, body

    def _namespace(self, verb: str, name: str, body: Any) -> Reply:
        if verb == "create":
            metadata = dict(body["metadata"])
            metadata.setdefault("name", f"{metadata.get('generateName', '')}{uuid.uuid4().hex[:5]}")
            made = {"kind": "Namespace", "apiVersion": "v1", "metadata": {**metadata, "uid": str(uuid.uuid4())}}
            self.namespaces[metadata["name"]] = made
            return 201, made
        if name not in self.namespaces:
            return self._status(404, f'namespaces "{name}" not found')
        found = self.namespaces[name]
        if verb == "delete" and not self.is_slow_to_remove:
            del self.namespaces[name]
            for key in [key for key in self.secrets if key[0] == name]:
                del self.secrets[key]
        return 200, found

    def _secret(self, verb: str, namespace: str, name: str, body: Any) -> Reply:
        if verb == "create":
            if namespace not in self.namespaces:
                return self._status(404, f'namespaces "{namespace}" not found')
            made = {"kind": "Secret", "apiVersion": "v1", **body}
            self.secrets[namespace, body["metadata"]["name"]] = made
            self.made.append(made)
            return 201, made
        found = self.secrets.get((namespace, name))
        if found is None:
            return self._status(404, f'secrets "{name}" not found')
        if verb == "delete":
            del self.secrets[namespace, name]
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        return 200, found

    def _status(self, code: int, message: str) -> Reply:
        reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}.get(code, "InternalError")
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        return code, {**body, "message": message}

    def _record(
        self,
        request: Request,
        verb: str,
        resource: str,
        namespace: str,
        name: str,
        status: int,
        body: dict[str, Any],
        received: datetime,
    ) -> None:
        level = self.level_of_secrets if resource == "secrets" else "RequestResponse"
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": level,
            "auditID": str(uuid.uuid4()),
            "stage": "ResponseComplete",
            "requestURI": request.path,
            "verb": verb,
            "user": USER,
            "sourceIPs": [request.address],
            "userAgent": request.headers.get("user-agent", ""),
            "objectRef": {"resource": resource, "namespace": namespace, "name": name, "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": status},
            "requestReceivedTimestamp": f"{received:%Y-%m-%dT%H:%M:%S.%fZ}",
            "stageTimestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
        }
        if level == "RequestResponse":
            event |= {"requestObject": request.body, "responseObject": body}
        self.events.append(event)


@contextmanager
def serve(cluster: FakeKubernetes) -> Iterator[str]:
    """Run the server; gives its address."""
    with serve_json(cluster.answer) as address:
        yield address


def write_kubeconfig(path: Path, address: str, token: str = TOKEN) -> Path:
    """A kubeconfig that leads to this server."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "prod", "cluster": {"server": address}}],
        "users": [{"name": "alice", "user": {"token": token}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "alice"}}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
