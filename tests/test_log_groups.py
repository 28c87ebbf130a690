"""Names of clusters and log groups."""

from __future__ import annotations

import pytest

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.cloudwatch.log_groups import parse_log_groups

ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/eks/prod/cluster"


@pytest.mark.parametrize(
    ("text", "identifiers", "region", "clusters"),
    [
        ("prod", ("/aws/eks/prod/cluster",), "", ("prod",)),
        ("prod@eu-west-1", ("/aws/eks/prod/cluster",), "eu-west-1", ("prod",)),
        ("prod@us-gov-west-1", ("/aws/eks/prod/cluster",), "us-gov-west-1", ("prod",)),
        ("/aws/eks/x_1/cluster", ("/aws/eks/x_1/cluster",), "", ("x_1",)),
        ("team/audit.log", ("team/audit.log",), "", ()),
        (ARN, (ARN,), "eu-west-1", ("prod",)),
        (f"{ARN}:*", (ARN,), "eu-west-1", ("prod",)),
        ("a, b ,a", ("/aws/eks/a/cluster", "/aws/eks/b/cluster"), "", ("a", "b")),
        (f"a@eu-west-1,{ARN}", ("/aws/eks/a/cluster", ARN), "eu-west-1", ("a", "prod")),
    ],
)
def test_names(text: str, identifiers: tuple[str, ...], region: str, clusters: tuple[str, ...]) -> None:
    """A cluster, a cluster with its region, a log group's name, its ARN, and several of them with commas."""
    groups = parse_log_groups(text)
    assert (groups.identifiers, groups.region, groups.clusters) == (identifiers, region, clusters)


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("prod", {"logGroupName": "/aws/eks/prod/cluster"}),
        ("a,b", {"logGroupNames": ["/aws/eks/a/cluster", "/aws/eks/b/cluster"]}),
        (f"a,{ARN}", {"logGroupIdentifiers": ["/aws/eks/a/cluster", ARN]}),
    ],
)
def test_how_the_service_is_told(text: str, request_: dict[str, object]) -> None:
    """StartQuery gets exactly one of its three forms."""
    assert dict(parse_log_groups(text).request()) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'The cluster has no name. Write "cloudwatch:CLUSTER".'),
        ("a,,b", 'One of the clusters has no name. Write "cloudwatch:CLUSTER".'),
        ("a b", "'a b' is neither a cluster nor a log group. Write"),
        ("prod@europe", "'prod@europe' is neither a cluster nor a log group."),
        ("arn:aws:s3:::bucket", "'arn:aws:s3:::bucket' is not the ARN of a log group"),
        ("a@eu-west-1,b@us-east-1", "One query asks one region, and these lie in eu-west-1, us-east-1."),
        (",".join(f"c{number}" for number in range(51)), "A query takes 50 log groups at most, and 51 are named."),
    ],
)
def test_names_of_nothing(text: str, message: str) -> None:
    """What cannot be asked is refused before anything is asked."""
    with pytest.raises(SourceError) as error:
        parse_log_groups(text)
    assert str(error.value).startswith(message)
