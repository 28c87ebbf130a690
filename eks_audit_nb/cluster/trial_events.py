"""Trial events: a Secret is made in a namespace of its own, removed again, and found in the audit log.

The Secret is `regcred`, of the kind that pods pull images with; its credentials come from environment variables, and
nothing that this module gives, shows, raises or logs holds them. Source of its form: Kubernetes documentation, "Pull an
Image from a Private Registry".
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.attribution import attribute
from eks_audit_nb.errors import ClusterError, EksAuditError
from eks_audit_nb.markup import facts_table
from eks_audit_nb.sources.base import Result, Source

SECRET = "regcred"  # noqa: S105  # its name
NAMESPACE_PREFIX = "eks-audit-trial-"
LABELS = {"app.kubernetes.io/managed-by": "eks-audit-nb", "app.kubernetes.io/component": "trial-events"}
QUERY = "secrets_of_namespace"
# What is done with the Secret, and so what the log has to show.
VERBS = ("create", "get", "delete")

_NOT_INSTALLED = 'The Kubernetes client is not installed. Install it with: pip install "eks-audit-nb[cluster]"'
# Clocks of this machine and the cluster may differ.
_SLACK = timedelta(minutes=5)
_LOOK_PAUSE = 0.5  # between looks whether the namespace is gone, seconds
_TIMEOUT = {"_request_timeout": 30.0}
_LONGEST_MESSAGE = 300


class NotReadyError(ClusterError):
    """Something is missing for the trial, and nothing was done."""


@dataclass(frozen=True)
class RegistryVariables:
    """The names of the environment variables that hold the registry's address and credentials."""

    server: str = "REGISTRY_SERVER"
    username: str = "REGISTRY_USERNAME"
    password: str = "REGISTRY_PASSWORD"  # noqa: S105  # a name

    @property
    def names(self) -> tuple[str, str, str]:
        """All three."""
        return self.server, self.username, self.password

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that are not set or empty."""
        return tuple(name for name in self.names if not os.environ.get(name))


@dataclass(frozen=True)
class ApiServer:
    """Which cluster is meant.

    Attributes:
        endpoint: The address of its API server as EKS gives it; the kubeconfig has to lead there. "" for any.
        cluster: Its name, for messages.
        context: The context of the kubeconfig; the current one by default.
        kubeconfig: Its path; what KUBECONFIG says, or ~/.kube/config, by default.
    """

    endpoint: str = ""
    cluster: str = ""
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long is waited.

    Attributes:
        wait: For the events.
        pause: Seconds between looks at the log.
        removal: Seconds until the namespace is gone.
    """

    wait: timedelta = timedelta(minutes=15)
    pause: float = 20.0
    removal: float = 60.0


@dataclass(frozen=True, eq=False)
class TrialEvents:
    """What was done in the cluster, and what the log shows of it.

    Attributes:
        said: What was done or would be, in sentences.
        namespace: The namespace that was made; "" where nothing was done.
        began: When the first request was sent.
        requests: Rows of `attribute` for the Secret, the earliest first.
        result: The answer that they come from; None where the log was not asked.
        waited: Seconds from the last request until all of it was in the log, or until waiting ended.
        is_removed: Whether Secret and namespace are gone; None where there were none.
    """

    said: str
    namespace: str = ""
    began: datetime | None = None
    requests: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    result: Result | None = field(default=None, repr=False)
    waited: float = 0.0
    is_removed: bool | None = None

    @property
    def found(self) -> tuple[str, ...]:
        """The verbs on the Secret that the log shows, in the order in which they were sent."""
        seen = set(self.requests["verb"]) if len(self.requests) else set()
        return tuple(verb for verb in VERBS if verb in seen)

    @property
    def is_found(self) -> bool:
        """Whether the log shows everything that was done with the Secret."""
        return self.found == VERBS

    def facts(self) -> dict[str, str]:
        """What was done, and each request that the log shows."""
        shown = {"Trial": self.said}
        for request in self.requests.itertuples():
            shown[f"{request.verb} {SECRET}"] = (
                f"{request.time:%Y-%m-%d %H:%M:%S} UTC by {request.username} from {request.source_ip}: "
                f"{request.outcome}, recorded at the level {request.level}, audit id {request.audit_id}"
            )
        return shown

    def __str__(self) -> str:
        return self.said

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        plain = "\n".join(f"{name + ':':20} {value}" for name, value in self.facts().items())
        return {"text/plain": plain, "text/html": facts_table(self.facts(), "Trial events")}


