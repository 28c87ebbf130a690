"""What a change of aws-auth changed: entries of mapRoles, mapUsers and mapAccounts, added and removed."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eks_audit_nb import attribute, mapping_changes
from eks_audit_nb.analysis.aws_auth import COLUMNS
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event

URI = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
TARGET = {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth", "apiVersion": "v1"}
NODES = (
    "- rolearn: arn:aws:iam::1:role/nodes\n  username: system:node:{{EC2PrivateDNSName}}\n  groups: [system:nodes]\n"
)
ADMIN = "- rolearn: arn:aws:iam::1:role/eve\n  username: eve\n  groups: [devs, system:masters]\n"
USER = "- userarn: arn:aws:iam::1:user/bob\n  username: bob\n  groups: []\n"


def config_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "aws-auth"}, "data": data}


def write(body: object, verb: str = "update", code: int = 200, uri: str = URI, **changes: Any) -> dict[str, Any]:
    """A write of aws-auth, with the object as it was stored."""
    status = {"code": code}
    changes = {"verb": verb, "requestURI": uri, "objectRef": TARGET, "responseStatus": status, **changes}
    return audit_event(responseObject=body, **changes)


def changes_of(*events: dict[str, Any]) -> list[tuple[str, str]]:
    """The change and the identity of each row, or the explanation where no entry is named."""
    found = rows_of(*events)
    return [(row["change"], row["identity"] or row["explanation"]) for row in found]


def rows_of(*events: dict[str, Any], times: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows of changes written a second apart, or at the times given."""
    when = pd.to_datetime(times, utc=True) if times else pd.date_range("2026-11-24T10Z", periods=len(events), freq="s")
    texts = [
        json.dumps({"requestReceivedTimestamp": None, **event, "auditID": str(n)}) for n, event in enumerate(events)
    ]
    frame = pd.DataFrame(
        {"@timestamp": when.astype("datetime64[us, UTC]"), "@message": pd.Series(texts, dtype="string")}
    )
    found = mapping_changes(attribute(frame))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    plain = found.astype(object)
    return plain.where(plain.notna(), None).to_dict("records")


# --- what changed ---------------------------------------------------------------------------------------------------

BEFORE = write(config_map(mapRoles=NODES))
IN_PLACE = ("in place", "arn:aws:iam::1:role/nodes")


def test_added() -> None:
    """An entry that the ConfigMap did not hold before is added, and system:masters makes it one of an administrator."""
    added = rows_of(BEFORE, write(config_map(mapRoles=NODES + ADMIN, mapUsers=USER)))[1:]
    shown = [
        (row["change"], row["kind"], row["identity"], row["username"], row["groups"], row["is_admin"]) for row in added
    ]
    assert shown == [
        ("added", "mapRoles", "arn:aws:iam::1:role/eve", "eve", "devs, system:masters", True),
        ("added", "mapUsers", "arn:aws:iam::1:user/bob", "bob", "", False),
    ]


def test_removed() -> None:
    """An entry that the ConfigMap no longer holds is removed."""
    changes = changes_of(write(config_map(mapRoles=NODES + ADMIN)), write(config_map(mapRoles=NODES)))
    assert changes[2:] == [("removed", "arn:aws:iam::1:role/eve")]


def test_changed() -> None:
    """An entry with other groups than before is the new one added and the old one removed."""
    before, after = config_map(mapRoles=ADMIN), config_map(mapRoles=ADMIN.replace(", system:masters", ""))
    rows = rows_of(write(before), write(after))[1:]
    assert [(row["change"], row["groups"]) for row in rows] == [("added", "devs"), ("removed", "devs, system:masters")]


def test_unchanged() -> None:
    """A write that leaves the entries as they were says so, whatever the order and the spelling of the YAML."""
    spelled = yaml.safe_dump(yaml.safe_load(NODES + ADMIN)[::-1], default_flow_style=True)
    changes = changes_of(write(config_map(mapRoles=NODES + ADMIN)), write(config_map(mapRoles=spelled)))
    assert changes[2:] == [("none", "the entries stayed as they were")]


def test_nothing_known_before() -> None:
    """The first write that the log shows gives entries that are in place, since any of them may be old."""
    rows = rows_of(write(config_map(mapRoles=NODES + ADMIN)))
    assert [(row["change"], row["is_admin"]) for row in rows] == [("in place", True), ("in place", False)]
    assert rows[0]["explanation"] == "in place after this request; the state before it is not in the log"


