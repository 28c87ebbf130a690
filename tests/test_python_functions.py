"""What the engine computes in Python: addresses, hexadecimal text, histograms, CSV, logfmt, the cut of long events."""

from __future__ import annotations

import json

import duckdb
import pytest

from eks_audit_nb.engine import python_functions as functions


@pytest.mark.parametrize(
    ("address", "version", "kind"),
    [
        ("10.1.2.3", 4, "private"),
        ("172.15.255.255", 4, "public"),
        ("172.16.0.0", 4, "private"),
        ("192.168.255.255", 4, "private"),
        ("8.8.8.8", 4, "public"),
        ("127.0.0.1", 4, "reserved"),
        ("100.64.0.1", 4, "reserved"),
        ("224.0.0.1", 4, "reserved"),
        ("0.0.0.0", 4, "reserved"),  # noqa: S104  # an address in a log
        ("2606:4700::1", 6, "public"),
        ("::1", 6, "reserved"),
        ("fe80::1", 6, "reserved"),
        ("fd00::1", 6, "reserved"),
        ("", None, None),
        ("10.1.2", None, None),
        ("10.1.2.03", None, None),
        ("10.1.2.3/8", None, None),
        (" 10.1.2.3", None, None),
    ],
)
def test_addresses(address: str, version: int | None, kind: str | None) -> None:
    """An address is private by RFC 1918, public where it is routable and reserved otherwise; other text is none."""
    assert (functions.ip_version(address), functions.ip_range(address)) == (version, kind)


@pytest.mark.parametrize(
    ("address", "subnet", "expected"),
    [
        ("192.0.2.255", "192.0.2.0/24", True),
        ("192.0.3.0", "192.0.2.0/24", False),
        ("192.0.2.9", "192.0.2.7/24", True),
        ("192.0.2.9", "192.0.2.9", True),
        ("2001:db8::5", "2001:db8::/32", True),
        ("192.0.2.9", "::/0", False),
        ("192.0.2.9", "0.0.0.0/0", True),
        ("x", "192.0.2.0/24", None),
        ("192.0.2.9", "192.0.2.0/33", None),
        ("192.0.2.9", "", None),
    ],
)
def test_subnets(address: str, subnet: str, expected: bool | None) -> None:
    """An address lies in a block or not, and where either is not valid there is no answer."""
    assert functions.ip_in_subnet(address, subnet) is expected


def test_numbers_of_addresses() -> None:
    """Only an IPv4 address has a number."""
    assert [functions.ip_number(each) for each in ("0.0.1.2", "255.255.255.255", "::1", "x")] == [
        258,
        2**32 - 1,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("48656c6c6f", "Hello"), ("0x48", "H"), ("", ""), ("4", None), ("zz", None), ("ff", None)],
)
def test_hexadecimal_text(text: str, expected: str | None) -> None:
    """Pairs of digits spell ASCII; an odd number of them, other signs and other bytes spell nothing."""
    assert functions.hex_to_ascii(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ff", 255),
        ("0xFF", 255),
        ("0Xff", 255),
        ("-0x10", -16),
        ("-", None),
        ("", None),
        ("0x", None),
        ("1_0", None),
        ("0x-1", None),
        ("f" * 300, None),
    ],
)
def test_hexadecimal_numbers(text: str, expected: float | None) -> None:
    """Digits with or without a sign and 0x spell a number, anything else and what no double holds do not."""
    assert functions.hex_to_decimal(text) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(255.9, "0xff"), (-255.9, "-0xff"), (0.5, "0x0"), (1e20, hex(10**20))]
)
def test_numbers_as_hexadecimal(number: float, expected: str) -> None:
    """A number is cut to a whole one and written in lower case with 0x behind its sign."""
    assert functions.decimal_to_hex(number) == expected


@pytest.mark.parametrize(
    ("values", "buckets", "expected"),
    [
        ([0.0, 4.0, 10.0], 2, {"0-5": 2, "5-10": 1}),
        ([1.0, 1.0], 1, {"1-2": 2}),
        ([None, 3.0], 1, {"3-4": 1}),
    ],
)
def test_histograms(values: list[float | None], buckets: float, expected: dict[str, int]) -> None:
    """Values fall into ranges of equal width from the smallest to the largest, which belongs to the last range."""
    assert json.loads(functions.histogram(values, buckets) or "null") == expected