def play_trial_events(
    source: Source,
    *,
    apply: bool = False,
    variables: RegistryVariables | None = None,
    server: ApiServer | None = None,
    patience: Patience | None = None,
    is_log_awaited: bool = False,
    progress: Callable[[str], object] = lambda _: None,
) -> TrialEvents:
    """Make the Secret `regcred`, read it, remove it, and wait until the log shows that; or say what that would do.

    The Secret is removed before the log is asked: it is in the cluster for a moment, and not for the minutes that
    delivery takes.

    Args:
        source: The cluster's log.
        apply: Whether to do it; without it no request is sent to the cluster.
        variables: Where the registry's credentials are.
        server: Which cluster is meant; the one that the kubeconfig leads to by default.
        patience: How long to wait for the events.
        is_log_awaited: Whether the log group may not be there yet, since logging was switched on just now.
        progress: Is told what is being done.

    Raises:
        NotReadyError: A variable is not set, the client is not installed, or the kubeconfig leads elsewhere.
        ClusterError: The API server refused or cannot be reached; Secret and namespace are removed all the same.
    """
    variables, server, patience = variables or RegistryVariables(), server or ApiServer(), patience or Patience()
    if not apply:
        return TrialEvents(_plan(variables, patience))
    if variables.missing:
        # Their names are not shown where they are none: somebody may have given the password itself.
        raise NotReadyError(
            f"{len(variables.missing)} of the 3 environment variables for the registry's address, user name and "
            f"password are not set. By default they are called {', '.join(RegistryVariables().names)}."
        )
    with _client(server) as api_client:
        _check_endpoint(str(api_client.configuration.host), server)
        began = datetime.now(UTC)
        namespace, is_removed = _play(api_client, variables, patience.removal, progress)
    finished = time.monotonic()
    result, requests, problem = _find(source, namespace, began, patience, is_log_awaited, progress)
    trial = TrialEvents("", namespace, began, requests, result, time.monotonic() - finished, is_removed)
    return replace(trial, said=_account(trial, patience, problem))


# --- in the cluster -------------------------------------------------------------------------------------------------


@contextmanager
def _client(server: ApiServer) -> Iterator[Any]:
    import yaml

    try:
        from kubernetes import client, config
    except ImportError:
        raise NotReadyError(_NOT_INSTALLED) from None
    try:
        configuration = client.Configuration()
        # Nothing is written back to the file.
        config.load_kube_config(
            config_file=server.kubeconfig,
            context=server.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError) as error:
        raise NotReadyError(
            f"The kubeconfig cannot be used: {' '.join(str(error).split())} "
            "Make one with: aws eks update-kubeconfig --name CLUSTER"
        ) from None
    # The client of some versions logs the bodies of answers, at the level DEBUG.
    talkative = logging.getLogger("kubernetes.client.rest")
    was_disabled, talkative.disabled = talkative.disabled, True
    try:
        with client.ApiClient(configuration) as api_client:
            yield api_client
    finally:
        talkative.disabled = was_disabled


def _check_endpoint(host: str, server: ApiServer) -> None:
    """Refuse to touch another cluster than the one whose log is read."""
    if server.endpoint and host.rstrip("/").lower() != server.endpoint.rstrip("/").lower():
        name = server.cluster or "CLUSTER"
        raise NotReadyError(
            f"The kubeconfig leads to {host} and not to {server.endpoint}, which is the API server of {name}. "
            f"Nothing was done. Choose it with: aws eks update-kubeconfig --name {shlex.quote(name)}"
        )