def test_what_the_request_wrote() -> None:
    """Where nothing is known before, the API server's own note on who wrote which part is told."""
    body = config_map(mapRoles=NODES, mapUsers=USER)
    body["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": "2026-11-24T10:00:00Z", "fieldsV1": {"f:data": {"f:mapUsers": {}}}},
        {"manager": "eks", "time": "2020-01-01T00:00:00Z", "fieldsV1": {"f:data": {"f:mapRoles": {}}}},
    ]
    rows = rows_of(write(body))
    assert {row["explanation"] for row in rows} == {
        "in place after this request, which wrote mapUsers; the state before it is not in the log"
    }


def test_deleted() -> None:
    """A deletion removes every entry, and what is written after it is new."""
    deletion = write({"kind": "Status"}, verb="delete")
    assert changes_of(BEFORE, deletion, write(config_map(mapRoles=ADMIN))) == [
        IN_PLACE,
        ("removed", "arn:aws:iam::1:role/nodes"),
        ("added", "arn:aws:iam::1:role/eve"),
    ]
    assert changes_of(deletion) == [("unknown", "the ConfigMap was deleted; what it held is not in the log")]


def test_deleted_with_others() -> None:
    """A deletion of all ConfigMaps counts as one of aws-auth; one by labels or fields may have left it."""
    every = write({"kind": "ConfigMapList"}, verb="deletecollection", uri="/api/v1/namespaces/kube-system/configmaps")
    assert changes_of(BEFORE, every)[1:] == [("removed", "arn:aws:iam::1:role/nodes")]
    for selector in ("labelSelector=app%3Dx", "limit=5&fieldSelector=metadata.name%3Dx"):
        some = {**every, "requestURI": f"{every['requestURI']}?{selector}"}
        unknown = ("unknown", "whether the ConfigMap was among those deleted is not in the log")
        assert changes_of(BEFORE, some, BEFORE)[1:] == [unknown, IN_PLACE]


def test_created_without_a_body() -> None:
    """Of a creation EKS records no content, so neither it nor what was before the next write is known."""
    creation = write(None, verb="create", code=201, uri=URI.removesuffix("/aws-auth"))
    assert changes_of(BEFORE, creation, BEFORE) == [
        IN_PLACE,
        ("unknown", "the log does not hold the content (EKS records only the metadata of a creation)"),
        IN_PLACE,
    ]


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_created_with_a_body(verb: str) -> None:
    """Where the content of a creation is recorded, every entry is added, since there was nothing before."""
    assert changes_of(write(config_map(mapRoles=ADMIN), verb=verb, code=201)) == [("added", "arn:aws:iam::1:role/eve")]


@pytest.mark.parametrize(
    ("event", "explanation"),
    [
        (write({"kind": "Status"}, code=403), "refused or failed with code 403"),
        (write({"kind": "Status"}, code=409), "refused or failed with code 409"),
        (write({"kind": "Status"}, verb="delete", code=404), "refused or failed with code 404"),
        (write(None, responseStatus=None, stage="RequestReceived"), "no response recorded"),
        (write(config_map(mapRoles=ADMIN), uri=f"{URI}?dryRun=All"), "a dry run: nothing was stored"),
        (write(config_map(), uri=f"{URI}?fieldManager=x&dryRun=All"), "a dry run: nothing was stored"),
        (write(config_map(), uri=f"{URI}?dry%52un=All"), "a dry run: nothing was stored"),
        (write({"kind": "Status"}, verb="delete", requestObject={"dryRun": ["All"]}), "a dry run: nothing was stored"),
    ],
)
def test_requests_that_change_nothing(event: dict[str, Any], explanation: str) -> None:
    """A refused request, a failed one and a dry run change nothing, and the state before them stays known."""
    after = write(config_map(mapRoles=NODES + ADMIN))
    assert changes_of(BEFORE, event, after) == [IN_PLACE, ("none", explanation), ("added", "arn:aws:iam::1:role/eve")]


@pytest.mark.parametrize(
    "query", ["fieldManager=dryRun=All", "fieldManager=x%26dryRun=All", "x=1#dryRun=", "notdryRun=All"]
)
def test_a_change_cannot_pose_as_a_dry_run(query: str) -> None:
    """A real change counts, whatever its URI holds that looks like a dry run."""
    change = write(config_map(mapRoles=NODES + ADMIN), uri=f"{URI}?{query}")
    assert changes_of(BEFORE, change)[1:] == [("added", "arn:aws:iam::1:role/eve")]


def test_a_cut_event_makes_the_state_unknown() -> None:
    """After a change whose body is not whole the state is unknown, and nothing is called added."""
    lost = write(None, annotations={"audit.k8s.io/truncated": "true"})
    assert [change for change, _ in changes_of(BEFORE, lost, BEFORE)] == ["in place", "unknown", "in place"]


