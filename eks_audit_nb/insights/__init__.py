"""CloudWatch Logs Insights QL: text to a typed tree, errors with position. Pure: no I/O, no DuckDB, no AWS.

`parse(text)` gives a `tree.Query` or raises `QueryError` with the offset, the line and a hint. `columns(query)` tells
the names and types of what the query returns, the same for every engine. `order.effective(query)` puts the commands
into the order in which the service takes them and says what it had to move.

What AWS does not document, and what is taken here instead (one place each):

| point | choice | where |
|---|---|---|
| `limit` or `sort` before a filter or stats | rows are capped at the end, with a warning | `order` |
| escapes in quoted text | a backslash before a quote or a backslash; others stay | `builder` |
| a `not` comparison on a missing field | true, as `!=` is known to be | `engine.expressions` |
| default direction of `sort` | ascending | `builder` |
| missing values in a sort | first when ascending, last when descending | `engine.chain` |
| ties, and rows without any sort | newest `@timestamp` first, then the later line first | `engine.chain` |
| which texts are numbers | digits with a sign, fraction, exponent, in a double's range | `engine.macros` |
| objects and arrays as a field | not a value, as only leaves are discovered | `engine.macros` |
| several readings of a dotted name | the most nested one that has a value | `engine.fields` |
| `min` and `max` | over the values that are numbers; over text where none is | `engine.aggregates` |
| JSON's true and false | 1 and 0, as users observe; the bare words in a comparison too | `engine.macros` |
| times before the year 1 or after 9999 | missing | `engine.macros` |
| rows of `stats` without a sort, and ties there | by the columns from left to right, ascending | `engine.chain` |
| `earliest`, `latest` and `rate` at equal times | the earlier line is the earlier one | `engine.aggregates` |
| an aggregate over no value | missing; counts are 0 | `engine.aggregates` |
| a map or a list in a comparison | false, `!=` too | `engine.expressions` |
| a missing argument of `concat`, `greatest` and `least` | passed over | `engine.calls` |
| a group of a regular expression that takes no part in its match | empty text | `engine.chain` |
| `OUTPUTNEW` over a name not visible behind `stats` | the value of the table is taken | `engine.chain` |
| what `estimate` counts | the bytes of all events of the window, whatever a filter keeps | `engine.chain` |
| the offset of `stats` | is added to the times in its `by` | `engine.chain` |
| the values of a query in parentheses | compare as those of a list, as numbers where both are | `engine.expressions` |
| a parameter of a saved query | stands as a literal: text quoted, a number as it is | `parameters` |
| a map or a list in `sort`, `dedup` and the groups of `stats` | a warning; refused when strict | `engine.chain` |
| whole numbers | print without a fraction below 9e18 | `engine.macros` |
| a key that stands twice in logfmt | the last one | `engine.python_functions` |
"""

from eks_audit_nb.insights.parser import parse
from eks_audit_nb.insights.schema import Column, ColumnType, columns

__all__ = ["Column", "ColumnType", "columns", "parse"]
