"""jq; `-R` where the answer holds the message, since jq prints an event it has read in a form of its own."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

from peers.common import QUESTIONS, Report, report

_PROGRAMS = {
    "a": '. as $line | fromjson | select((.verb == "update" or .verb == "patch")'
    ' and .objectRef.resource == "configmaps" and .objectRef.name == "aws-auth"'
    ' and .objectRef.namespace == "kube-system") | [.stageTimestamp, $line]',
    "b": '. as $line | fromjson | select(.user.username == "system:anonymous"'
    " and (.responseStatus.code == 401 or .responseStatus.code == 403))"
    " | [.stageTimestamp, .sourceIPs[0], .requestURI, $line]",
    "c": 'reduce (inputs | select(.objectRef.resource == "secrets")) as $event'
    " ({}; .[$event.stageTimestamp[0:16]][$event.verb] += 1)"
    " | to_entries[] | .key as $minute | .value | to_entries[] | [$minute, .key, .value]",
    "d": 'reduce inputs as $event ({}; .[$event.verb][$event.user.username // ""] += 1)'
    " | to_entries[] | .key as $verb | .value | to_entries[]"
    ' | [$verb, (.key | if . == "" then null else . end), .value]',
}


def jq_version() -> str:
    """Its name and version, "" where it is not installed."""
    program = shutil.which("jq")
    if program is None:
        return ""
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def command(path: Path, name: str) -> list[str]:
    """The command that answers a question."""
    jq = ["jq", "-cn" if QUESTIONS[name].is_count else "-cR", _PROGRAMS[name]]
    if path.suffix != ".gz":
        return [*jq, str(path)]
    return ["sh", "-c", f"gzip -dc {shlex.quote(str(path))} | {shlex.join(jq)}"]


def read(output: bytes, name: str) -> Report:
    """The report on what it printed."""
    return report(QUESTIONS[name], [json.loads(line) for line in output.splitlines()])