def test_changes_of_one_millisecond() -> None:
    """Changes that were written in the same millisecond are told in the order in which they were received."""
    received = [f"2026-11-24T10:00:00.00000{digit}Z" for digit in "321"]
    bodies = [config_map(mapRoles=NODES + ADMIN), config_map(mapRoles=NODES), config_map()]
    events = [write(b, requestReceivedTimestamp=r) for b, r in zip(bodies, received, strict=True)]
    rows = rows_of(*events, times=["2026-11-24T10:00:00Z"] * 3)
    assert [(row["audit_id"], row["change"], row["identity"]) for row in rows] == [
        ("2", "none", None),
        ("1", "added", "arn:aws:iam::1:role/nodes"),
        ("0", "added", "arn:aws:iam::1:role/eve"),
    ]


def test_no_requests() -> None:
    """Without requests there are the same columns with the same types."""
    assert rows_of() == []


# --- how entries are read -------------------------------------------------------------------------------------------


def entries_of(**data: Any) -> list[tuple[str, str, str, str]]:
    """Kind, identity, username and groups of what a ConfigMap holds."""
    return [
        (row["kind"], row["identity"], row["username"], row["groups"]) for row in rows_of(write(config_map(**data)))
    ]


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("- rolearn: r\n  username: u\n  groups:\n  - b\n  - a\n", ("r", "u", "a, b")),
        ('[{"rolearn": "r", "username": "u", "groups": ["a"]}]', ("r", "u", "a")),
        ("- {ROLEARN: r, UserName: u, Groups: [system:masters]}", ("r", "u", "system:masters")),
        ("- {rolearn: r, groups: [safe], GROUPS: [system:masters]}", ("r", "", "safe")),
        ("- {rolearn: r}", ("r", "", "")),
        ("- {rolearn: r, username: , groups: }", ("r", "", "")),
        ("- {rolearn: r, username: ~, groups: null}", ("r", "", "")),
        ("- {rolearn: r, username: 007, groups: [1, on]}", ("r", "007", "1, on")),
        ("- {rolearn: r, groups: system:masters}", ("r", "", "")),
        ("- {rolearn: r, username: {a: b}, groups: [[a], b]}", ("r", "(not text)", "(not text), b")),
        ("- {}", ("", "", "")),
        ("- just text", ("just text", "", "")),
        ("x: &x {groups: [system:masters]}\n", ("not readable: x: &x {groups: [system:masters]}", "", "")),
        ("- &a {username: u, groups: [system:masters]}\n- {<<: *a, rolearn: r}", ("r", "u", "system:masters")),
        ('- {rolearn: "r\\uD800"}', ("r\ufffd", "", "")),
    ],
)
def test_entries(text: str, entry: tuple[str, str, str]) -> None:
    """Entries are read as the authenticator reads them, and what it cannot read is shown and not hidden."""
    assert ("mapRoles", *entry) in entries_of(mapRoles=text)


@pytest.mark.parametrize(
    "text",
    [
        "- rolearn: r\n groups: [a",
        "\t- x",
        "{",
        "just text",
        "- rolearn: !!python/object/apply:os.system [id]",
        '!!int ""',
        "!!bool maybe",
        "!!timestamp never",
        '- "\\UFFFFFFFF"',
        "- {? [a] : b}",
        "- *nowhere",
        "[" * 2000,
        "- a\n---\n- b",
    ],
)
def test_broken_yaml(text: str) -> None:
    """A text that is no list in YAML is shown as such, cut to a line, instead of being taken for no entries."""
    ((kind, identity, username, groups),) = entries_of(mapRoles=text)
    assert (kind, username, groups) == ("mapRoles", "", "")
    assert identity.startswith("not readable: ")
    assert "\n" not in identity
    assert len(identity) <= 220


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment", "[]", "null"])
def test_no_entries(text: str) -> None:
    """An empty mapping has no entries."""
    assert changes_of(write(config_map(mapRoles=text))) == [("none", "no entries")]


def test_accounts() -> None:
    """An account is its number as it was written, quoted or not, also with a zero in front."""
    found = entries_of(mapAccounts='- "111122223333"\n- 012345670123\n- 444455556666\n')
    assert [identity for _, identity, _, _ in found] == ["012345670123", "111122223333", "444455556666"]
    assert {(kind, username, groups) for kind, _, username, groups in found} == {("mapAccounts", "", "")}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "ConfigMap"},
        {"kind": "ConfigMap", "data": None},
        {"kind": "ConfigMap", "data": ["mapRoles"]},
        {"kind": "ConfigMap", "data": {"mapRoles": 7, "other": NODES}},
        {"kind": "ConfigMap", "metadata": 7, "data": {}},
    ],
)
def test_config_maps_without_mappings(body: dict[str, Any]) -> None:
    """A ConfigMap that maps nobody has no entries, so the next one is added."""
    changes = changes_of(write(body), write(config_map(mapRoles=ADMIN)))
    assert changes == [("none", "no entries"), ("added", "arn:aws:iam::1:role/eve")]