class _RefusedError(ClusterError):
    """The API server answered that it does not do it."""


def _play(
    api_client: Any, variables: RegistryVariables, removal: float, progress: Callable[[str], object]
) -> tuple[str, bool]:
    """The requests; gives the namespace's name, and whether it is gone."""
    from kubernetes import client

    core = client.CoreV1Api(api_client)
    # Not a name of the server's, which would be lost with its answer.
    namespace = f"{NAMESPACE_PREFIX}{token_hex(4)}"
    body = {"metadata": {"name": namespace, "labels": LABELS}}
    try:
        _asked(lambda: core.create_namespace(body, **_TIMEOUT), "create namespaces")
    except _RefusedError:
        raise
    except BaseException:  # without an answer it may have been made all the same
        try:
            core.delete_namespace(namespace, **_TIMEOUT)
        except Exception as failure:  # noqa: BLE001  # the first error is the one that is raised
            if getattr(failure, "status", None) != 404:
                progress(f"The namespace {namespace} may be there. {_by_hand(namespace)}")
        raise
    try:
        progress(f"The namespace {namespace} is made.")
        _asked(
            lambda: core.create_namespaced_secret(namespace, _secret(variables), **_TIMEOUT),
            "create secrets",
            is_quoted=False,
        )
        _asked(lambda: core.read_namespaced_secret(SECRET, namespace, **_TIMEOUT), "get secrets", is_quoted=False)
    finally:
        is_removed = _remove(core, namespace, removal)
    progress(f"The Secret {SECRET} was made, read and removed.")
    return namespace, is_removed


def _secret(variables: RegistryVariables) -> dict[str, Any]:
    server, username, password = (os.environ[name] for name in variables.names)
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    content = json.dumps({"auths": {server: {"username": username, "password": password, "auth": auth}}})
    return {
        "metadata": {"name": SECRET, "labels": LABELS},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(content.encode()).decode()},
    }


def _by_hand(namespace: str) -> str:
    return f"Remove it with: kubectl delete namespace {namespace}"


def _remove(core: Any, namespace: str, removal: float) -> bool:
    """Remove the Secret, then the namespace with all that is in it; gives whether the namespace is gone."""
    from kubernetes.client.exceptions import ApiException

    still = f"THE NAMESPACE {namespace} IS STILL THERE, perhaps with the Secret in it. {_by_hand(namespace)} "
    try:
        # If this is refused or interrupted, the Secret goes with its namespace.
        with suppress(ClusterError):
            _asked(
                lambda: core.delete_namespaced_secret(SECRET, namespace, **_TIMEOUT), "delete secrets", is_quoted=False
            )
    finally:
        _asked(lambda: core.delete_namespace(namespace, **_TIMEOUT), "delete namespaces", still)
    began = time.monotonic()
    while time.monotonic() - began < removal:
        try:
            core.read_namespace(namespace, **_TIMEOUT)
        except ApiException as failure:
            return bool(failure.status == 404)
        time.sleep(_LOOK_PAUSE)
    return False


def _asked(call: Callable[[], Any], permission: str, warning: str = "", *, is_quoted: bool = True) -> Any:
    """The answer to a request; what the client raises becomes an error of ours.

    Args:
        call: Sends it.
        permission: What the caller has to be allowed.
        warning: What is said in front.
        is_quoted: Whether the server's own words are repeated. Where a request or its answer holds the Secret they
            are not: they may quote it.
    """
    from urllib3.exceptions import HTTPError

    try:
        return call()
    except Exception as failure:  # noqa: BLE001  # the client's own checks of what is sent and received may quote it
        status = getattr(failure, "status", None)
        what = f"The API server answered {status}" if status else f"The Kubernetes client failed with {_kind(failure)}"
        if isinstance(failure, HTTPError | OSError):
            what = "The API server cannot be reached"
        text = _words(failure) if is_quoted else "(the words are left out: they may quote the Secret)"
    advice = f" The caller has to be allowed to {permission}." if status in (401, 403) else ""
    is_refused = isinstance(status, int) and 400 <= status < 500
    # Raised behind the handler: else the client's error, which may hold what was sent, would come along as its context.
    raise (_RefusedError if is_refused else ClusterError)(f"{warning}{what}: {text}{advice}")


