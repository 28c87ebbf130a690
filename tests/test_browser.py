"""What people see: reports and JupyterLab in a real browser."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from eks_audit_nb.reporting.notebooks import list_notebooks
from eks_audit_nb.reporting.workspace import make_workspace

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("EKS_AUDIT_REQUIRE_BROWSER"):
            pytest.fail("There is no Chromium on this machine, and EKS_AUDIT_REQUIRE_BROWSER asks for one.")
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ["index", *(notebook.name for notebook in list_notebooks())])
def test_reports_show(page: Page, sample_report: Path, name: str) -> None:
    """A report shows without a request beyond itself, without an error, and without a part that sticks out."""
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((sample_report / f"{name}.html").as_uri())
    assert [url for url in requests if not url.startswith("data:")] == [(sample_report / f"{name}.html").as_uri()]
    assert complaints == []
    assert page.locator("h1").count() == 1
    assert page.locator(".eks-audit-headline").first.inner_text()
    broken = page.evaluate("[...document.images].filter(image => !image.naturalWidth || !image.alt).length")
    assert broken == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    over_the_next = "[...document.querySelectorAll('td')].filter(each => each.scrollWidth > each.clientWidth)"
    assert page.evaluate(f"{over_the_next}.map(each => each.innerText)") == []


def test_tables_scroll_by_keyboard(page: Page, sample_report: Path) -> None:
    """A table that is too wide for the page is reached with the tab key and scrolled with the arrows."""
    page.set_viewport_size({"width": 600, "height": 900})
    page.goto((sample_report / "02_aws_auth_changes.html").as_uri())
    for _ in range(3):  # the link to the index, the query as it ran, the first table
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Requests to change aws-auth"
    for _ in range(20):  # it scrolls smoothly, and the page's policy forbids a function that waits in the page
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.scrollLeft") > 0


@pytest.mark.parametrize("name", ["index", *(notebook.name for notebook in list_notebooks())])
def test_nothing_is_cut_in_print(page: Page, sample_report: Path, name: str) -> None:
    """On paper of the size A4, which lies across, every table is as wide as the page at most."""
    page.set_viewport_size({"width": 1046, "height": 718})  # 297 and 210 mm less 2 times 10 mm, at 96 dots an inch
    page.emulate_media(media="print")
    page.goto((sample_report / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    too_wide = "[...document.querySelectorAll('.eks-audit-scroll')].filter(each => each.scrollWidth > each.clientWidth)"
    assert page.evaluate(f"{too_wide}.length") == 0


def test_scripts_of_a_log_do_not_run(page: Page, tmp_path: Path, sample_report: Path) -> None:
    """Even a script that found its way into a page is stopped by the page's own policy."""
    html = (sample_report / "02_aws_auth_changes.html").read_text()
    path = tmp_path / "tampered.html"
    path.write_text(html.replace("</main>", "<script>document.title = 'owned'</script></main>"))
    page.goto(path.as_uri())
    assert page.title() == "Changes to the aws-auth ConfigMap"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """JupyterLab on a working copy of the notebooks; gives the address of 02."""
    folder = make_workspace(tmp_path / "notebooks", "sample")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *(f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"),
        "--LabApp.news_url=None",
    ]
    environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(_settings(tmp_path / "settings"))}
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, tmp_path / "lab.log")
            yield f"http://127.0.0.1:{port}/lab/tree/02_aws_auth_changes.ipynb?token={token}&reset"
        finally:
            server.terminate()
            server.wait(20)


def _settings(folder: Path) -> Path:
    """All cells stay in the page, also those out of view, and nobody is asked about news."""
    settings = {
        "notebook-extension/tracker": '{"windowingMode": "none"}',
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    }
    for name, content in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    return folder


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_notebook_in_jupyterlab(page: Page, lab: str, tmp_path: Path) -> None:
    """In JupyterLab, Run All Cells on 02 gives the headline, the tables, and no error."""
    page.goto(lab)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
    page.click("text=Run >> nth=0")
    page.click("text=Run All Cells")
    page.wait_for_selector(".jp-OutputArea-output >> text=Run at", timeout=60_000)  # the last cell has run
    page.locator("h1").scroll_into_view_if_needed()
    assert page.locator("text=Requests to change aws-auth (5 of 5)").count() == 1
    assert page.locator("text=Entries added, removed or in place (6 of 6)").count() == 1
    assert "4 succeeded (alice, kubernetes-admin, terraform)" in page.locator(".eks-audit-headline").inner_text()
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    folder = os.environ.get("EKS_AUDIT_SCREENSHOTS")
    page.screenshot(path=Path(folder or tmp_path) / "jupyterlab.png")
