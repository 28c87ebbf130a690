"""Text to copy: shown as it is, and never anything else."""

from __future__ import annotations

from test_told import Tags

from eks_audit_nb.analysis.paths import OTHERS, ways_of
from eks_audit_nb.analysis.typed import typed_frame
from eks_audit_nb.reporting.copyable import closings, copyable
from eks_audit_nb.sources.files import FileSource

from rules import READ, attributed, by_binding, event

NOBODY = typed_frame([], OTHERS)


def test_a_block() -> None:
    """Text stands in a block under its label, escaped; without text there is a sentence."""
    shown = copyable("kubectl get <b>\n", "A label")
    assert shown.formats["text/html"] == "<p><strong>A label</strong></p><pre>kubectl get &lt;b&gt;</pre>"
    assert repr(copyable(" ", "A label", "nothing to keep")) == "A label: nothing to keep"


def test_closings() -> None:
    """Each way has its commands, and a cluster's name goes into them; markup of the log stays text."""
    odd = "<script>alert(1)</script>"
    found = attributed(event(by_binding(odd, "r", f'User "{odd}"'), user={"username": odd}, **READ))
    shown = closings(ways_of(found), NOBODY, found, "cloudwatch:prod")
    page = Tags(shown.formats["text/html"])
    assert set(page.tags) == {"p", "strong", "pre"}
    assert f"kubectl delete 'clusterrolebinding/{odd}'" in page.text
    assert "nobody else was allowed by it" in page.text
    assert "no request that was asked about was allowed" in repr(closings(ways_of(found.head(0)), NOBODY, found))


def test_the_cluster_is_named(sample: FileSource) -> None:
    """The AWS CLI gets the name of the cluster where the source is one."""
    found = attributed(
        event(
            'EKS Access Policy: allowed by ClusterRoleBinding "arn:aws:iam::1:role/T+arn:aws:eks::aws:cluster-access-'
            'policy/AmazonEKSViewPolicy" of ClusterRole "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy" '
            'to User "AROAX"',
            **READ,
        )
    )
    assert "--cluster-name prod " in repr(closings(ways_of(found), NOBODY, found, "cloudwatch:prod"))
    assert "--cluster-name CLUSTER " in repr(closings(ways_of(found), NOBODY, found, "logs/"))
