"""Text becomes a tree, or an error that says where it stopped making sense and what to write."""

from __future__ import annotations

import time
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_texts import TEXTS

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, parse, tree
from eks_audit_nb.insights.commands import ANSWERED
from eks_audit_nb.insights.parser import MAX_DEPTH, MAX_QUERY_LENGTH

EXAMPLES = [function for name in functions.names() if (function := functions.find(name))]

NodeType = TypeVar("NodeType", bound=tree.Node)

WORDS = [
    *("fields", "filter", "where", "stats", "sort", "limit", "dedup", "parse", "display", "by", "as", "and", "or"),
    *("not", "in", "like", "asc", "desc", "pattern", "a", "@message", "user.username", "`x y`", "a.", "..", "@", "@@x"),
    *("1", "2.5", "00", "1e5", "1e999", "9" * 5000, "5m", "5 \n m", "5²m", "٣", "²", "100001", '"s"', "'t'", "'", '"'),
    *("/re/", "/(?<n>x)/", "/", "//", "`", "=", "!=", "<", "<>", "==", "=~", "+", "-", "*", "%", "^", "!", "&&", "||"),
    *("(", ")", "[", "]", ",", "|", "count(", "bin(", "count(*)", "max(a)", "substr(a,", "bin(5m)", "#c\n", "\n", "\\"),
    *(";", "{{x}}", "é", "\x00", "\ud800", "~", "?", ":", "$"),
]


def outcome(text: str) -> tree.Query | QueryError:
    """What reading a text gives."""
    try:
        return parse(text)
    except QueryError as error:
        return error


def condition(text: str) -> tree.Node:
    """The condition of a filter."""
    (command,) = parse(f"filter {text}").commands
    assert isinstance(command, tree.Filter)
    return command.condition


def expression(text: str) -> tree.Node:
    """The one expression of a fields command."""
    (command,) = parse(f"fields {text}").commands
    assert isinstance(command, tree.Fields)
    (selection,) = command.selections
    return selection.expression


def only(query: str, kind: type[NodeType]) -> NodeType:
    """The one node of a kind in a query."""
    (found,) = [node for node in parse(query).walk() if isinstance(node, kind)]
    return found


def shape(node: tree.Node) -> str:
    """An expression with every operator in parentheses."""
    match node:
        case tree.Field(name=name):
            return name
        case tree.Number(text=text):
            return text
        case tree.Minus(operand=operand):
            return f"(-{shape(operand)})"
        case tree.Not(operand=operand):
            return f"(not {shape(operand)})"
        case tree.AllOf(terms=terms):
            return f"({' and '.join(map(shape, terms))})"
        case tree.AnyOf(terms=terms):
            return f"({' or '.join(map(shape, terms))})"
        case (
            tree.Arithmetic(operator=operator, left=left, right=right)
            | tree.Compared(operator=operator, left=left, right=right)
        ):
            return f"({shape(left)}{operator}{shape(right)})"
        case _:
            raise AssertionError(node)


# --- any text -------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    """Whatever the text, reading it gives a query or a QueryError, nothing else."""
    result = outcome(text)
    if isinstance(result, QueryError):
        assert 0 <= result.start <= result.end <= len(text)
        assert result.message in str(result)
    else:
        assert result.text == text
        assert result.commands


@given(st.sampled_from(["fields", "filter", "stats", "sort", "parse"]), st.lists(st.sampled_from(WORDS), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_command_is_a_query_or_an_error(command: str, words: list[str]) -> None:
    """Whatever stands behind a command, reading it gives a query or a QueryError, nothing else."""
    text = f"{command} {''.join(words)}"
    result = outcome(text)
    assert isinstance(result, tree.Query) or 0 <= result.start <= result.end <= len(text)


@given(st.lists(st.sampled_from(["a", "b.c", "@message", "`d e`", "1", '"s"', "strlen(a)", "a + 1"]), min_size=1))
@settings(max_examples=50, deadline=None)
def test_spans_are_those_of_the_text(expressions: list[str]) -> None:
    """A node's span cuts the text that it was read from out of the query."""
    query = parse("fields " + ",\n  ".join(expressions))
    (command,) = query.commands
    assert isinstance(command, tree.Fields)
    assert [query.source_of(selection.expression) for selection in command.selections] == expressions


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "kind"), [("and", tree.AllOf), ("or", tree.AnyOf)])
def test_chains_stay_flat(word: str, kind: type[tree.AllOf | tree.AnyOf]) -> None:
    """However many conditions `and` or `or` joins, they are the terms of one node."""
    found = condition(f" {word} ".join(["a=1"] * 1200))
    assert isinstance(found, kind)
    assert len(found.terms) == 1200


