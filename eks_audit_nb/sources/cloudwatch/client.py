"""boto3 as it is used here: what it repeats by itself is left to `calling`, and it has to know the service's pages."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoCredentialsError, NoRegionError

from eks_audit_nb.aws import account_of, not_set_up
from eks_audit_nb.errors import SourceError


def logs_client(region: str, session: Any = None) -> tuple[Any, Any, str]:
    """Set up a client of CloudWatch Logs; nothing is asked yet.

    Args:
        region: Where; "" leaves it to the session.
        session: A boto3 session; the default one takes its profile and region from the environment, AWS_REGION too,
            which every AWS tool but boto3 knows.

    Returns:
        The session, the client, and whose quotas its calls count against.

    Raises:
        SourceError: No region is configured, no such profile, no credentials, or a boto3 that is too old.
    """
    try:
        session = session or boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
        # `calling` lets all threads know of a refusal.
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=32,
            connect_timeout=10,
            read_timeout=30,
        )
        logs = session.client("logs", config=config, region_name=region or None)
        if session.get_credentials() is None:  # told here, before a report has started a kernel for every notebook
            raise NoCredentialsError
        account = account_of(session)
    except NoRegionError:
        raise SourceError("No AWS region is set. Set AWS_REGION, or choose a profile with AWS_PROFILE.") from None
    except BotoCoreError as error:
        raise SourceError(not_set_up(error)) from None
    # Pages and their count came to the service in spring 2026; a client that does not know them drops them silently.
    answer = logs.meta.service_model.operation_model("GetQueryResults").output_shape.members
    if "nextToken" not in answer or "resultCount" not in answer["statistics"].members:
        raise SourceError(
            f"boto3 {boto3.__version__} sees only the first page of a result. Update it: pip install --upgrade boto3"
        )
    return session, logs, account
