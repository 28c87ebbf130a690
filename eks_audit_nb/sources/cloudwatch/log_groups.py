"""From what stands behind "cloudwatch:" to log groups and their region."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.base import CLOUDWATCH

# How many log groups one query takes. Source: StartQuery.logGroupIdentifiers, CloudWatch Logs API reference.
MOST = 50
_ARN = re.compile(r"arn:(?P<partition>[\w-]+):logs:(?P<region>[\w-]+):(?P<account>\d{12}):log-group:(?P<name>[^:*]+)")
_NAME = re.compile(r"/?[\w./#-]+")
_CLUSTER = re.compile(r"(?P<cluster>[A-Za-z0-9][\w-]*)(@(?P<region>[a-z]{2}[a-z0-9-]*-\d+))?")
_OF_CLUSTER = re.compile(r"/aws/eks/(?P<cluster>[^/]+)/cluster")
_FORMS = (
    f'Write "{CLOUDWATCH}CLUSTER", "{CLOUDWATCH}CLUSTER@REGION", "{CLOUDWATCH}/aws/eks/CLUSTER/cluster", or the ARN of '
    "a log group; several with commas."
)


@dataclass(frozen=True)
class LogGroups:
    """The log groups of one source; `identifiers` are names or ARNs, `region` is "" where boto3 says it."""

    identifiers: tuple[str, ...]
    region: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, without what an ARN says beside that."""
        return tuple(_name(each) for each in self.identifiers)

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters to which they belong, as far as their names tell."""
        found = (_OF_CLUSTER.fullmatch(name) for name in self.names)
        return tuple(each["cluster"] for each in found if each)

    def request(self) -> Mapping[str, str | Sequence[str]]:
        """How StartQuery is told; it takes exactly one of three forms."""
        if any(each.startswith("arn:") for each in self.identifiers):
            return {"logGroupIdentifiers": list(self.identifiers)}
        if len(self.identifiers) == 1:
            return {"logGroupName": self.identifiers[0]}
        return {"logGroupNames": list(self.identifiers)}


def parse_log_groups(text: str) -> LogGroups:
    """Read clusters, names and ARNs with commas between them.

    Raises:
        SourceError: Nothing is named, a name cannot be one, too many are named, or they lie in several regions.
    """
    named = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(named):
        what = "The cluster has" if len(named) == 1 else "One of the clusters has"
        raise SourceError(f'{what} no name. Write "{CLOUDWATCH}CLUSTER".')
    if len(named) > MOST:
        raise SourceError(f"A query takes {MOST} log groups at most, and {len(named)} are named. Ask them in parts.")
    read = [_read(part) for part in named]
    regions = sorted({region for _, region in read if region})
    if len(regions) > 1:
        raise SourceError(f"One query asks one region, and these lie in {', '.join(regions)}. Ask each by itself.")
    return LogGroups(tuple(dict.fromkeys(group for group, _ in read)), regions[0] if regions else "")


def _read(part: str) -> tuple[str, str]:
    if part.startswith("arn:"):
        arn = _ARN.fullmatch(part.removesuffix(":*"))
        if arn is None:
            raise SourceError(
                f"{part!r} is not the ARN of a log group, such as "
                "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/eks/prod/cluster."
            )
        return arn[0], arn["region"]
    if cluster := _CLUSTER.fullmatch(part):
        return f"/aws/eks/{cluster['cluster']}/cluster", cluster["region"] or ""
    if "/" in part and _NAME.fullmatch(part):
        return part, ""
    raise SourceError(f"{part!r} is neither a cluster nor a log group. {_FORMS}")


def _name(identifier: str) -> str:
    arn = _ARN.fullmatch(identifier)
    return arn["name"] if arn else identifier