@pytest.mark.parametrize(
    "text",
    [
        "filter b in (filter " + "not " * 2000 + "a | fields c)",
        "fields " + "not " * 2000 + "a",
        "fields " + "-" * 9000 + "a",
        "fields " + "abs(" * 1500 + "a" + ")" * 1500,
        "fields " + "+".join(["a"] * 2000),
        "filter " + "(a and (b or " * 300 + "c" + "))" * 300,
    ],
)
def test_deep_nesting_is_refused(text: str) -> None:
    """An expression that is nested deeper than engines can follow is refused, whatever nests it."""
    with pytest.raises(QueryError, match=f"nested more than {MAX_DEPTH} levels"):
        parse(text)


def test_parentheses_alone_do_not_nest() -> None:
    """Parentheses around parentheses mean the same as one pair."""
    assert condition("(" * 2000 + "a" + ")" * 2000) == tree.Field(tree.Span(2007, 2008), "a")


def test_the_service_takes_10000_characters() -> None:
    """A query may have as many characters as the service takes, and one more is refused at its place."""
    longest = "filter a = 1 #"
    parse(longest.ljust(MAX_QUERY_LENGTH, "x"))
    with pytest.raises(QueryError, match="10,001 characters") as caught:
        parse(longest.ljust(MAX_QUERY_LENGTH + 1, "x"))
    assert caught.value.start == MAX_QUERY_LENGTH


# --- words, names and constants -------------------------------------------------------------------------------------


def test_keywords_have_no_case() -> None:
    """Keywords mean the same in upper and lower case."""
    lower = parse(
        "fields a as b | filter not a in [1] and b like 'x' | stats count(*) as c by b | sort c desc | limit 5"
    )
    upper = parse(
        "FIELDS a AS b | FILTER NOT a IN [1] AND b LIKE 'x' | STATS count(*) AS c BY b | SORT c DESC | LIMIT 5"
    )
    assert lower.commands == upper.commands


def test_names_have_case() -> None:
    """Names of fields that differ in case are different fields."""
    assert [node.name for node in parse("fields Verb, verb").walk() if isinstance(node, tree.Field)] == ["Verb", "verb"]


@pytest.mark.parametrize(
    "word", ["fields", "stats", "by", "like", "in", "limit", "asc", "count", "not_ready", "ordering"]
)
def test_keywords_are_names_where_no_keyword_can_stand(word: str) -> None:
    """A field may be called as a keyword is, where the grammar expects no such keyword."""
    assert expression(word) == tree.Field(tree.Span(7, 7 + len(word)), word)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("verb", "verb"),
        ("@timestamp", "@timestamp"),
        ("@@key", "@@key"),
        ("user.groups.0", "user.groups.0"),
        ("user.in.like", "user.in.like"),
        ("`annotations.authorization.k8s.io/decision`", "annotations.authorization.k8s.io/decision"),
        ("annotations.`authorization.k8s.io/decision`", "annotations.authorization.k8s.io/decision"),
        ("`a b`.`c-d`.0", "a b.c-d.0"),
        ('`with "quotes"; and -- more`', 'with "quotes"; and -- more'),
        ("größe", "größe"),
    ],
)
def test_names(text: str, name: str) -> None:
    """A name has letters, digits, @ and dots; anything else stands in backticks, around the whole or around a part."""
    found = expression(text)
    assert isinstance(found, tree.Field)
    assert found.name == name