@pytest.mark.parametrize(("values", "buckets"), [([], 3), ([None], 3), ([1.0], 0), ([1.0], -1), ([1.0], 1001)])
def test_no_histogram(values: list[float | None], buckets: float) -> None:
    """Without values, without ranges and with too many of them there is no histogram."""
    assert functions.histogram(values, buckets) is None


def test_all_values_are_counted() -> None:
    """The counts of a histogram add up to the number of values."""
    values = [float(i * i % 97) for i in range(500)]
    assert sum(json.loads(functions.histogram(values, 13) or "{}").values()) == 500


def test_top_values() -> None:
    """The most frequent values come first, equally frequent ones in their own order, missing ones not at all."""
    values = ["b", None, "a", "c", "b", None, None, "ü"]
    assert json.loads(functions.top_values(values, 3)) == ["b", "a", "c"]
    assert functions.top_values(values, 0) == "[]"
    assert functions.top_values([None], 5) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ('a,"b, c",', ["a", "b, c", ""]),
        ('"say ""hi""",x', ['say "hi"', "x"]),
        ('"two\nlines",x', ["two\nlines", "x"]),
        ("", []),
    ],
)
def test_csv(line: str, expected: list[str]) -> None:
    """A line of CSV has values between commas, in quotes where they hold commas, quotes or line ends."""
    assert functions.csv_fields(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('level=info msg="two words" n=5', {"level": "info", "msg": "two words", "n": "5"}),
        (r'msg="say \"hi\" \\" ok=1', {"msg": 'say "hi" \\', "ok": "1"}),
        ("flag other= x=1=2", {"flag": True, "other": "", "x": "1=2"}),
        ('msg="open x=1', {"msg": '"open', "x": "1"}),
        ("a=1 a=2", {"a": "2"}),
        ("", {}),
    ],
)
def test_logfmt(line: str, expected: dict[str, object]) -> None:
    """A line of logfmt is a map of its pairs, quotes and escapes taken off; a key alone is true."""
    assert json.loads(functions.logfmt_map(line)) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"a": 1}),
        (2, {"a": 1, "b": {"c": [2]}}),
        (3, {"a": 1, "b": {"c": [2, 3]}}),
        (4, {"a": 1, "b": {"c": [2, 3]}, "d": None}),
        (9, {"a": 1, "b": {"c": [2, 3]}, "d": None, "e": "ü"}),
    ],
)
def test_first_fields(count: int, expected: dict[str, object]) -> None:
    """An event is cut behind its first leaves in the order of its text, elements of arrays counted one by one."""
    document = '{"a": 1, "b": {"c": [2, 3]}, "d": null, "e": "ü"}'
    assert json.loads(functions.first_fields(document, count)) == expected


def test_missing_arguments_give_missing_answers() -> None:
    """In SQL each function gives NULL for NULL, and NULL is an answer too."""
    connection = duckdb.connect(":memory:")
    functions.register(connection)
    for call in ("ip_version(NULL)", "ip_version('x')", "ip_in_subnet('10.0.0.1', NULL)", "hex_to_decimal('x')"):
        assert connection.execute(f"SELECT {call}").fetchone() == (None,)
    connection.close()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{"a": 1, "a": 2, "b": 3, "c": 4}', '{"a":1,"b":3}'),
        ('{"a": {"b": 1}, "a": {"c": 2}, "d": 3, "e": 4}', '{"a":{"b":1},"d":3}'),
        ('{"a": 1e400, "b": 1.50}', '{"a":1e400,"b":1.50}'),
        ('{"a": 12345678901234567890123, "b": "\\u00e9"}', '{"a":12345678901234567890123,"b":"é"}'),
        ('{"a": true, "b": null, "c": 1}', '{"a":true,"b":null}'),
    ],
)
def test_first_fields_are_as_they_were(document: str, expected: str) -> None:
    """Of equal keys the first one is kept and counted, as it is read without a cap, and numbers stay as written."""
    assert functions.first_fields(document, 2) == expected