@pytest.mark.parametrize("body", [None, {"kind": "Status", "code": 200}, ["a"], "text", 7])
def test_bodies_that_are_no_config_map(body: object) -> None:
    """A body that is no ConfigMap says nothing about the entries."""
    assert [change for change, _ in changes_of(write(body))] == ["unknown"]


def bomb(levels: int, head: str, line: str) -> str:
    """YAML in which each level holds the one above it many times over."""
    names = [f"a{number}" for number in range(levels)]
    return head + "".join(line.format(new=new, old=old) for old, new in pairwise(names))


@pytest.mark.parametrize(
    "text",
    [
        bomb(
            12, "- &a0 [x, x]\n", "- &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
        ),
        bomb(
            12,
            "- &a0 {k: v, l: w}\n",
            "- &{new} {{<<: [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]}}\n",
        ),
        bomb(
            12, "- &a0 {groups: [x]}\n", "- &{new} {{rolearn: r, groups: [*{old}, *{old}, *{old}, *{old}, *{old}]}}\n"
        ),
        "- &a [*a, *a]\n- &b {<<: *b, rolearn: r}\n",
        f"- {{rolearn: r, groups: &g [{'x,' * 3000}system:masters]}}\n"
        + "".join(f"- {{rolearn: r{n}, groups: *g}}\n" for n in range(800)),
    ],
    ids=["lists", "merges", "groups", "itself", "one long list of groups"],
)
def test_yaml_bombs(text: str) -> None:
    """YAML that is small and means something huge is read in a moment and shown in little space."""
    began = time.perf_counter()
    found = entries_of(mapRoles=text, mapUsers=text, mapAccounts=text)
    assert time.perf_counter() - began < 10
    assert sum(len(str(entry)) for entry in found) < 1_000_000


def test_a_long_list_of_groups_does_not_hide_administrators() -> None:
    """A list of groups that is too long to be spelled out still shows system:masters."""
    text = f"- {{rolearn: r, groups: [{'x,' * 3000}system:masters]}}"
    (row,) = rows_of(write(config_map(mapRoles=text)))
    assert (row["groups"], row["is_admin"]) == ("system:masters, (a list of 3,001)", True)


PLAIN = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12)
ENTRIES = st.lists(
    st.fixed_dictionaries({"rolearn": PLAIN, "username": PLAIN, "groups": st.lists(PLAIN, max_size=3)}), max_size=4
)


@settings(max_examples=40, deadline=None)
@given(ENTRIES, ENTRIES)
def test_added_and_removed_are_the_difference(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Whatever two states hold, what is added and removed leads from the one to the other."""

    def keys(entries: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {(e["rolearn"], e["username"], ", ".join(sorted(e["groups"]))) for e in entries}

    dumped = [yaml.safe_dump(entries, allow_unicode=True) for entries in (before, after)]
    rows = [row for row in rows_of(*(write(config_map(mapRoles=text)) for text in dumped)) if row["audit_id"] == "1"]
    found = {
        change: {(row["identity"], row["username"], row["groups"]) for row in rows if row["change"] == change}
        for change in ("added", "removed")
    }
    assert found == {"added": keys(after) - keys(before), "removed": keys(before) - keys(after)}


# --- on the sample --------------------------------------------------------------------------------------------------


def test_changes_of_the_sample(sample: FileSource, labels: dict[str, dict[str, Any]]) -> None:
    """On the sample, each labelled change of aws-auth gives the entries that it gave or left in place."""
    found = mapping_changes(attribute(sample.run("aws_auth_changes").frame))
    by_id = {str(name): rows for name, rows in found.groupby("audit_id")}
    (refused,) = labels["aws_auth_patch_denied"]["primary_audit_ids"]
    assert by_id[refused]["change"].tolist() == ["none"]
    (update,) = labels["aws_auth_update"]["primary_audit_ids"]
    assert "arn:aws:iam::111122223333:role/shadow-admin" in by_id[update]["identity"].tolist()
    (patch,) = labels["aws_auth_patch"]["primary_audit_ids"]
    added = by_id[patch]
    assert added["change"].tolist() == ["added"]
    assert added["is_admin"].all()
