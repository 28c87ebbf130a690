"""What can be said about whether a source is being recorded right now, and what was done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from eks_audit_nb import frames
from eks_audit_nb.cluster.control_plane_logs import LoggingChange, enable_audit_logging
from eks_audit_nb.cluster.log_group import LogGroup, describe_log_group, stream_table
from eks_audit_nb.cluster.trial_events import ApiServer, NotReadyError, TrialEvents, play_trial_events
from eks_audit_nb.errors import ClusterError
from eks_audit_nb.insights import parse, schema
from eks_audit_nb.markup import facts_table
from eks_audit_nb.queries import prepare
from eks_audit_nb.sources.base import SAMPLE, Result, Source, Statistics
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.clusters import cluster_behind
from eks_audit_nb.sources.files import FileSource

_SAMPLE = (
    "This is the log that ships with the package: nine minutes of a test cluster in which 53 scenarios were "
    "played, 40 attacks and 13 harmless look-alikes. Give source a file or cloudwatch:CLUSTER for your own."
)
_FILE = "This is a file: it shows what was recorded, and cannot show whether audit logging is on now."
_CASE = (
    "This is a case collected from {source} at {asked}: it shows what was recorded until then, and was not opened "
    "to ask the cluster itself whether audit logging is on now; live=True asks it."
)
_NO_CLUSTER = "Nothing to do: this is a log, and no cluster."
_NO_LOG = "There is no log group {name} yet: nothing has been recorded there."


@dataclass(frozen=True, eq=False)
class Recording:
    """How a source is being recorded, and what was done or would be.

    Attributes:
        source: What is asked for events.
        state: Whether it is recorded right now, in a sentence or two.
        change: What switching audit logging on would do or did; None where EKS could not be asked.
        log_group: What CloudWatch says; None for a file, where there is no log group, and where it could not be asked.
        problems: What could not be asked, and why.
        is_log_missing: Whether CloudWatch says that there is no log group.
        cluster: The cluster's log groups, for what is done in the cluster; None for files.
    """

    source: Source
    state: str
    change: LoggingChange | None = None
    log_group: LogGroup | None = None
    problems: tuple[str, ...] = ()
    is_log_missing: bool = False
    cluster: CloudWatchSource | None = None

    @property
    def streams(self) -> Any:
        """The log streams as the service lists them; a frame with the columns of `log_group.STREAM_COLUMNS`."""
        return self.log_group.streams if self.log_group else stream_table([])

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Ask the source; without a log group the answer is empty, and says that it is incomplete and why."""
        if not self.is_log_missing:
            return self.source.run(query, start, end, **parameters)
        prepared = prepare(query, parameters)
        typed = frames.from_columns({}, schema.columns(parse(prepared.text)))
        reason = _NO_LOG.format(name=getattr(self.source, "log_group", ""))
        return Result(
            typed.frame, prepared.text, self.source.name, None, Statistics(), prepared.name, reasons=(reason,)
        )

    def try_it(self, *, apply: bool = False, **settings: Any) -> TrialEvents:
        """Play trial events in the cluster, or say what that would do; see `play_trial_events`.

        What stands in the way before anything is done is said and not raised: whoever only wants logging switched on
        needs no trial.
        """
        cluster = self.cluster
        if cluster is None or not cluster.cluster:
            return TrialEvents(_NO_CLUSTER)
        if apply and self.change is None:
            # The kubeconfig may lead to any cluster.
            return TrialEvents("No trial: which API server belongs to this log could not be asked of EKS.")
        settings.setdefault("is_log_awaited", self.is_log_missing)
        server = ApiServer(self.change.before.endpoint if self.change else "", cluster.cluster)
        try:
            return play_trial_events(cluster, apply=apply, server=server, **settings)
        except NotReadyError as error:
            return TrialEvents(f"No trial: {error}")

    def facts(self) -> dict[str, str]:
        """What there is to know, a line each."""
        facts = {"Recording": self.state}
        if self.change:
            facts["Audit logging"] = str(self.change)
            if mode := self.change.before.authentication_mode:
                facts["Authentication mode"] = f"{mode}: {_MODES.get(mode, 'not known here')}"
        if self.log_group:
            facts.update(self.log_group.facts())
        if self.problems:
            facts["Not asked"] = " ".join(self.problems)
        return facts

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines that do the same by hand."""
        return self.change.commands if self.change else ()

    def __repr__(self) -> str:
        lines = [f"{name + ':':20} {value}" for name, value in self.facts().items()]
        by_hand = ["The same by hand:", *(f"    {line}" for line in self.commands)] if self.commands else []
        return "\n".join([*lines, *by_hand])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        html = facts_table(self.facts(), "Recording")
        if self.commands:
            html += f"<p>The same by hand, either line:</p><pre>{escape(chr(10).join(self.commands))}</pre>"
        return {"text/plain": repr(self), "text/html": html}


_MODES = {
    "CONFIG_MAP": "only the aws-auth ConfigMap maps IAM identities, and the audit log shows its changes.",
    "API_AND_CONFIG_MAP": "access entries and aws-auth both count; changes of access entries are in CloudTrail.",
    "API": "only access entries count; their changes are in CloudTrail, and aws-auth is not looked at.",
}


def recording_of(
    source: Source, *, apply: bool = False, progress: Callable[[str], object] = print, **settings: Any
) -> Recording:
    """Find out how a source is being recorded; for a cluster, audit logging is switched on where that is wanted.

    Args:
        source: What `connect` gave.
        apply: Whether to switch audit logging on where it is off; without it nothing is changed.
        progress: Is told what takes time.
        **settings: What else `enable_audit_logging` takes.

    Raises:
        ClusterError: With apply, where EKS refuses or fails.
    """
    cluster = cluster_behind(source)
    if cluster is None:
        return Recording(source, _about_files(source))
    problems = _about_several(cluster)
    change = group = None
    is_missing = False
    try:
        if not cluster.cluster:
            raise ClusterError(f"the name of the log group {cluster.log_group} names no EKS cluster.")
        change = enable_audit_logging(cluster.session, cluster.cluster, apply=apply, progress=progress, **settings)
        state = f"{change.after} It was switched on just now." if change.is_applied else str(change.after)
    except ClusterError as error:
        if apply and cluster.cluster:
            raise
        # The log may be readable all the same: after the cluster's end, or without eks:DescribeCluster.
        state = f"Whether audit logging is on could not be asked: {error}"
    try:
        group = describe_log_group(cluster.session, cluster.log_group)
        is_missing = group is None
    except ClusterError as error:
        problems.append(f"The log group could not be described: {error}")
    if group and group.warning and change and change.before.is_audit_on:
        state = f"{state} {group.warning}"
    if is_missing:
        problems.append(_NO_LOG.format(name=cluster.log_group))
    return Recording(source, state, change, group, tuple(problems), is_missing, cluster)


def _about_files(source: Source) -> str:
    """What files can show."""
    if source.name == SAMPLE:
        return _SAMPLE
    collected = source.manifest.collected if isinstance(source, FileSource) else None
    if collected is None or not isinstance(source, FileSource):
        return _FILE
    return _CASE.format(source=source.manifest.source, asked=f"{collected.asked[:19]}Z")


def _about_several(cluster: CloudWatchSource) -> list[str]:
    """What is not asked where several log groups are one source."""
    others = [name for name in cluster.groups.names if name != cluster.log_group]
    if not others:
        return []
    about = cluster.cluster or cluster.log_group
    return [f"What is said of logging and of the log group is about {about} only, and not about {', '.join(others)}."]