def test_a_hyphen_is_a_minus() -> None:
    """Without backticks a hyphen subtracts and a slash divides."""
    assert shape(expression("foo-bar/baz")) == "(foo-(bar/baz))"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"plain"', "plain"),
        ("'plain'", "plain"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        (r'"a \"b\" c"', 'a "b" c'),
        (r'"back\\slash"', "back\\slash"),
        (r'"\d+\.\n"', r"\d+\.\n"),
        ('"# no | comment"', "# no | comment"),
        ('"two\nlines"', "two\nlines"),
        ('""', ""),
    ],
)
def test_quoted_text(text: str, value: str) -> None:
    """Text stands in either kind of quotes; a backslash goes before a quote or a backslash, and stays elsewhere."""
    assert only(f"filter a = {text}", tree.String).value == value


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("/abc/", "abc"),
        (r"/kubectl\/v1.22.0/", "kubectl/v1.22.0"),
        (r"/a\.b \d+/", r"a\.b \d+"),
        ("/a # b | c/", "a # b | c"),
        ("/(?i)ABC/", "(?i)ABC"),
    ],
)
def test_regular_expressions(text: str, pattern: str) -> None:
    """A regular expression stands between slashes; only a slash in it loses its backslash."""
    assert only(f"filter a like {text}", tree.Regex).pattern == pattern


def test_a_slash_divides_where_no_regular_expression_can_stand() -> None:
    """Two slashes between numbers are two divisions."""
    assert shape(expression("a / b / c")) == "((a/b)/c)"


@pytest.mark.parametrize("text", ["0", "12", "1.5", "1e3", "1.5E-3", "007"])
def test_numbers(text: str) -> None:
    """A number has digits, a fraction and an exponent, and keeps how it was written."""
    found = expression(text)
    assert isinstance(found, tree.Number)
    assert (found.text, found.value) == (text, float(text))


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("ms msec msecs millisecond milliseconds", "ms"),
        ("s sec secs second seconds", "s"),
        ("m min mins minute minutes", "m"),
        ("h hr hrs hour hours", "h"),
        ("d day days", "d"),
        ("w week weeks", "w"),
        ("mo mon mons month months", "mo"),
        ("q qtr qtrs quarter quarters", "q"),
        ("y yr yrs year years", "y"),
    ],
)
def test_periods(words: str, unit: str) -> None:
    """A period is a number and a unit in any of its spellings and in any case, with or without a space."""
    for word in words.split():
        for text in (f"5{word}", f"5 {word.upper() if len(word) > 1 else word}"):
            period = only(f"fields bin({text})", tree.Period)
            assert (period.number, period.unit) == (5, unit)


@pytest.mark.parametrize(
    "text",
    [
        "# first\nfields a # second\n| filter b = 1\n# last",
        "fields a\n|\nfilter b = 1",
        "  fields a|filter b=1  ",
        "\tfields\ta\r\n| filter b == 1\n",
        "fields a | where b = 1",
    ],
)
def test_what_does_not_count(text: str) -> None:
    """Space, line ends and comments mean nothing, `where` is `filter`, and `==` is `=`."""
    fields, kept = parse(text).commands
    assert isinstance(fields, tree.Fields)
    assert isinstance(kept, tree.Filter)
    assert shape(kept.condition) == "(b=1)"


