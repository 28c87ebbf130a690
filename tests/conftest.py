"""What tests share: the sample, small logs made on the spot, and the collection of recorded logs where it lies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from eks_audit_nb.sources.files import FileSource

# Examples made at random are the same in every run; the deep tests ask for new ones themselves.
settings.register_profile("seeded", derandomize=True, deadline=None, database=None)
settings.load_profile("seeded")

DATA = Path(__file__).parent / "data"


def of_all_processes(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of a run share."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """Ctrl-C is heard, even where a shell started the tests in the background and so told them to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def case_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cases of these tests are kept, in every process that runs them or that they start."""
    folder = of_all_processes(tmp_path_factory) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["EKS_AUDIT_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def sample() -> Iterator[FileSource]:
    """The log that ships with the package, opened once."""
    source = FileSource("sample")
    yield source
    source.close()


@pytest.fixture(scope="session")
def labels() -> dict[str, dict[str, Any]]:
    """What was played in the sample, by scenario."""
    lines = (DATA / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return {label["scenario"]: label for label in map(json.loads, lines)}


@pytest.fixture(scope="session")
def sample_events(sample: FileSource) -> list[dict[str, Any]]:
    """The sample's events, read with nothing but gzip and json."""
    import gzip

    with gzip.open(sample.files[0], "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., Path]:
    """Writes events, or lines of text, to a file and gives its path."""

    def make(*events: dict[str, Any] | str, name: str = "audit.jsonl") -> Path:
        path = tmp_path / name
        lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded logs that the project does not ship; tests of them run only where it is named."""
    folder = os.environ.get("EKS_AUDIT_CORPUS")
    if not folder:
        pytest.skip("EKS_AUDIT_CORPUS names no folder of recorded logs")
    return Path(folder)


def audit_event(**changes: Any) -> dict[str, Any]:
    """A plausible event, with changes; a value of None takes the key out."""
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "00000000-0000-4000-8000-000000000001",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/default/pods/web",
        "verb": "get",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "sourceIPs": ["198.51.100.21"],
        "userAgent": "kubectl/v1.31.0",
        "objectRef": {"resource": "pods", "namespace": "default", "name": "web", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-24T10:00:00.000000Z",
        "stageTimestamp": "2026-11-24T10:00:00.123456Z",
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }
    event.update(changes)
    return {key: value for key, value in event.items() if value is not None}


@pytest.fixture(scope="session")
def sample_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of all notebooks on the sample, made by the first of the processes that run the tests."""
    from eks_audit_nb.reporting.notebooks import list_notebooks
    from eks_audit_nb.reporting.run import run_report

    shared = of_all_processes(tmp_path_factory)
    folder = shared / "report"
    with FileLock(shared / "report.lock"):
        if not (folder / "index.html").is_file():  # which is written when all others are
            report = run_report("sample", list_notebooks(), folder, progress=False)
            assert report.exit_code == 0, [run.error for run in report.runs]
    return folder
