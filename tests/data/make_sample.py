"""Makes the sample that ships from the recorded log: `python tests/data/make_sample.py FOLDER`.

FOLDER holds the recording's audit.jsonl.gz and labels.jsonl. Left out are only the events about an artefact of how the
recording's API server was packaged: the ConfigMap openshift-service-ca.crt, the roles and bindings around it, and the
service account that publishes it. Lines are kept byte for byte.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "eks_audit_nb" / "sample" / "audit.jsonl.gz"
ARTEFACTS = ("service-ca", "openshift")


def is_artefact(line: bytes) -> bool:
    """Whether an event is about the artefact, rather than merely holding its name in a pod's volumes."""
    event = json.loads(line)
    places = (
        (event.get("objectRef") or {}).get("name", ""),
        event["user"].get("username", ""),
        event["requestURI"],
    )
    return any(word in place for word in ARTEFACTS for place in places)


def main(folder: Path) -> None:
    """Write the sample and its labels."""
    with gzip.open(folder / "audit.jsonl.gz") as recorded:
        kept = [line for line in recorded if not is_artefact(line)]
    # No name and no time in the header: the same input gives the same bytes.
    SAMPLE.write_bytes(gzip.compress(b"".join(kept), compresslevel=9, mtime=0))
    (HERE / "labels.jsonl").write_bytes((folder / "labels.jsonl").read_bytes())
    print(f"{len(kept):,} events, {SAMPLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
