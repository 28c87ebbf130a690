"""What to change so that a way is closed: commands to copy, and what else would break.

Nothing here is run. Names of the log are quoted for the shell, and TYPE/NAME cannot be taken for an option.
Source of the commands: kubectl reference; AWS CLI reference, eks; EKS User Guide, access entries and aws-auth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.access import PERMISSIONS, used_permissions
from eks_audit_nb.analysis.aws_auth import ADMIN_GROUP
from eks_audit_nb.analysis.grants import binding_history, entry_of, known, subject_text, subjects_of
from eks_audit_nb.analysis.grave import grave_of
from eks_audit_nb.analysis.inert import inert, shell_quoted
from eks_audit_nb.analysis.paths import permission_text, rbac_user
from eks_audit_nb.analysis.roles import role_yaml
from eks_audit_nb.analysis.typed import records, typed_frame

CLOSING = {
    "way": "Int64",
    "label": "string",
    "commands": "string",  # lines for a shell
    "effect": "string",  # what they do
    "breaks": "string",  # what else would no longer be allowed, as far as the log shows it
    "other_callers": "Int64",
    "other_requests": "Int64",
}
_AGREE = "# Read them first: they change the cluster."
_COMPONENTS = ("system:kube-", "system:apiserver", "system:controller:")
_MOST = 5
# What makes a way, of the columns of `attribute`.
_WAY = ["grounds", "binding_kind", "binding", "binding_namespace", "empty_reason"]
_PLAIN = re.compile(r"[a-z]+")
_YAML = re.compile(r"[^a-z0-9.-]+")


def closings(ways: pd.DataFrame, others: pd.DataFrame, rules: pd.DataFrame, cluster: str = "") -> pd.DataFrame:
    """How each way can be closed, and what else goes it; the columns of `CLOSING`.

    Args:
        ways: What `ways_of` gives.
        others: What `others_on` gives.
        rules: Rows of `attribute` for the query `access_rules`.
        cluster: The cluster's name for the AWS CLI; "" where it is not known.
    """
    rows = []
    for way in records(ways):
        same = others[others["way"].eq(way["way"])]
        commands, effect = _commands(way, binding_history(rules, way), cluster)
        rows.append(
            {
                "way": way["way"],
                "label": way["label"],
                "commands": commands or None,
                "effect": effect,
                "breaks": _breaks(way, same),
                "other_callers": len(same[["username", "acted_as"]].drop_duplicates()),
                "other_requests": int(same["requests"].sum()),
            }
        )
    return typed_frame(rows, CLOSING)


def used_by_ways(own: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """What the principal used, in its own name, by the ways that were asked about, and what is grave about it.

    Args:
        own: Rows of `attribute`: all requests of the principal.
        asked: Those that were asked about; their ways are the ones that would be closed. A single one is taken for what
            should not have been, and left out.

    Returns:
        The columns of `access.PERMISSIONS`, and username, permission and grave (why it needs a second look; missing
        where there is nothing), the grave ones first. Nothing for nodes and for callers without an identity.
    """
    frames = []
    allowed = asked[asked["impersonated"].isna() & asked["decision"].eq("allow").fillna(False)]
    for user in _names(allowed, "username"):
        ways = allowed[allowed["username"].eq(user)][_WAY].drop_duplicates()
        mine = own[own["username"].eq(user).fillna(False) & own["impersonated"].isna()]
        mine = mine.merge(ways, on=_WAY, how="inner") if len(ways) else mine.head(0)
        if len(asked) == 1:
            mine = mine[~mine["audit_id"].isin(asked["audit_id"].dropna())]
        frames.append(used_permissions(mine, user).assign(username=user))
    found = pd.concat(frames, ignore_index=True) if frames else typed_frame([], {**PERMISSIONS, "username": "string"})
    told = [(permission_text(each), grave_of(each) or None) for each in records(found)]
    found["permission"] = pd.array([text for text, _ in told], dtype="string")
    found["grave"] = pd.array([grave for _, grave in told], dtype="string")
    return found.sort_values("grave", kind="stable", ignore_index=True)


def kept_roles(used: pd.DataFrame) -> str:
    """A proposal: the smallest roles for what `used_by_ways` gives, as YAML; "" where there is nothing to keep.

    What is grave is left out and named in a comment, so that whoever wants it granted has to write it down.
    """
    if used.empty:
        return ""
    grave = used[used["grave"].notna()]
    lines = [f"# Left out, since it {each['grave']}: {inert(each['permission'])}" for each in records(grave)]
    plain = used[used["grave"].isna()]
    roles = "".join(role_yaml(plain[plain["username"].eq(user)], user) for user in _names(plain, "username"))
    return "\n".join([*lines, roles])


def _names(frame: pd.DataFrame, column: str) -> list[str]:
    return [name for name in frame[column].dropna().unique() if name and name != "system:anonymous"][:_MOST]


def _commands(way: Mapping[str, Any], history: pd.DataFrame, cluster: str) -> tuple[str, str]:
    grounds, silent = known(way["grounds"]), known(way["empty_reason"])
    if grounds == "RBAC":
        return _rbac(way, history)
    if grounds == "EKS access policy":
        return _access_policy(way, cluster)
    if silent == ADMIN_GROUP:
        return _masters(way, cluster)
    if silent == "node authorizer":
        node = known(way["principal"]) or known(way["username"]).removeprefix("system:node:")
        named = shell_quoted(f"node/{node}")
        lines = [f"kubectl cordon {named}", f"kubectl drain {named} --ignore-daemonsets --delete-emptydir-data"]
        text = "A node's own rights cannot be taken away. If its credential is in other hands: empty the node, end its "
        text += "instance, and with it the session of its role ends. Running pods move."
        return _lines(*lines), text
    return "", "The log does not say which rule allowed it, so there is nothing here to change."


def _rbac(way: Mapping[str, Any], history: pd.DataFrame) -> tuple[str, str]:
    kind, binding = known(way["binding_kind"]).lower(), known(way["binding"])
    namespace, subject = known(way["binding_namespace"]), subject_text(way)
    place = f" --namespace={shell_quoted(namespace)}" if namespace else ""
    named = shell_quoted(f"{kind}/{binding}")
    copy = f"kubectl get {named}{place} --output=yaml > {_file(kind, binding)}"
    subjects = subjects_of(history)
    ended = history[history["act"].isin(["delete", "delete collection"]) & history["effect"].eq("done")]
    made = history[history["act"].eq("create") & history["effect"].eq("done")]
    if len(ended) and (made.empty or ended["time"].max() > made["time"].max()):
        last = records(ended.tail(1))[0]
        when = f"{last['time']:%Y-%m-%d %H:%M:%S} UTC"
        text = (
            f"The binding was deleted at {when} by {known(last['username'])}: this way is closed already. The command "
        )
        return _lines(f"kubectl get {named}{place}"), text + "shows whether it is back."
    if binding.startswith(("system:", "eks:")):
        text = "This binding belongs to Kubernetes or to EKS, and comes back when the API server or an add-on restores "
        text += "it. Close the way at its caller, unless somebody added the subject: then take that out."
        return _lines(copy, f"kubectl edit {named}{place}  # only to take out a subject that was added"), text
    check = _check(way)
    if subjects is None or len(subjects) > 1:
        count = "who else is in it is not in the log" if subjects is None else f"the log knows {len(subjects)} of them"
        edit = f"kubectl edit {named}{place}  # take out: {inert(subject, 200)}"
        delete = f"kubectl delete {named}{place}  # or: the whole binding"
        return _lines(
            copy, edit, delete, *check
        ), f"Takes {subject} out of the binding, or ends it for all subjects ({count})."
    return _lines(copy, f"kubectl delete {named}{place}", *check), f"Ends the binding, whose only subject is {subject}."


def _access_policy(way: Mapping[str, Any], cluster: str) -> tuple[str, str]:
    where = f" --cluster-name {shell_quoted(cluster) if cluster else 'CLUSTER'}"
    entry, policy = shell_quoted(entry_of(way)), shell_quoted(known(way["role"]))
    arn = f"{where} --principal-arn {entry}"
    return _lines(
        f"aws eks list-associated-access-policies{arn}",
        f"aws eks disassociate-access-policy{arn} --policy-arn {policy}",
        f"aws eks delete-access-entry{arn}  # or: no access to this cluster at all",
    ), "Takes the policy from the access entry, for everybody who can assume this role; or ends the entry."


def _masters(way: Mapping[str, Any], cluster: str) -> tuple[str, str]:
    if known(way["impersonated"]):
        user = shell_quoted(f"--as={known(way['username'])}")
        text = "The group was taken by impersonation. What has to go is the caller's right to impersonate users and "
        text += "groups: look for the verb impersonate in the roles that are bound to the caller."
        lines = [f"kubectl auth can-i impersonate users {user}", f"kubectl auth can-i impersonate groups {user}"]
        return "\n".join(lines), text
    name = known(way["username"])
    if name.startswith(_COMPONENTS) or name.startswith("eks:"):
        return "", "A part of the control plane. There is nothing to close."
    if not known(way["principal"]).startswith("arn:"):
        text = "Only a client certificate or an identity provider can have given this group. A certificate cannot be "
        return "", text + "taken back before it ends."
    arn = shell_quoted(known(way["principal"]))
    where = f" --cluster {shell_quoted(cluster) if cluster else 'CLUSTER'}"
    name_of = f" --name {shell_quoted(cluster) if cluster else 'CLUSTER'}"
    mode = " --access-config authenticationMode=API_AND_CONFIG_MAP"
    text = (
        "Takes the entry out of aws-auth. If none is there, the role or user created the cluster; then the last line, "
    )
    text += "after which its access entry can be deleted. The group cannot be restrained by RBAC, only left."
    return _lines(
        "kubectl get configmap/aws-auth --namespace=kube-system --output=yaml > aws-auth.yaml",
        f"eksctl get iamidentitymapping{where} --arn {arn}",
        f"eksctl delete iamidentitymapping{where} --arn {arn}",
        f"aws eks update-cluster-config{name_of}{mode}  # only where aws-auth has no entry",
    ), text


def _lines(*commands: str) -> str:
    reads = ("kubectl get ", "kubectl auth ", "aws eks list-", "eksctl get ")
    changes = [each for each in commands if not each.startswith(reads)]
    return "\n".join([*([_AGREE] if changes else []), *commands])


def _check(way: Mapping[str, Any]) -> list[str]:
    """A question to the cluster that is answered with "no" once the way is closed, and no other is open."""
    resource, _, subresource = known(way["resource"]).partition("/")
    if not _PLAIN.fullmatch(known(way["verb"])) or not _PLAIN.fullmatch(resource):
        return []
    group, namespace = known(way["api_group"]), known(way["namespace"])
    options = [f"--subresource={subresource}"] if subresource else []
    options += [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
    options.append(f"--as={rbac_user(way)}")
    options += [f"--as-group={known(way['subject'])}"] if known(way["subject_kind"]) == "Group" else []
    words = [way["verb"], f"{resource}.{group}" if group else resource, *options]
    return [f"kubectl auth can-i {' '.join(map(shell_quoted, words))}  # should then say no"]


def _file(kind: str, name: str) -> str:
    plain = _YAML.sub("-", name.lower()).strip("-.") or "binding"
    return f"{kind}-{plain[:60]}.yaml"


def _breaks(way: Mapping[str, Any], others: pd.DataFrame) -> str:
    """Who else goes this way, in a sentence."""
    if others.empty:
        return "In this window nobody else was allowed by it."
    callers = [
        f"{known(each['username']) or 'a caller without a name'}"
        f"{' as ' + known(each['acted_as']) if known(each['acted_as']) else ''} ({each['requests']:,})"
        for each in records(others.head(_MOST))
    ]
    more = len(others) - len(callers)
    text = ", ".join(callers) + (f" and {more:,} more" if more > 0 else "")
    requests = int(others["requests"].sum())
    if known(way["empty_reason"]):
        return f"Others in the same group, who go on: {text}."
    return f"Deleting it also ends what {requests:,} other request{'s' if requests != 1 else ''} needed: {text}."
