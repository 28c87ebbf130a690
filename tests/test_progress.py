"""The bar is seen by those who watch, and by nobody else."""

from __future__ import annotations

import os
import pty
import sys
import termios
import time

import pytest

from eks_audit_nb.sources.cloudwatch import progress as module
from eks_audit_nb.sources.cloudwatch.progress import is_watched, progress


def test_nothing_in_a_report(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard error is no terminal, as in a kernel of papermill, nothing is written, however long it takes."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(module, "_DELAY", 0.0)
    with progress(10, "prod") as moved:
        moved(10)
    assert capfd.readouterr() == ("", "")


def test_an_open_notebook_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter names the open notebook to its kernel."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert not is_watched()
    monkeypatch.setenv("JPY_SESSION_NAME", "/notebooks/02.ipynb")
    assert is_watched()


@pytest.mark.parametrize(("delay", "is_shown"), [(0.0, True), (60.0, False)])
def test_a_terminal(monkeypatch: pytest.MonkeyPatch, delay: float, is_shown: bool) -> None:
    """On a terminal there is a bar, but not for what is done soon."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (24, 100))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(module, "_DELAY", delay)
        with progress(100, "cloudwatch:prod") as moved:
            time.sleep(0.15)
            moved(60)
        print("end", file=terminal, flush=True)
        written = b""
        while not written.endswith(b"end\r\n"):
            written += os.read(reader, 10_000)
        shown = written.decode()
    os.close(reader)
    assert ("cloudwatch:prod" in shown and "60" in shown) is is_shown
