"""CloudWatch Logs Insights QL: text to a typed tree, errors with position. Pure: no I/O, no DuckDB, no AWS.

`parse(text)` gives a `tree.Query` or raises `QueryError` with the offset, the line and a hint. `columns(query)` tells
the names and types of what the query returns, the same for every engine. `order.effective(query)` puts the commands
into the order in which the service takes them and says what it had to move.

What AWS does not document, and what is taken here instead (one place each, and a query that shows it for each in
tests/test_choices.py):

| point | choice | where |
|---|---|---|
| `limit` or `sort` before a filter or stats | rows are capped at the end, with a warning | `order` |
| a filter of events behind `stats` | moved before it, with a warning; refused if it looks misspelt | `order` |
| several limits, several sorts | the smallest limit, the last sort | `order` |
| no `limit` | all rows, where the service returns 10,000 | `order` |
| escapes in quoted text | a backslash before a quote or a backslash; others stay | `builder` |
| a text behind `=~` | a regular expression | `builder` |
| default direction of `sort` | ascending | `builder` |
| the period `1M` | refused: minutes are `m`, months `mo` | `builder` |
| a number or a text where a condition stands | refused | `conditions` |
| two columns of `stats` with one name | refused | `usage` |
| a name that is given twice elsewhere | the later value, in one column | `schema` |
| a parameter of a saved query | a literal: text quoted where it can be, a number as it is | `parameters` |
| a `*` at the end of a glob | takes all that is left, over line ends too | `regex` |
| a `not` comparison on a missing field | true, as `!=` is known to be | `engine.expressions` |
| a map or a list in a comparison | false, `!=` too | `engine.expressions` |
| `true` and `false` without quotes in a comparison | JSON's, and the texts "true" and "false" | `engine.expressions` |
| the values of a query in parentheses | compare as those of a list, as numbers where both are | `engine.expressions` |
| the sign of `%` | that of the number that is divided | `engine.expressions` |
| missing values in a sort | first when ascending, last when descending | `engine.chain` |
| ties, and rows without any sort | newest `@timestamp` first, then the later line first | `engine.chain` |
| rows of `stats` without a sort, and ties there | by the columns from left to right, ascending | `engine.chain` |
| a map or a list in `sort`, `dedup` and the groups of `stats` | a warning; refused when strict | `engine.chain` |
| what `estimate` counts | the bytes of all events of the window, whatever a filter keeps | `engine.chain` |
| `now()` over files | the time of the last event | `engine.store` |
| several readings of a dotted name | the most nested one that has a value | `engine.fields` |
| which texts are numbers | digits with a sign, fraction, exponent, in a double's range | `engine.macros` |
| whole numbers beyond 2^53 | compare as doubles, so that neighbours are equal | `engine.macros` |
| whole numbers | print without a fraction below 9e18 | `engine.macros` |
| objects and arrays as a field | not a value, as only leaves are discovered | `engine.macros` |
| a key that stands twice in JSON | the first one | `engine.macros` |
| JSON's true and false | 1 and 0, as users observe | `engine.macros` |
| times before the year 1 or after 9999 | missing | `engine.macros` |
| a missing argument of `concat`, `greatest` and `least` | passed over | `engine.calls` |
| a missing argument of other functions of text and numbers | the result is missing | `engine.calls` |
| `bin` and `datefloor` | the beginning of the period, also before 1970 | `engine.calls` |
| where weeks begin | on Thursday, as they count from 1970-01-01 | `engine.calls` |
| `log` | the natural one | `engine.calls` |
| `round` of a half | away from zero | `engine.calls` |
| `formatDate` without a `%` | refused | `engine.calls` |
| a block of addresses that is none | refused where it is constant, false elsewhere | `engine.calls` |
| a backslash and a digit in the replacement of `regexReplace` | the group of that number | `engine.calls` |
| a group of a regular expression that takes no part in its match | empty text | `engine.extractions` |
| the offset of `stats` | is added to the times in its `by` | `engine.grouping` |
| `OUTPUTNEW` over a name not visible behind `stats` | the value of the table is taken | `engine.lookups` |
| several rows of a table with the same key | the first one | `engine.lookups` |
| several blocks that hold an address | the narrowest, of equal ones the first | `engine.lookups` |
| `min` and `max` | over the values that are numbers; over text where none is | `engine.aggregates` |
| `earliest`, `latest` and `rate` at equal times | the earlier line is the earlier one | `engine.aggregates` |
| an aggregate over no value | missing; counts are 0 | `engine.aggregates` |
| `stddev` | of the population, as `variance` is | `engine.aggregates` |
| `pct` between two values | in proportion | `engine.aggregates` |
| the order of `values` | by code points | `engine.aggregates` |
| equally frequent values in `topk` | by code points | `engine.python_functions` |
| the ranges of `histogram` | from the smallest to the largest value, named by both ends | `engine.python_functions` |
| private, public and reserved addresses | RFC 1918; reachable from everywhere; all others | `engine.python_functions` |
| a key that stands twice in logfmt | the last one | `engine.python_functions` |
"""

from eks_audit_nb.insights.parser import parse
from eks_audit_nb.insights.schema import Column, ColumnType, columns

__all__ = ["Column", "ColumnType", "columns", "parse"]