# --- operators ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a or b and c", "(a or (b and c))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("not a and b", "((not a) and b)"),
        ("not a = 1", "(not (a=1))"),
        ("!a = 1", "(not (a=1))"),
        ("not not a", "(not (not a))"),
        ("a = 1 or b != 2", "((a=1) or (b!=2))"),
        ("a + 1 >= b * 2", "((a+1)>=(b*2))"),
        ("a - b - c", "((a-b)-c)"),
        ("a * b / c % d", "(((a*b)/c)%d)"),
        ("a + b * c ^ d ^ e", "(a+(b*(c^(d^e))))"),
        ("-a + b", "((-a)+b)"),
        ("a - -1", "(a-(-1))"),
        ("a-1", "(a-1)"),
        ("a -1", "(a-1)"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    """Power binds first, then signs, products, sums, comparisons, `not`, `and` and at last `or`."""
    assert shape(condition(text)) == expected


@pytest.mark.parametrize(
    ("text", "negated"), [('a like "x"', False), ('a not like "x"', True), ("a like /x/", False), ("a =~ /x/", False)]
)
def test_like(text: str, negated: bool) -> None:
    """Like, `not like` and =~ take quoted text or a regular expression."""
    assert only(f"filter {text}", tree.Like).is_negated is negated


def test_text_behind_a_match_is_a_regular_expression() -> None:
    """Behind =~ quoted text is a regular expression, behind like it is a substring."""
    assert isinstance(only('filter a =~ "^x"', tree.Like).pattern, tree.Regex)
    assert isinstance(only('filter a like "^x"', tree.Like).pattern, tree.String)


@pytest.mark.parametrize(
    ("text", "members", "negated"),
    [("a in [1, -2, 'x']", 3, False), ("a not in ['x']", 1, True), ("a in []", 0, False)],
)
def test_in(text: str, members: int, negated: bool) -> None:
    """A list holds any number of texts and numbers, none included."""
    found = only(f"filter {text}", tree.In)
    assert (len(found.members), found.is_negated) == (members, negated)


# --- commands -------------------------------------------------------------------------------------------------------


def test_selections_have_names() -> None:
    """A column is called by its alias, else by the field's name or the expression as it was typed."""
    (command,) = parse("fields a, `b c`, strlen( a ), a+1 as d, (a + 1) * 2, a as @e, a as `f g`").commands
    assert isinstance(command, tree.Fields)
    assert [item.name for item in command.selections] == [
        "a",
        "b c",
        "strlen( a )",
        "d",
        "(a + 1) * 2",
        "@e",
        "f g",
    ]


def test_sort_keys() -> None:
    """A sort has keys with a direction each, ascending without a word, and an alias where one is given."""
    (command,) = parse("sort a, b asc, strlen(c) as d DESC, desc").commands
    assert isinstance(command, tree.Sort)
    assert [(key.direction.value, key.name) for key in command.keys] == [
        ("asc", ""),
        ("asc", ""),
        ("desc", "d"),
        ("asc", ""),
    ]


def test_parse_reads_the_message_by_default() -> None:
    """Without a field, parse takes @message apart."""
    (command,) = parse('parse "user=*, id=*" as user, @id').commands
    assert isinstance(command, tree.Parse)
    assert (command.source.name, command.names) == ("@message", ("user", "@id"))


def test_parse_takes_names_from_groups() -> None:
    """With a regular expression the named groups are the new fields, in their order."""
    (command,) = parse(r"parse user.username /(x)(?<one>\d+)(?P<@two>y)/").commands
    assert isinstance(command, tree.Parse)
    assert (command.source.name, command.names) == ("user.username", ("one", "@two"))


def test_stats_has_aggregates_and_groups() -> None:
    """What stands before `by` is aggregated, what stands behind it are the groups."""
    (command,) = parse("stats count(*), max(a) as m by b, bin(5m) as t").commands
    assert isinstance(command, tree.Stats)
    assert [item.name for item in command.aggregates] == ["count(*)", "m"]
    assert [item.name for item in command.groups] == ["b", "t"]


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "", "Write at least one command"),
        (" \n ", " ", "Write at least one command"),
        ("stat count(*)", "stat", "Did you mean 'stats'?"),
        ("fields a | filtr b = 1", "filtr", "Did you mean 'filter'?"),
        ("fields a filter b", "filter", "Put a `|` before this command"),
        ("fields a |", "", "Remove the pipe at the end"),
        ("| fields a", "|", "Remove this pipe"),
        ("fields a || fields b", "|", "Two pipes"),
        ("filter a || b", "|", "write `or`"),
        ("filter a && b", "&", "Write `and`"),
        ("filter a <> 1", ">", "Write `!=`"),
        ("filter a = ", " ", "Something is missing"),
        ("filter (a = 1", "", "A parenthesis is not closed"),
        ("filter a in ['x'", "", "A list is not closed"),
        ("filter a in 'x'", "'x'", "A list stands here"),
        ("filter a in [b]", "b", "A list holds quoted text and numbers"),
        ("filter a in [1 2]", "2", "with commas between them"),
        ("filter a like b", "b", "Quoted text or a regular expression"),
        ("filter a = 1)", ")", "no opening parenthesis"),
        ("fields )", ")", "no opening parenthesis"),
        ("fields a,, b", ",", "missing before this comma"),
        ("fields a b", "b", "goes in backticks"),
        ("fields a; fields b", ";", "Separate commands with `|`"),
        ("fields `a", "`", "second backtick"),
        ('filter a = "x', '"', 'written \\"'),
        ("filter a = 'x", "'", "written \\'"),
        ("filter a = {{name}}", "{", "Give the parameter a value"),
        ("fields *", "*", "take the whole event with @message"),
        ("fields *a*", "*", "only count(*) has one"),
        ("filter /x/", "/x/", "stands behind like, =~ or parse"),
        ("limit ten", "ten", "A whole number stands here"),
        ("limit 0", "0", "from 1 to 100000"),
        ("limit 1.5", "1.5", "from 1 to 100000"),
        ("limit 100001", "100001", "from 1 to 100000"),
        ("dedup 'a'", "'a'", "A name stands here"),
        ("fields a as 'b'", "'b'", "A name stands here"),
        ("fields 1e999", "1e999", "too large"),
        ('parse a "x*"', '"x*"', "one name for each"),
        ('parse a "x" as b', '"x"', "one name for each"),
        ("parse a '*-*' as b", "'*-*'", "one name for each"),
        ("parse a /x/", "/x/", "Name the groups"),
        ("parse a /(?<b>x)/ as c, d", "/(?<b>x)/", "one name for each"),
        ("parse a /(x)(y)/ as c", "/(x)(y)/", "2 groups and 1 names"),
        ("parse a 'x*' as b multi", "parse a 'x*' as b multi", "behind a regular expression"),
        ("filter a in (1, 2)", "1", "a list of values stands in brackets"),
        ("filter a in (fields b", "", "A parenthesis is not closed"),
        ("filter a in (fields nope(b))", "nope(b)", "There is no function nope()"),
        ("filter a in (fields strlen(b, c))", "strlen(b, c)", "takes 1 argument, not 2"),
        ("lookup t a OUTPUTT b", "OUTPUTT", "OUTPUT or OUTPUTNEW stands before the columns"),
        ('json x=a "b" as c', "x", "json field=NAME"),
        ("expand 'a'", "'a'", "A name stands here"),
        ("fields m[1.5]", "1.5", "An index is a whole number from 0"),
        ("limit any", "", "Something is missing"),
        ("fields a | unest b into c", "unest", "Did you mean 'unnest'?"),
        ("fields a | patern @message", "patern", "Did you mean 'pattern'?"),
    ],
)
def test_errors_have_a_place_and_a_hint(text: str, place: str, words: str) -> None:
    """An error points at the word that cannot stand there, and says what to write."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert text[error.start : error.end] == place
    assert words in str(error)


@pytest.mark.parametrize("text", ["limit " + "1" * 5000, "fields bin(" + "0" * 5000 + "5m)", "fields " + "9" * 400])
def test_numbers_without_end_are_refused(text: str) -> None:
    """A number of thousands of digits is an error of the query, not of the program, with a message that can be read."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('filter a = "x" && b = 1', "Write `and`."),
        ('filter a = "x"; fields b', "Separate commands with `|`."),
        ("filter a = 1 ? 2", "Write if(CONDITION, A, B)"),
        ("filter a = 1 b = 2", "Conditions are joined with `and` or `or`"),
        ("filter and a = 1", "A condition is missing before `and`"),
        ("filter a like /x/i", "as in /(?i)text/"),
        ("fields a as b c", "a comma or `|`"),
        ("dedup a b", "a comma or `|`"),
        ("limit 5 10", "Expected `|` here"),
        ("sort a asc desc", "one direction"),
        ("sort desc a", "sort a desc"),
        ('parse "*" x', "as x"),
        ("parse @message json", "json field=@message"),
        ('parse json "a"', "json field=@message"),
        ("unnest a as b", "unnest a into b"),
        ("expand a as b", "unnest a into b"),
        ('filter a in ["x",]', "Remove the comma"),
        ("fields a, | limit 5", "Remove the comma"),
        ("filter 1 < a < 5", "1 < a and a < 5"),
        ('filter a = "x"]', "no opening bracket"),
        ("sort by a", "sort a"),
        ("dedup by a", "dedup a"),
        ("stats count(*) as n, by a", "Remove the comma before `by`"),
        ("stats count(*) group by a", "Remove `group`"),
        ("stats count by a", "count(*)"),
        ("fields strlen a", "strlen(userAgent)"),
        ("fields “a”", "Quotes are straight"),
        ("filter a !like 'x'", "Write `not like`."),
        ("filter a !~ /x/", "Write `not like /ab.c/`."),
        ("filter a is null", "not ispresent(a)"),
        ("filter a is not null", "ispresent(a)"),
        ("filter a eq 1", "Write `=`."),
        ("filter a contains 'x'", 'a like "text"'),
        ("filter a:x", "Write `=`"),
        ("filter a like /x", "closed with a second slash"),
        ("fields median(a)", "pct(FIELD, 50)"),
        ("fields exists(a)", "ispresent(FIELD)"),
        ("fields length(a)", "strlen(FIELD)"),
        ("fields substr(a)", "substr(userAgent, 0, 7)"),
        ("lookup t OUTPUT x", "lookup TABLE COLUMN as FIELD OUTPUT OTHER"),
        ("select a", "fields A, B"),
        ("limit", "limit 20"),
        ("fields a | stats", "stats count(*) by verb"),
        ("dedup", "dedup verb"),
        ("lookup t a", "OUTPUT team"),
        ("stats count(*) as n by a | sort count(*) desc", "write n"),
        ("stats count(*) as n by a | filter count(*) > 1", "write n"),
        ("fields bin(1M)", "1m for minutes or 1mo for months"),
    ],
)
def test_hints_mend(text: str, words: str) -> None:
    """What is often written in other languages, or by a slip, is told with what to write here."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert words in caught.value.hint


@pytest.mark.parametrize(
    "example",
    [*ANSWERED.values(), *(f"{'stats' if each.is_aggregate else 'fields'} {each.example}" for each in EXAMPLES)],
)
def test_examples_are_right(example: str) -> None:
    """What an error shows as an example can be read."""
    assert parse(example).commands


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("stats count(*) as x by x", "x"),
        ("stats max(a) as m, min(a) as m", "min(a) as m"),
        ("stats count(*) by a, a", "a"),
    ],
)
def test_columns_of_stats_have_names_of_their_own(text: str, place: str) -> None:
    """Two columns of one name are refused at the second one: the first would be lost."""
    with pytest.raises(QueryError, match="Two columns of stats are called") as caught:
        parse(text)
    assert text[caught.value.start : caught.value.end] == place
    assert caught.value.start == text.rindex(place)


@pytest.mark.parametrize("text", ["fields a\udcff", "filter a = '\ud800'"])
def test_half_characters_are_refused(text: str) -> None:
    """What Python makes of bytes that are no UTF-8 is refused at its place, with a message that can be printed."""
    with pytest.raises(QueryError, match="is no character") as caught:
        parse(text)
    assert text[caught.value.start : caught.value.end] in ("\udcff", "\ud800")
    assert str(caught.value).encode()


@pytest.mark.parametrize("name", TEXTS)
def test_reading_is_fast(name: str) -> None:
    """The longest texts take no more than a moment of CPU, whatever they hold."""
    parse("fields a")  # the grammar is read once
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        outcome(TEXTS[name][:MAX_QUERY_LENGTH])
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 0.4
