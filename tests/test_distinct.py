"""Rules worked once for each distinct value."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.distinct import column_of, worked_once

VALUES = st.lists(st.tuples(st.sampled_from(["a", "b", "", None]), st.sampled_from(["a", "x", None])), max_size=30)


@given(VALUES)
def test_every_row_has_its_own_result(rows: list[tuple[str | None, str | None]]) -> None:
    """The result of each row is that of its own values, and the rule is asked once for each combination of them."""
    asked = []

    def work(*values: str | None) -> tuple[str, bool]:
        asked.append(values)
        return repr(values), values[0] is None

    index = range(100, 100 + len(rows))
    columns = [pd.Series([row[place] for row in rows], index=index, dtype="string") for place in (0, 1)]
    found = worked_once(columns, work, {"both": "string", "is_missing": "boolean"})
    assert found["both"].tolist() == [repr(row) for row in rows]
    assert found["is_missing"].tolist() == [row[0] is None for row in rows]
    assert {name: str(column.dtype) for name, column in found.items()} == {"both": "string", "is_missing": "boolean"}
    assert all(list(column.index) == list(index) for column in found.values())
    assert sorted(asked, key=repr) == sorted(set(rows), key=repr)


def test_columns_of_any_kind() -> None:
    """Numbers and truth values are given as they are, and what is missing as None, whatever marks it."""
    columns = [
        pd.Series([403, None], dtype="Int64"),
        pd.Series([True, None], dtype="boolean"),
        pd.Series(["x", float("nan")], dtype="category"),
    ]
    found = worked_once(columns, lambda *values: (repr(values),), {"values": "string"})
    assert found["values"].tolist() == ["(403, True, 'x')", "(None, None, None)"]


def test_a_column_that_is_not_there() -> None:
    """A column that a frame lacks is one of missing text."""
    frame = pd.DataFrame({"verb": ["get", "list"]}, index=[4, 4])
    found = column_of(frame, "username")
    assert found.isna().all()
    assert (str(found.dtype), list(found.index)) == ("string", [4, 4])
    assert column_of(frame, "verb") is frame["verb"] or column_of(frame, "verb").equals(frame["verb"])
    assert len(column_of(frame.iloc[:0], "username")) == 0