def _words(failure: Exception) -> str:
    try:
        status = json.loads(getattr(failure, "body", None) or "")
        text = str(status["message"])
    except (ValueError, KeyError, TypeError):
        text = str(getattr(failure, "reason", "") or _kind(failure))
    return text[:_LONGEST_MESSAGE]


def _kind(failure: Exception) -> str:
    return type(failure).__name__


# --- in the log -----------------------------------------------------------------------------------------------------


def _find(
    source: Source,
    namespace: str,
    began: datetime,
    patience: Patience,
    is_log_awaited: bool,
    progress: Callable[[str], object],
) -> tuple[Result | None, pd.DataFrame, str]:
    """Ask the log until it shows all requests; gives the last answer, the requests in it, and what went wrong."""
    result, requests, problem = None, pd.DataFrame(), ""
    start = (began - _SLACK).isoformat()
    deadline = time.monotonic() + patience.wait.total_seconds()
    while True:
        try:
            result = source.run(QUERY, start, "", namespace=namespace)
        except EksAuditError as error:
            problem = str(error)
            if not is_log_awaited and result is None:  # what is refused at once will be refused again
                return result, requests, problem
        else:
            problem = ""
            requests = attribute(result.frame)
            requests = requests[requests["name"].eq(SECRET).fillna(False)].reset_index(drop=True)
            if set(VERBS) <= set(requests["verb"]):
                return result, requests, problem
        if time.monotonic() + patience.pause > deadline:
            return result, requests, problem
        progress("Waiting for the log.")
        time.sleep(patience.pause)


# --- in words -------------------------------------------------------------------------------------------------------


def _plan(variables: RegistryVariables, patience: Patience) -> str:
    missing = len(variables.missing)
    text = (
        f"With apply=True this makes a namespace {NAMESPACE_PREFIX}… in the cluster that the kubeconfig leads to, and "
        f"in it the docker-registry Secret {SECRET} with the credentials that three environment variables hold; reads "
        f"it, removes both, and waits up to {_minutes(patience)} until the log shows it. The caller has to be allowed "
        "to create, get and delete namespaces and secrets. It costs nothing but the queries."
    )
    return f"{text} Of the three variables {missing} {'is' if missing == 1 else 'are'} not set." if missing else text


def _account(trial: TrialEvents, patience: Patience, problem: str) -> str:
    text = f"In the namespace {trial.namespace} the Secret {SECRET} was made, read and removed. "
    if trial.is_found:
        first = trial.requests.iloc[0]
        text += f"All of it is in the log, {trial.waited:.0f} seconds later, as the user {first['username']}. "
        bodies = trial.requests["level"].isin(["Request", "RequestResponse"])
        if bodies.any():
            text += "THE LOG HOLDS WHAT WAS IN THE SECRET: whoever reads the log reads the credentials. "
        else:
            text += "What was in it is not: Secrets are recorded at the level Metadata. "
    else:
        shown = f"only {' and '.join(trial.found)}" if trial.found else "nothing of it"
        text += f"THE LOG SHOWS {shown.upper()} after {_minutes(patience)}. "
        text += f"The log could not be asked: {problem} " if problem else "Delivery is late, or audit logging is off. "
    gone = "The namespace is gone." if trial.is_removed else "The namespace is being removed and was not gone yet."
    return text + gone


def _minutes(patience: Patience) -> str:
    return f"{patience.wait.total_seconds() / 60:.0f} minutes"
