"""The link that opens a query and its window in the AWS console.

AWS does not document the form. It is JSURL (github.com/Sage/jsurl, MIT) behind `queryDetail`, as links that were
copied from the console show: `~(key~value~...)` for an object, `~(~item~item)` for a list, `~'text` for a text, in
which letters, digits, `_`, `-` and `.` stand for themselves, others as `*` and two hexadecimal digits or `**` and
four.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from eks_audit_nb.window import Window, from_milliseconds

_PLAIN = frozenset(string.ascii_letters + string.digits + "_-.")
# The console of each partition; the region's name tells which.
_CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


def console_url(region: str, groups: Sequence[str], query: str, window: Window) -> str:
    """The link to Logs Insights.

    Args:
        region: Where the log groups are.
        groups: Names or ARNs.
        query: The text.
        window: Both ends inclusive.
    """
    detail = _object(
        {
            "end": _instant(window.end_ms),
            "start": _instant(window.start_ms),
            "timeType": "ABSOLUTE",
            "tz": "UTC",
            "editorString": query,
            "source": groups,
            "lang": "CWLI",
        }
    )
    host = next(
        (host for begin, host in _CONSOLES.items() if region.startswith(begin)), f"{region}.console.aws.amazon.com"
    )
    # The console reads a `?` and a `=` behind the `#` only in this form.
    return f"https://{host}/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D~{detail}"


def _instant(milliseconds: int) -> str:
    return from_milliseconds(milliseconds).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _object(values: Mapping[str, str | Sequence[str]]) -> str:
    parts = (f"{name}~{_text(value) if isinstance(value, str) else _list(value)}" for name, value in values.items())
    return f"({'~'.join(parts)})"


def _list(items: Sequence[str]) -> str:
    return f"({''.join(f'~{_text(item)}' for item in items)})"


def _text(text: str) -> str:
    return "'" + "".join(sign if sign in _PLAIN else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    if len(units) == 2 and units[0] == 0:
        return f"*{units[1]:02x}"
    return "".join(f"**{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True))
