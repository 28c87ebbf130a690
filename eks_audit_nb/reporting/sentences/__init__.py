"""The answer of each notebook in a sentence, computed from its frames: a module a notebook."""

from eks_audit_nb.reporting.sentences.activity import principal_activity
from eks_audit_nb.reporting.sentences.anonymous import failed_anonymous_requests
from eks_audit_nb.reporting.sentences.aws_auth import aws_auth_changes
from eks_audit_nb.reporting.sentences.credentials import credential_chain
from eks_audit_nb.reporting.sentences.decisions import authorization_decisions
from eks_audit_nb.reporting.sentences.identity import identity, mapping_caption
from eks_audit_nb.reporting.sentences.objects import object_history
from eks_audit_nb.reporting.sentences.recording import setup
from eks_audit_nb.reporting.sentences.secrets import secret_activity
from eks_audit_nb.reporting.sentences.why import why_allowed
from eks_audit_nb.reporting.sentences.write_up import write_up

__all__ = [
    "authorization_decisions",
    "aws_auth_changes",
    "credential_chain",
    "failed_anonymous_requests",
    "identity",
    "mapping_caption",
    "object_history",
    "principal_activity",
    "secret_activity",
    "setup",
    "why_allowed",
    "write_up",
]
