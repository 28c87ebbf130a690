"""The figure of ways, and the text that stands for it."""

from __future__ import annotations

from eks_audit_nb.analysis.issuers import CHAIN, END, PROVEN, UNKNOWN, chain_steps
from eks_audit_nb.analysis.paths import paths, ways_of
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.reporting.path_figure import path_figure

from rules import READ, attributed, by_binding, event, write


def test_the_alt_text_says_the_same() -> None:
    """Every step is in the alt text, with its doubt; ways that are not drawn are counted."""
    events = [event(by_binding(f"b{number}", "r", 'User "eve"'), **READ) for number in range(8)]
    found = attributed(*events)
    shown = path_figure(paths(ways_of(found), found, found), "Ways")
    alt = shown.formats["text/plain"]
    assert alt.startswith(
        "Boxes from left to right: Ways. 1: caller alice (inferred), then subject User eve, then binding"
    )
    assert "ClusterRoleBinding b0 (not known)" in alt
    assert alt.endswith("2 more are in the table only.")
    assert shown.metadata["image/png"]["alt"] == alt


def test_rules_share_a_box() -> None:
    """Several rules of one role are one box, which says how many they are."""
    user = {"username": "eve"}
    reason = by_binding("b", "r", 'User "eve"')
    rules = [{"apiGroups": [""], "resources": [each], "verbs": ["list"]} for each in ("secrets", "pods")]
    pods = {"verb": "list", "requestURI": "/api/v1/pods", "objectRef": {"resource": "pods"}}
    found = attributed(
        write("ClusterRole", "r", rules=rules), event(reason, user=user, **READ), event(reason, user=user, **pods)
    )
    steps = paths(ways_of(found.tail(2)), found, found)
    assert list(steps["part"]).count("rule") == 2
    assert "then rules 2 rules, such as: list of " in path_figure(steps, "Ways").formats["text/plain"]


def test_nothing_to_draw() -> None:
    """Without a way there is an empty figure that says so."""
    found = attributed(event()).head(0)
    assert "An empty figure" in path_figure(paths(ways_of(found), found, found), "Ways").formats["text/plain"]


def test_a_chain_of_credentials() -> None:
    """A chain is drawn from the credential back, with a dashed frame where the way ends without proof."""
    rows = [{"step": 1, "kind": "service account token", "holder": "eve", "credential": "JTI=1", "basis": PROVEN}]
    rows += [{"step": step, "kind": "AWS session", "holder": "bob", "credential": "ASIA1", "basis": PROVEN}
             for step in range(2, 9)]  # fmt: skip
    for end, words in ((END, "then caller ann."), (UNKNOWN, "then caller ann (unknown).")):
        chain = typed_frame([*rows, {"step": 9, "holder": "ann", "basis": end}], CHAIN)
        alt = path_figure(chain_steps(chain), "Back").formats["text/plain"]
        assert alt.startswith(
            "Boxes from left to right: Back. 1: service account token eve with JTI=1, then AWS session"
        )
        assert alt.endswith(words)
    assert "there is none" in path_figure(chain_steps(chain.head(0)), "Back").formats["text/plain"]


def test_names_are_no_formulas() -> None:
    """Dollars and controls of a name are drawn as text."""
    found = attributed(event(by_binding("$x^2$", "r", 'User "\\x1b[31m"'), **READ))
    alt = path_figure(paths(ways_of(found), found, found), "Ways").formats["text/plain"]
    assert "$" not in alt
    assert alt.isprintable()
