"""The wheel holds everything that an installed package needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from eks_audit_nb.queries import list_queries
from eks_audit_nb.reporting.notebooks import list_notebooks

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    return next(folder.glob("*.whl"))


def test_wheel_is_whole(wheel: Path) -> None:
    """Notebooks, queries, grammar, templates, the sample and the type marker travel in the wheel, and no test does."""
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"eks_audit_nb/notebooks/{notebook.path.name}" for notebook in list_notebooks()}
    expected |= {f"eks_audit_nb/queries/{query.name}.cwli" for query in list_queries()}
    expected |= {f"eks_audit_nb/{path}" for path in ("insights/grammar.lark", "sample/audit.jsonl.gz", "py.typed")}
    expected |= {f"eks_audit_nb/reporting/templates/{path}" for path in ("index.html", "eks_audit/index.html.j2")}
    expected |= {f"eks_audit_nb/reporting/templates/eks_audit/{path}" for path in ("conf.json", "style.css")}
    assert expected <= names
    assert not any(name.startswith("tests/") for name in names)


def test_installed_package_works(wheel: Path, tmp_path: Path) -> None:
    """Unpacked away from the checkout, the package finds its notebooks and answers a query."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import eks_audit_nb; from eks_audit_nb.reporting.notebooks import list_notebooks, notebooks_folder\n"
        "print(notebooks_folder()); print(len(list_notebooks()))\n"
        "print(len(eks_audit_nb.connect('sample').run('aws_auth_changes')))"
    )
    environment = {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(tmp_path / "eks_audit_nb" / "notebooks"), str(len(list_notebooks())), "5"], (
        done.stderr
    )
