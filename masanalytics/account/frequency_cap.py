"""How many messages somebody may get in how long, whatever campaigns they are of."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from masanalytics.errors import InputError
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text
from masanalytics.lengths import to_seconds
from masanalytics.masking import shown_value

__all__ = ["FrequencyCap"]


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most so many messages in so many seconds.

    Examples
    --------
    >>> FrequencyCap.parse((2, "7d"))
    FrequencyCap(most=2, seconds=604800)
    >>> FrequencyCap.parse("1/12h").words().text("en")
    'at most 1 in 12 h'
    """

    most: int
    seconds: int

    @classmethod
    def parse(cls, cap: object) -> FrequencyCap:
        """Read ``(2, "7d")``, or the same as text: ``"2/7d"``.

        Raises
        ------
        InputError
            If it is neither, the number is none from 1, or the length of time cannot be read.
        """
        if isinstance(cap, cls):
            return cap
        parts = cap.split("/") if isinstance(cap, str) else cap
        if not isinstance(parts, tuple | list) or len(parts) != 2:
            raise _unreadable(cap)
        most, length = parts
        if isinstance(most, str) and most.strip().isdecimal():
            most = int(most)
        if isinstance(most, bool) or not isinstance(most, Integral) or most < 1:
            raise _unreadable(cap)
        seconds = to_seconds(length)
        if seconds < 1:
            raise _unreadable(cap)
        return cls(int(most), seconds)

    def words(self) -> Text:
        """Return it for people."""
        return Text("at most {most:,} in {length}", most=self.most, length=duration_text(self.seconds))


def _unreadable(cap: object) -> InputError:
    return InputError(
        "cap={value}: say how many messages in how long, such as (2, '7d'), or '2/7d' as text", value=shown_value(cap)
    )
