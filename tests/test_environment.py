"""environment.yml is what conda accepts, and asks for the same as pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from rattler import MatchSpec

ROOT = Path(__file__).parent.parent
# Where conda-forge has a package under another name than PyPI.
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "matplotlib": "matplotlib-base",
    "nbconvert": "nbconvert-core",
    "isal": "python-isal",
}
# Not on conda-forge for sure: by pip, whatever comes first.
BY_PIP = {"ahocorasick-rs"}


def project() -> dict[str, str]:
    """Names and version ranges from pyproject.toml, under conda-forge's names."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {"python": listed["requires-python"]}
    for requirement in listed["dependencies"]:
        name, versions = re.fullmatch(r"([a-z0-9-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
        found[CONDA_NAMES.get(name, name)] = versions
    return found


def environment() -> list[Any]:
    return list(yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"])


def test_conda_reads_it() -> None:
    """Every line of environment.yml is a match specification, by the parser that conda's tools use."""
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert content["channels"][0] == "conda-forge"
    for entry in content["dependencies"]:
        if isinstance(entry, str):
            assert MatchSpec(entry).name is not None


def test_same_dependencies() -> None:
    """The same packages with the same ranges, and the project itself by pip."""
    specs = [MatchSpec(entry) for entry in environment() if isinstance(entry, str)]
    conda = {spec.name.normalized: spec.version or "" for spec in specs if spec.name.normalized != "pip"}
    *by_pip, itself = environment()[-1]["pip"]
    conda |= {spec.name.normalized: spec.version for spec in map(MatchSpec, by_pip)}
    wanted = {name: MatchSpec(f"x {versions}").version for name, versions in project().items()}
    assert conda == wanted
    assert itself == "--editable ."
    assert {str(spec.name.normalized) for spec in map(MatchSpec, by_pip)} == BY_PIP


def test_installed_versions() -> None:
    """The versions that the tests run with are those that pyproject.toml asks for."""
    from importlib.metadata import requires, version

    from packaging.requirements import Requirement

    for text in requires("eks-audit-nb") or []:
        requirement = Requirement(text)
        if requirement.marker is None:
            assert requirement.specifier.contains(version(requirement.name), prereleases=True), text
