"""The cluster's side: is audit logging on, since when and how late, and does an act show up in the log."""

from eks_audit_nb.cluster.control_plane_logs import (
    LOG_TYPES,
    LoggingChange,
    LoggingStatus,
    Prices,
    enable_audit_logging,
    logging_status,
)
from eks_audit_nb.cluster.log_group import LogGroup, describe_log_group
from eks_audit_nb.cluster.recording import Recording, recording_of
from eks_audit_nb.cluster.trial_events import ApiServer, Patience, RegistryVariables, TrialEvents, play_trial_events

__all__ = [
    "LOG_TYPES",
    "ApiServer",
    "LogGroup",
    "LoggingChange",
    "LoggingStatus",
    "Patience",
    "Prices",
    "Recording",
    "RegistryVariables",
    "TrialEvents",
    "describe_log_group",
    "enable_audit_logging",
    "logging_status",
    "play_trial_events",
    "recording_of",
]
