"""Every error this package raises, in one tree.

::

    MasError
    ├── InputError          what was handed in cannot be used (a column, a number, a text, a file)
    │   └── BudgetError         the account's budget does not hold what was to be sent
    ├── ConfigError         the account's settings are incomplete or contradict each other
    ├── MissingExtraError   an optional part is needed that is not installed
    ├── NetworkError        the platform was not reached, or its answer was lost
    │   └── CertificateError    the platform's certificate is not the one that was remembered
    ├── RefusedError        the platform answered, and refused
    ├── AnswerError         the platform answered something that cannot be read
    └── StoreError          the SQLite file cannot be read or written

No data is not an error; a half-finished poll is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, Final

from masanalytics.i18n import Text
from masanalytics.masking import described_table, mask_phones_in
from masanalytics.text import nearest

__all__ = [
    "AnswerError",
    "BudgetError",
    "CertificateError",
    "ConfigError",
    "InputError",
    "MasError",
    "MissingExtraError",
    "NetworkError",
    "RefusedError",
    "StoreError",
    "missing_columns",
    "unknown_name",
]

_LISTED: Final = 20


class MasError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    message : str or Text
        What was wrong, where, and what to do: an English sentence with ``{names}``. Never holds a secret or a whole phone
        number.
    many : str, optional
        What is said where the parameter ``count`` is not one.
    retryable : bool, optional
        Whether doing the same again later can succeed.
    **parameters
        The values of the names in `message`.

    Attributes
    ----------
    code : str
        A short, stable name for programs to branch on.
    retryable : bool
        Whether doing the same again later can succeed.
    said : Text
        The sentence and its parameters; ``str(error)`` says it in the language in use.

    Examples
    --------
    >>> error = InputError("no column {name}", name="手机号")
    >>> error.code, error.retryable, error.text("en")
    ('input', False, 'no column 手机号')
    """

    code = "mas"
    retryable = False

    def __init__(
        self, message: str | Text, many: str = "", /, *, retryable: bool | None = None, **parameters: Any
    ) -> None:
        given: dict[str, Any] = {name: described_table(value) for name, value in parameters.items()}
        self.said = message if isinstance(message, Text) else Text(message, many, **given)
        super().__init__(self.said)
        if retryable is not None:
            self.retryable = retryable

    def text(self, language: str | None = None) -> str:
        """Return the message in ``"en"`` or ``"zh"`` (by default in the language in use), without whole phone numbers."""
        return mask_phones_in(self.said.text(language))

    @property
    def message(self) -> str:
        """The message in English."""
        return self.text("en")

    @property
    def zh(self) -> str:
        """The message in Chinese."""
        return self.text("zh")

    def __str__(self) -> str:
        return self.text()


class InputError(MasError, ValueError):
    """What was handed in cannot be used: a column, a number, a text, a file. Nothing was sent."""

    code = "input"


class BudgetError(InputError):
    """What was to be sent is more than is left of the account's budget. Nothing was sent; it can succeed when that resets."""

    code = "budget"
    retryable = True


class ConfigError(MasError):
    """The account's settings are incomplete or contradict each other. Nothing was sent."""

    code = "config"


class MissingExtraError(MasError, ImportError):
    """An optional part of the package is needed that is not installed.

    Examples
    --------
    >>> print(MissingExtraError.of("excel", "python-calamine", Text("reading {kind}", kind=".xlsx")).text("en"))
    reading .xlsx needs python-calamine: pip install "masanalytics[excel]"
    """

    code = "missing_extra"

    @classmethod
    def of(cls, extra: str, module: str, purpose: Text) -> MissingExtraError:
        """Name the extra that brings `module`, needed for `purpose`."""
        command = f'pip install "masanalytics[{extra}]"'
        return cls(Text("{purpose} needs {module}: {command}", purpose=purpose, module=module, command=command))


