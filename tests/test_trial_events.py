"""Trial events: a Secret is made, removed and found in the log; credentials show up nowhere."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eks_audit_nb.cluster import ApiServer, Patience, RegistryVariables, TrialEvents, play_trial_events
from eks_audit_nb.cluster.trial_events import LABELS, SECRET, VERBS, NotReadyError
from eks_audit_nb.errors import CloudWatchError, ClusterError, EksAuditError
from eks_audit_nb.sources.base import Result
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from fake_kubernetes import FakeKubernetes, serve, write_kubeconfig

PASSWORD = 'pa"ss/w0rd+é'
CREDENTIALS = {"REGISTRY_SERVER": "registry.example.com", "REGISTRY_USERNAME": "robot", "REGISTRY_PASSWORD": PASSWORD}


def forms_of_the_password() -> list[str]:
    """The password as it is and in JSON, in base64, and any 24 characters of the base64 of what the Secret holds."""
    auth = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    held = {"auths": {"registry.example.com": {"username": "robot", "password": PASSWORD, "auth": auth}}}
    whole = base64.b64encode(json.dumps(held).encode()).decode()
    pieces = [whole[begin : begin + 24] for begin in range(len(whole) - 24)]
    alone = base64.b64encode(PASSWORD.encode()).decode()
    return [PASSWORD, json.dumps(PASSWORD)[1:-1], repr(PASSWORD)[1:-1], alone, auth, *pieces]


class GrowingLog:
    """The log of the fake cluster as a source: each question reads the events that have been delivered by then."""

    name = "cloudwatch:prod"
    is_remote = True

    def __init__(self, cluster: FakeKubernetes, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.late = 0  # questions that find nothing yet
        self.refusal: EksAuditError | None = None
        self.questions = 0

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        assert end == ""  # until now
        self.questions += 1
        if self.refusal:
            raise self.refusal
        events = [audit_event()] if self.questions <= self.late else self.cluster.events
        path = self.folder / f"{self.questions}.jsonl"
        path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        source = FileSource(str(path))
        try:
            return source.run(query, start if events is self.cluster.events else "", "", **parameters)
        finally:
            source.close()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def cluster() -> FakeKubernetes:
    """A cluster without anything."""
    return FakeKubernetes()


@pytest.fixture
def address(cluster: FakeKubernetes) -> Iterator[str]:
    """Where its API server listens."""
    with serve(cluster) as address:
        yield address


@pytest.fixture
def log(cluster: FakeKubernetes, tmp_path: Path) -> GrowingLog:
    """Its audit log."""
    return GrowingLog(cluster, tmp_path)


@pytest.fixture
def play(address: str, log: GrowingLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrialEvents]:
    """Plays the trial, with the credentials in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    kubeconfig = str(write_kubeconfig(tmp_path / "kubeconfig", address))

    def play(wait: float = 5, progress: Callable[[str], object] = print, **settings: Any) -> TrialEvents:
        names = ("endpoint", "cluster", "kubeconfig")
        server = ApiServer(**{"kubeconfig": kubeconfig, **{n: settings.pop(n) for n in names if n in settings}})
        patience = Patience(timedelta(seconds=wait), pause=0.01, removal=0.05)
        return play_trial_events(
            log, server=server, patience=patience, progress=progress, **{"apply": True, **settings}
        )

    return play


Play = Callable[..., TrialEvents]


def test_nothing_is_done_without_apply(play: Play, cluster: FakeKubernetes, log: GrowingLog) -> None:
    """Without apply no request is sent, and it is said what would be done."""
    trial = play(apply=False)
    assert (cluster.events, log.questions) == ([], 0)
    assert trial.said.startswith("With apply=True this makes a namespace eks-audit-trial-…")
    assert "not set" not in trial.said
    assert trial.is_removed is None


