"""What a query will scan, by the service's own estimate, for which AWS does not charge; and what is refused for it."""

from __future__ import annotations

from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.base import Statistics, size_text
from eks_audit_nb.sources.cloudwatch import splitting
from eks_audit_nb.sources.cloudwatch.asking import Asker, TooLongError
from eks_audit_nb.window import Window


class NoEstimateError(CloudWatchError):
    """The service does not say what a query would scan."""


def estimated(asker: Asker, text: str, window: Window) -> int:
    """The bytes that a query would scan.

    Raises:
        NoEstimateError: The service gives none.
        CloudWatchError: It refuses.
    """
    try:
        answered = asker.ask(splitting.estimated(text), window, None, is_free=True)
    except TooLongError as error:
        raise NoEstimateError(f"The estimate {error} ended with the status Timeout. Try again.") from None
    # The name of the column is not documented, so that the only number is taken.
    found = [value for column in answered.columns.values.values() for value in column if value is not None]
    numbers = [int(float(value)) for value in found if value.replace(".", "", 1).isdecimal()]
    if len(numbers) != 1:
        raise NoEstimateError(f"The service gives no estimate for this query ({answered.query_id}).")
    return numbers[0]


def refuse_above(max_bytes: int | None, size: int, dollars_per_gigabyte: float) -> None:
    """Refuse what would scan more than is allowed.

    Raises:
        CloudWatchError: It would.
    """
    if max_bytes is not None and size > max_bytes:
        price = Statistics(bytes_scanned=size, dollars_per_gigabyte=dollars_per_gigabyte).price
        raise CloudWatchError(
            f"This would scan up to {size_text(size)} ({price}), and max_bytes allows {size_text(max_bytes)}. "
            "Ask for a shorter window, or allow more."
        )
