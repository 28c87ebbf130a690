"""What a command costs, and what it ran on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).resolve().parent
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


class Run(NamedTuple):
    """One run of a command: its seconds, those of all cores, the memory of its largest process, what it printed."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    output: bytes


def run(command: Sequence[str]) -> Run:
    """Run a command in this folder; one that fails ends everything. Paths in it have to be absolute."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as taken:
        fd = taken.fileno()
        launcher = [sys.executable, "-I", "-S", str(_FOLDER / "launch.py"), str(fd), *command]
        subprocess.run(launcher, stdout=output, stderr=errors, pass_fds=[fd], cwd=_FOLDER, check=False)  # noqa: S603
        for stream in (output, errors, taken):
            stream.seek(0)
        seconds, cpu_seconds, memory, code = taken.read().split() or (b"0", b"0", b"0", b"-1")
        if int(code):
            said = errors.read().decode(errors="replace")[-2000:]
            sys.exit(f"{' '.join(command[:4])} ... ended with {int(code)}:\n{said}")
        return Run(float(seconds), float(cpu_seconds), int(memory) * _UNIT / 1e6, output.read())


def floor() -> float:
    """The least memory that `run` can see, in MB."""
    return run(["true"]).megabytes


def machine() -> str:
    """Cores, memory and Python, in a line, and how busy the machine was in the last minute."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def versions(*packages: str) -> str:
    """The packages that are installed, with their versions."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def files_of(path: Path, forms: Sequence[str]) -> dict[str, Path]:
    """The plain file and the gzipped one beside it, read once so that no engine finds them on the disk only."""
    files = {"plain": path, "gzipped": path.with_name(f"{path.name}.gz")}
    for file in (files[form] for form in forms):
        if not file.is_file():
            sys.exit(f"{file.name} is not there; generate.py --gzip makes both.")
        with open(file, "rb", 0) as stream:
            while stream.read(1 << 22):
                pass
    return {form: files[form] for form in forms}


@contextmanager
def log(given: Path | None, events: int) -> Iterator[Path]:
    """The file that was given, or one made for as long as it is needed."""
    if given:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.jsonl")
        run([sys.executable, "generate.py", "--events", str(events), "--out", str(path), "--gzip"])
        yield path


def ask_only(address: str) -> None:
    """Let boto3, here and in what is started here, ask a server of ours and read no configuration of the machine."""
    os.environ.update(
        AWS_ENDPOINT_URL=address,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="not-a-secret",  # noqa: S106
        AWS_REGION="eu-west-1",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
