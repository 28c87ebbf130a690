"""Every line read with orjson."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson  # type: ignore[import-not-found, unused-ignore]  # where it is not installed

from peers.common import Question, Row, counted, main, open_log


def answer(path: str, question: Question) -> Iterable[Row]:
    """The rows of the answer."""
    return counted(question, _rows(path, question))


def _rows(path: str, question: Question) -> Iterator[Row]:
    with open_log(path) as lines:
        for line in lines:
            if (row := question.row(orjson.loads(line), line.rstrip(b"\n"))) is not None:
                yield row


if __name__ == "__main__":
    main(answer)