def unknown_name(kind: Text, name: object, known: Iterable[object], *, cutoff: float = 0.3) -> InputError:
    """Return the error that says that `name` is not among the names of its kind, and what is: what comes near first.

    Parameters
    ----------
    kind : Text
        What it would be the name of, as it stands behind "no".
    name : object
        What was asked for.
    known : iterable
        The names there are.
    cutoff : float
        How alike two names must be, from 0 to 1, for one to stand for the other.

    Examples
    --------
    >>> print(unknown_name(Text("campaign"), "spring", ["spring 1", "autumn"]).text("en"))
    there is no campaign 'spring'; there is: 'spring 1'
    """
    names = list(dict.fromkeys(map(str, known)))
    near = nearest(name, names, cutoff=cutoff)
    listed = [mask_phones_in(repr(one)) for one in near or names[:_LISTED]] or ["-"]
    more = ["…"] if len(near or names) > len(listed) else []
    return InputError(
        "there is no {kind} {name}; there is: {known}",
        kind=kind,
        name=mask_phones_in(repr(name)),
        known=[*listed, *more],
    )


def missing_columns(
    wanted: Iterable[object], known: Iterable[object], *, frame: Text, hints: Iterable[object] = (), purpose: str = ""
) -> InputError | None:
    """Return the error that names every column of `wanted` that is not among `known`, with what comes near; or None.

    Parameters
    ----------
    wanted, known : iterable
        Names of columns: asked for, and there.
    frame : Text
        Where they are missing, as it stands behind "in": ``Text("the sheet")``.
    hints : iterable
        Further names that can be asked for, which are not columns.
    purpose : str
        What needs them, in brackets behind their names.

    Examples
    --------
    >>> print(missing_columns(["手机号", "姓名", "积分"], ["手机号码", "姓名"], frame=Text("the sheet")).text("en"))
    no column '手机号' (did you mean '手机号码'?) and no column '积分' in the sheet; its columns are: '手机号码', '姓名'
    """
    known, wanted = list(known), list(dict.fromkeys(wanted))
    missing = [_missing_column(name, [*known, *hints]) for name in wanted if name not in known]
    if not missing:
        return None
    listed = [mask_phones_in(repr(name)) for name in known[:_LISTED]] + ["…"] * (len(known) > _LISTED)
    return InputError(
        "{columns}{purpose} in {frame}; its columns are: {known}",
        columns=reduce(lambda before, name: Text("{before} and {name}", before=before, name=name), missing),
        purpose=f" ({purpose})" if purpose else "",
        frame=frame,
        known=listed or ["-"],
    )


def _missing_column(name: object, known: Sequence[object]) -> Text:
    quoted, near = mask_phones_in(repr(name)), nearest(name, known, count=1, cutoff=0.5)
    if not near:
        return Text("no column {name}", name=quoted)
    return Text("no column {name} (did you mean {near}?)", name=quoted, near=mask_phones_in(repr(near[0])))


class NetworkError(MasError):
    """The platform was not reached, or its answer was lost on the way.

    Attributes
    ----------
    sent : bool
        Whether the request may have reached the platform. For a poll this means that an answer, handed out once,
        may be gone.
    """

    code = "network"
    retryable = True

    def __init__(
        self,
        message: str | Text,
        many: str = "",
        /,
        *,
        retryable: bool | None = None,
        sent: bool = False,
        **parameters: Any,
    ) -> None:
        super().__init__(message, many, retryable=retryable, **parameters)
        self.sent = sent


class CertificateError(NetworkError):
    """The platform's certificate is not the one that was remembered or asked for. Nothing was sent."""

    code = "certificate"
    retryable = False


class RefusedError(MasError):
    """The platform answered, and refused.

    Attributes
    ----------
    rspcod : str
        The platform's own word for it, such as ``InvalidUsrOrPwd``.
    """

    code = "refused"

    def __init__(
        self,
        message: str | Text,
        many: str = "",
        /,
        *,
        retryable: bool | None = None,
        rspcod: str = "",
        **parameters: Any,
    ) -> None:
        super().__init__(message, many, retryable=retryable, **parameters)
        self.rspcod = rspcod


class AnswerError(MasError):
    """The platform answered something that cannot be read."""

    code = "answer"


class StoreError(MasError):
    """The SQLite file cannot be read or written: full disk, locked, read-only, or not a store."""

    code = "store"
