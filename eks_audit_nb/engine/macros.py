"""The rules of the language as SQL macros; constants of this module, never text of a query."""

from __future__ import annotations

# A number is decimal digits with an optional sign, fraction and exponent; what a double cannot hold is text.
_NUMBER = r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?"

MACROS = (
    # The number that a text is, or NULL.
    f"""CREATE MACRO number_of(x) AS CASE
        WHEN isfinite(TRY_CAST(x AS DOUBLE)) AND regexp_full_match(x, '{_NUMBER}') THEN TRY_CAST(x AS DOUBLE) END""",
    # A result that is no number (a division by zero, the root of -1) is missing.
    "CREATE MACRO finite(x) AS CASE WHEN isfinite(x) THEN x END",
    # Whole numbers print without a fraction.
    """CREATE MACRO number_text(x) AS CASE
        WHEN x = trunc(x) AND abs(x) < 1e15 THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE CAST(x AS VARCHAR) END""",
    # Times print as @timestamp does, without a zone.
    "CREATE MACRO time_text(ms) AS strftime(epoch_ms(CAST(ms AS BIGINT)), '%Y-%m-%d %H:%M:%S.%g')",
    # Only leaves are fields: an object or an array is not a value. Text that merely begins with a brace is.
    """CREATE MACRO leaf(value, document, pointer) AS CASE
        WHEN (value LIKE '{%' OR value LIKE '[%') AND TRY(json_type(document, pointer)) IN ('OBJECT', 'ARRAY') THEN NULL
        ELSE value END""",
    # A bare field as a condition: JSON true, or a number other than 0.
    "CREATE MACRO is_true(x) AS coalesce(x = 'true' OR number_of(x) <> 0, false)",
    # Ascending: first what is no number, by runs of digits (length, then value) and of other characters; then numbers.
    # Source: CloudWatch Logs User Guide, "sort".
    r"""CREATE MACRO text_sort_key(x) AS CASE WHEN number_of(x) IS NULL THEN
        list_transform(regexp_extract_all(x, '[0-9]+|[^0-9]+'), lambda run: CASE
            WHEN run[1] BETWEEN '0' AND '9' THEN '0' || lpad(CAST(length(run) AS VARCHAR), 7, '0') || run
            ELSE run END) END""",
)