def test_the_plan_says_what_is_missing(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where credentials are missing the plan says so."""
    monkeypatch.delenv("REGISTRY_PASSWORD")
    assert play(apply=False).said.endswith("Of the three variables 1 is not set.")


def test_the_secret_is_found_in_the_log(play: Play, cluster: FakeKubernetes) -> None:
    """The Secret is made as a docker-registry Secret, read, removed, and each of these is in the log."""
    trial = play()
    assert trial.is_found
    assert list(trial.requests["verb"]) == list(VERBS)
    assert set(trial.requests["name"]) == {SECRET}
    assert set(trial.requests["namespace"]) == {trial.namespace}
    assert set(trial.requests["level"]) == {"Metadata"}
    assert "All of it is in the log" in trial.said
    assert "as the user alice. What was in it is not" in trial.said
    assert trial.said.endswith("The namespace is gone.")
    (secret,) = cluster.made
    assert set(forms_of_the_password()[-100:]) <= {secret["data"][".dockerconfigjson"][i : i + 24] for i in range(500)}
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    held = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]["registry.example.com"]
    assert (held["username"], held["password"]) == ("robot", PASSWORD)
    assert base64.b64decode(held["auth"]).decode() == f"robot:{PASSWORD}"


def test_a_namespace_of_its_own(play: Play, cluster: FakeKubernetes) -> None:
    """Each trial has a namespace with a generated name and labels, and nothing is left of it."""
    first, second = play(), play()
    assert first.namespace != second.namespace
    (sent, _) = [
        event["requestObject"]
        for event in cluster.events
        if event["verb"] == "create" and event["objectRef"]["resource"] == "namespaces"
    ]
    assert sent["metadata"]["labels"] == LABELS
    assert sent["metadata"]["name"].startswith("eks-audit-trial-")
    assert (cluster.namespaces, cluster.secrets) == ({}, {})


def test_delivery_is_late(play: Play, log: GrowingLog) -> None:
    """The log is asked again until the events are there; the Secret is gone before it is asked at all."""
    log.late = 3
    said: list[str] = []
    trial = play(progress=said.append)
    assert trial.is_found
    assert log.questions == 4
    assert said[1:] == [f"The Secret {SECRET} was made, read and removed.", *["Waiting for the log."] * 3]


def test_waiting_ends(play: Play, log: GrowingLog, cluster: FakeKubernetes) -> None:
    """Where the events do not come in time that is said loudly, and all is removed."""
    log.late = 10_000
    trial = play(wait=0.05)
    assert not trial.is_found
    assert "THE LOG SHOWS NOTHING OF IT after 0 minutes. Delivery is late, or audit logging is off." in trial.said
    assert cluster.namespaces == {}


def test_the_log_cannot_be_asked(play: Play, log: GrowingLog) -> None:
    """What the log refuses at once is not asked again and again; the reason is said."""
    log.refusal = CloudWatchError("AccessDeniedException: no")
    trial = play()
    assert log.questions == 1
    assert "The log could not be asked: AccessDeniedException: no" in trial.said


def test_a_log_group_that_is_not_there_yet(play: Play, log: GrowingLog) -> None:
    """Where logging was switched on just now, the log group is waited for."""
    log.refusal = CloudWatchError("There is no log group")
    trial = play(wait=0.05, is_log_awaited=True)
    assert log.questions > 1
    assert "There is no log group" in trial.said


def test_contents_in_the_log_are_told(play: Play, cluster: FakeKubernetes) -> None:
    """Where the log holds what was in the Secret, that is said loudly."""
    cluster.level_of_secrets = "RequestResponse"
    assert "THE LOG HOLDS WHAT WAS IN THE SECRET" in play().said


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (
            ("create", "namespaces"),
            "The API server answered 403: No The caller has to be allowed to create namespaces",
        ),
        (("create", "secrets"), "The API server answered 403: .* allowed to create secrets"),
        (("get", "secrets"), "The API server answered 403: .* allowed to get secrets"),
    ],
)
def test_everything_is_removed_after_a_failure(
    play: Play, cluster: FakeKubernetes, refused: tuple[str, str], message: str
) -> None:
    """Whatever is refused, neither Secret nor namespace stays, and the missing permission is named."""
    cluster.refusals[refused] = (403, "No")
    with pytest.raises(ClusterError, match=message):
        play()
    assert (cluster.namespaces, cluster.secrets) == ({}, {})


def test_removed_with_its_namespace(play: Play, cluster: FakeKubernetes) -> None:
    """A Secret whose deletion is refused goes with its namespace."""
    cluster.refusals["delete", "secrets"] = (500, "No")
    play(wait=0.01)
    assert cluster.made
    assert (cluster.namespaces, cluster.secrets) == ({}, {})


def test_what_stays_is_told(play: Play, cluster: FakeKubernetes) -> None:
    """A namespace that cannot be removed is an error with the line that removes it."""
    cluster.refusals["delete", "namespaces"] = (403, "No")
    with pytest.raises(
        ClusterError, match="IS STILL THERE, perhaps .* with: kubectl delete namespace eks-audit-trial-"
    ):
        play()
    assert len(cluster.namespaces) == 1


def test_a_namespace_takes_its_time(play: Play, cluster: FakeKubernetes) -> None:
    """A namespace that is not gone in time is told as being removed."""
    cluster.is_slow_to_remove = True
    trial = play()
    assert trial.is_removed is False
    assert trial.said.endswith("The namespace is being removed and was not gone yet.")


def test_interrupted(play: Play, cluster: FakeKubernetes) -> None:
    """Ctrl-C between the namespace and the Secret's end leaves nothing behind."""

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(progress=interrupt)
    assert (cluster.namespaces, cluster.secrets) == ({}, {})


def test_an_answer_that_is_lost(play: Play, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace that was made, whose answer never came, does not stay."""
    from kubernetes import client

    create = client.CoreV1Api.create_namespace

    def lose(*given: Any, **settings: Any) -> None:
        create(*given, **settings)
        raise OSError("Connection reset by peer")

    monkeypatch.setattr(client.CoreV1Api, "create_namespace", lose)
    with pytest.raises(ClusterError, match="The API server cannot be reached"):
        play()
    assert [event["verb"] for event in cluster.events] == ["create", "delete"]
    assert cluster.namespaces == {}


def test_what_may_have_been_left_is_named(play: Play, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither the answer nor the removal came through, the namespace is named with the line that removes it."""
    from kubernetes import client

    create = client.CoreV1Api.create_namespace

    def lose(*given: Any, **settings: Any) -> None:
        create(*given, **settings)
        raise OSError("Connection reset by peer")

    def fail(*_: object, **__: object) -> None:
        raise OSError("Connection refused")

    monkeypatch.setattr(client.CoreV1Api, "create_namespace", lose)
    monkeypatch.setattr(client.CoreV1Api, "delete_namespace", fail)
    said: list[str] = []
    with pytest.raises(ClusterError, match="The API server cannot be reached"):
        play(progress=said.append)
    (namespace,) = cluster.namespaces
    assert said[-1] == (f"The namespace {namespace} may be there. Remove it with: kubectl delete namespace {namespace}")


def test_interrupted_while_it_is_removed(play: Play, cluster: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the Secret is being removed still removes the namespace with all that is in it."""
    from kubernetes import client

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client.CoreV1Api, "delete_namespaced_secret", interrupt)
    with pytest.raises(KeyboardInterrupt):
        play()
    assert cluster.made
    assert (cluster.namespaces, cluster.secrets) == ({}, {})


# --- not ready ------------------------------------------------------------------------------------------------------


def test_variables_by_other_names(play: Play, monkeypatch: pytest.MonkeyPatch, cluster: FakeKubernetes) -> None:
    """The names of the variables are the caller's choice."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(f"MY_{name}", value)
        monkeypatch.delenv(name)
    assert play(
        variables=RegistryVariables("MY_REGISTRY_SERVER", "MY_REGISTRY_USERNAME", "MY_REGISTRY_PASSWORD")
    ).is_found


def test_variables_that_are_not_set(play: Play, cluster: FakeKubernetes) -> None:
    """Where a variable is not set nothing is done; a password given in the place of a name is not repeated."""
    with pytest.raises(NotReadyError, match="1 of the 3 environment variables") as caught:
        play(variables=RegistryVariables(password="hunter2"))
    assert "hunter2" not in str(caught.value)
    assert cluster.events == []


def test_another_cluster_is_not_touched(play: Play, cluster: FakeKubernetes) -> None:
    """Where the kubeconfig leads to another API server than the log's, nothing is done."""
    with pytest.raises(NotReadyError, match=r"and not to https://prod\.example\.com, .* update-kubeconfig --name prod"):
        play(endpoint="https://prod.example.com", cluster="prod")
    assert cluster.events == []


def test_the_right_cluster(play: Play, address: str) -> None:
    """The address may be written in another way."""
    assert play(endpoint=f"{address.upper()}/", cluster="prod").is_found


@pytest.mark.parametrize("content", ["", "not: [yaml", "[]", '{"current-context": "x"}'])
def test_a_kubeconfig_that_cannot_be_used(play: Play, tmp_path: Path, content: str) -> None:
    """A kubeconfig that cannot be read is said to be so, with the line that makes one."""
    path = tmp_path / "wrong"
    path.write_text(content)
    with pytest.raises(NotReadyError, match="The kubeconfig cannot be used: .* aws eks update-kubeconfig"):
        play(kubeconfig=str(path))


def test_no_kubeconfig(play: Play, tmp_path: Path) -> None:
    """A kubeconfig that is not there is said to be so."""
    with pytest.raises(NotReadyError, match="The kubeconfig cannot be used"):
        play(kubeconfig=str(tmp_path / "none"))


def test_a_wrong_token(play: Play, tmp_path: Path, address: str) -> None:
    """A credential that the API server does not accept is an error with its status."""
    path = write_kubeconfig(tmp_path / "other", address, token="wrong")
    with pytest.raises(ClusterError, match="answered 401: Unauthorized The caller has to be allowed"):
        play(kubeconfig=str(path))


def test_no_api_server(play: Play, tmp_path: Path) -> None:
    """An API server that cannot be reached is an error of ours."""
    path = write_kubeconfig(tmp_path / "other", "http://127.0.0.1:9")
    with pytest.raises(ClusterError, match="The API server cannot be reached"):
        play(kubeconfig=str(path))


def test_no_client(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the Kubernetes client it is said how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "kubernetes", None)
    with pytest.raises(NotReadyError, match=r'pip install "eks-audit-nb\[cluster\]"'):
        play()


# --- credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_garbling", [False, True])
@pytest.mark.parametrize("refused", [None, ("create", "secrets"), ("get", "secrets"), ("delete", "namespaces")])
def test_credentials_show_up_nowhere(
    play: Play,
    cluster: FakeKubernetes,
    refused: tuple[str, str] | None,
    is_garbling: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No output, log at any level, representation, error or traceback holds the password in any form.

    The server quotes what it was sent, as a webhook may, and gives it back in shapes that the client cannot take.
    """
    cluster.is_echoing, cluster.is_garbling = True, is_garbling
    if refused:
        cluster.refusals[refused] = (422, "I do not like this: ")
    said: list[str] = []
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG):
        try:
            trial = play(progress=said.append)
        except ClusterError as error:
            chain: BaseException | None = error
            while chain is not None:
                texts += [repr(chain), str(chain), *traceback.format_exception(chain)]
                chain = chain.__cause__ or chain.__context__
        else:
            assert trial.result is not None
            texts += [repr(trial), str(trial), trial.requests.to_csv(), repr(trial.result), trial.result.frame.to_csv()]
    texts += [*said, caplog.text, *capsys.readouterr(), repr(RegistryVariables()), json.dumps(cluster.events)]
    assert cluster.made or refused == ("create", "secrets")
    searched = "\n".join(texts)
    for form in forms_of_the_password():
        assert form not in searched
