"""Until when the messages of an export have been watched: some files were written when it was not as long yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import Seconds
from masanalytics.export_folder import ExportedFiles, Manifest, Partition
from masanalytics.vocabulary import SETTLED_S, UNREPORTED_AFTER_S

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["WatchedUntil", "asks_for_long_ages"]

Stretch = tuple[int, int, int]


def asks_for_long_ages(where: Filters, seconds: Seconds | None) -> bool:
    """Whether a question is about how long messages have been watched, and by so much that files are not written anew for it.

    Examples
    --------
    >>> asks_for_long_ages(Filters(), "outcome"), asks_for_long_ages(Filters(waited_at_least=30 * 86_400), "outcome")
    (False, True)
    """
    return where.age_s > SETTLED_S or seconds in ("waited", "waited_hours")


@dataclass(frozen=True)
class WatchedUntil:
    """Until when (epoch seconds) the messages of each account have been watched.

    Attributes
    ----------
    ends : mapping of str to int
        The end of coverage, by account.
    cut : mapping of str to sequence of (int, int, int)
        By account: messages submitted from the first to the second of these have been watched until the third only, since an
        answer is missing in which they may have been reported.
    known : collection of str
        The accounts whose files say the same all the same.
    """

    ends: Mapping[str, int]
    cut: Mapping[str, Sequence[Stretch]] = field(default_factory=dict)
    known: Collection[str] = ()

    @classmethod
    def of(cls, manifest: Manifest, partitions: Iterable[Partition]) -> WatchedUntil:
        """Return what the manifest of an export knows of these files; nothing where it is one of an earlier version."""
        ends = manifest.extra.get("observed_until", {})
        cut: dict[str, set[Stretch]] = {}
        older = set()
        for one in partitions:
            if one.kind == "uplinks" or one.first is None:
                continue
            cut.setdefault(one.account, set()).update(one.cut)
            if not one.account:  # of an archive, which is of all accounts
                older.update(ends)
            elif one.as_of != ends.get(one.account):
                older.add(one.account)
        return cls(ends, {account: sorted(found) for account, found in cut.items()}, ends.keys() - older)

    @classmethod
    def of_files(cls, files: ExportedFiles | None) -> WatchedUntil:
        """Return the same; nothing of other files."""
        return cls({}) if files is None else cls.of(files.manifest, files.partitions)

    @property
    def hidden_before(self) -> Mapping[str, int]:
        """By account: what is pending, was submitted until then and has been watched for less than 72 hours, a missing answer may hide."""
        return {
            account: self.ends[account] - UNREPORTED_AFTER_S
            for account, cut in self.cut.items()
            if cut and account in self.ends
        }

    def shown_in(self, messages: Any, submitted_at: nw.Expr) -> Any:
        """Return a frame of messages with ``waited_s`` as of these instants, given their times of submission as epoch seconds."""
        later = {account: end for account, end in self.ends.items() if account not in self.known}
        return messages.with_columns(waited_s=self._waited_s(submitted_at, later)) if later else messages

    def _waited_s(self, submitted_at: nw.Expr, ends: Mapping[str, int]) -> nw.Expr:
        import narwhals as nw

        waited: Any = nw.col("waited_s")
        for account, end in ends.items():
            watched: Any = nw.lit(end) - submitted_at
            for first, last, earlier in self.cut.get(account, ()):
                inside = (submitted_at >= first) & (submitted_at <= last)
                watched = nw.when(inside).then(nw.lit(earlier) - submitted_at).otherwise(watched)
            known = (nw.col("account") == account) & ~nw.col("waited_s").is_null()
            waited = nw.when(known).then(nw.max_horizontal(watched, nw.lit(0))).otherwise(waited)
        found: nw.Expr = waited.cast(nw.Int64)
        return found
