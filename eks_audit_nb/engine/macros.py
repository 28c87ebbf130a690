"""The rules of the language as SQL macros; constants of this module, never text of a query.

A macro that expressions nest names its argument once, inside a list of one: DuckDB puts the argument's text in for each
mention, so that `a + b + c + ...` would double with every term.
"""

from __future__ import annotations

# A number is decimal digits with an optional sign, fraction and exponent; what a double cannot hold is text.
_NUMBER = r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?"

MACROS = (
    # The number that a text is, or NULL.
    f"""CREATE MACRO number_of(x) AS list_transform([x], lambda v: CASE
        WHEN regexp_full_match(v, '{_NUMBER}') AND isfinite(TRY_CAST(v AS DOUBLE))
        THEN TRY_CAST(v AS DOUBLE) END)[1]""",
    # A result that is no number (a division by zero, the root of -1) is missing.
    "CREATE MACRO finite(x) AS list_filter([x], lambda v: isfinite(v))[1]",
    "CREATE MACRO log_of(x) AS list_transform([x], lambda v: CASE WHEN v > 0 THEN ln(v) END)[1]",
    "CREATE MACRO root_of(x) AS list_transform([x], lambda v: CASE WHEN v >= 0 THEN sqrt(v) END)[1]",
    # Decimal places for a rounding.
    """CREATE MACRO places_of(x) AS
        CAST(list_transform([x], lambda v:
            CASE WHEN v IS NOT NULL THEN least(greatest(trunc(v), -300), 300) END)[1] AS INTEGER)""",
    # A number without its fraction, missing where it lies beyond the bound.
    """CREATE MACRO whole_of(x, bound) AS list_transform([x], lambda v: CASE
        WHEN trunc(v) >= -bound AND trunc(v) < bound THEN trunc(v) END)[1]""",
    # The great-circle distance in kilometres, on a sphere of 6,371 km.
    """CREATE MACRO distance_of(a, b, c, d) AS list_transform([[a, b, c, d]], lambda p:
        CASE WHEN p[1] + p[2] + p[3] + p[4] IS NOT NULL THEN 2 * 6371 * asin(sqrt(least(1,
        pow(sin(radians(p[3] - p[1]) / 2), 2)
        + cos(radians(p[1])) * cos(radians(p[3])) * pow(sin(radians(p[4] - p[2]) / 2), 2)))) END)[1]""",
    # The JSON of a map or a list that a text holds, or NULL.
    """CREATE MACRO structure_of(x) AS list_transform([x], lambda v: CASE
        WHEN TRY(json_type(v)) IN ('OBJECT', 'ARRAY') THEN v END)[1]""",
    """CREATE MACRO list_size_of(x) AS list_transform([x], lambda v: CASE
        WHEN TRY(json_type(v)) = 'ARRAY' THEN json_array_length(v) END)[1]""",
    # The items of a list as texts.
    """CREATE MACRO list_texts_of(x) AS list_transform([x], lambda v: CASE
        WHEN TRY(json_type(v)) = 'ARRAY' THEN json_extract_string(v, '$[*]') END)[1]""",
    # The parts of a text; DuckDB splits by nothing where what to split by is missing.
    """CREATE MACRO parts_of(x, separator) AS list_transform([[x, separator]], lambda v: CASE
        WHEN v[2] IS NOT NULL THEN string_split(v[1], v[2]) END)[1]""",
    # Whole numbers print without a fraction.
    """CREATE MACRO number_text(x) AS list_transform([x], lambda v: CASE
        WHEN v = trunc(v) AND abs(v) < 9e18 THEN CAST(CAST(v AS BIGINT) AS VARCHAR) ELSE CAST(v AS VARCHAR) END)[1]""",
    # A place in a text, counted from 0.
    """CREATE MACRO position_of(x) AS list_transform([x], lambda v: CASE
        WHEN v IS NOT NULL THEN CAST(least(greatest(trunc(v), 0), 1e9) AS BIGINT) END)[1]""",
    # Times lie in the years 1 to 9999; anything else is no time.
    """CREATE MACRO time_of(ms) AS list_transform([ms], lambda v: CASE
        WHEN v BETWEEN -62135596800000 AND 253402300799999 THEN CAST(floor(v) AS BIGINT) END)[1]""",
    # Times print as @timestamp does, without a zone.
    "CREATE MACRO time_text(ms) AS strftime(epoch_ms(CAST(ms AS BIGINT)), '%Y-%m-%d %H:%M:%S.%g')",
    # Only leaves are fields: an object or an array is not a value. Text that merely begins with a brace is. JSON's true
    # and false are 1 and 0, as the service keeps them.
    """CREATE MACRO leaf(value, document, pointer) AS CASE
        WHEN value LIKE '{%' OR value LIKE '[%' OR value IN ('true', 'false') THEN
            CASE TRY(json_type(document, pointer)) WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL
            WHEN 'BOOLEAN' THEN if(value = 'true', '1', '0') ELSE value END
        ELSE value END""",
    # What lies at a place of a map or a list: a leaf, or a map or a list again.
    "CREATE MACRO leaf_at(root, place) AS leaf(TRY(json_extract_string(root, place)), root, place)",
    """CREATE MACRO branch_at(root, place) AS CASE
        WHEN TRY(json_type(root, place)) IN ('OBJECT', 'ARRAY') THEN CAST(json_extract(root, place) AS VARCHAR) END""",
    # The items of a list as JSON; anything else is a list of one.
    """CREATE MACRO items_of(structure, value) AS CASE
        WHEN TRY(json_type(structure)) = 'ARRAY' THEN CAST(json_extract(structure, '$[*]') AS JSON[])
        WHEN structure IS NOT NULL THEN [CAST(structure AS JSON)]
        ELSE [to_json(value)] END""",
    # A bare field as a condition: a number other than 0, which JSON's true is too, or the text "true".
    "CREATE MACRO is_true(x) AS coalesce(x = 'true' OR number_of(x) <> 0, false)",
    # Ascending: first what is no number, by runs of digits (length, then value) and of other characters; then numbers.
    # Source: CloudWatch Logs User Guide, "sort".
    r"""CREATE MACRO text_sort_key(x) AS CASE WHEN number_of(x) IS NULL THEN
        list_transform(regexp_extract_all(x, '[0-9]+|[^0-9]+'), lambda run: CASE
            WHEN run[1] BETWEEN '0' AND '9' THEN '0' || lpad(CAST(length(run) AS VARCHAR), 7, '0') || run
            ELSE run END) END""",
)
