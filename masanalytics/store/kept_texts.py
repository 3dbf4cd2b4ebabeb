"""Sentences in the database: a code and its parameters as JSON, which become words when they are read, in the reader's language."""

from __future__ import annotations

import json

import pandas as pd

from masanalytics.i18n import Text

__all__ = ["keep_text", "kept_text", "plain_sentences_sql", "with_words"]

_PLAIN = "{text}"


def keep_text(text: Text | None) -> str | None:
    """Return what a column of the database keeps of `text`.

    Examples
    --------
    >>> kept = keep_text(Text("{count:,} row is bad", "{count:,} rows are bad", code="bad_rows", count=2))
    >>> kept_text(kept)
    Text('2 rows are bad')
    """
    return None if text is None else json.dumps(text.as_json(), ensure_ascii=False, default=str)


def kept_text(kept: str | None) -> Text | None:
    """Return the text that `keep_text` wrote; a plain sentence, as older files have it, is a text of code ``text``.

    Examples
    --------
    >>> kept_text("the answer broke off").code
    'text'
    """
    if kept is None:
        return None
    try:
        return Text.from_json(json.loads(kept))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Text(_PLAIN, code="text", text=kept)


def with_words(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a frame whose `column` of kept texts has words in the language in use, and its codes beside it.

    Examples
    --------
    >>> kept = keep_text(Text("the answer broke off", code="answer_broke_off"))
    >>> with_words(pd.DataFrame({"batch_id": [1], "notice": [kept], "messages": [5]}), "notice")
       batch_id                notice       notice_code  messages
    0         1  the answer broke off  answer_broke_off         5
    """
    texts = {kept: kept_text(kept) for kept in frame[column].dropna().unique()}
    codes = {kept: text.code or None for kept, text in texts.items() if text}
    shown = frame.assign(**{column: frame[column].map({kept: str(text) for kept, text in texts.items()}).astype("str")})
    shown.insert(list(shown.columns).index(column) + 1, f"{column}_code", frame[column].map(codes).astype("str"))
    return shown


def plain_sentences_sql(table: str, column: str) -> str:
    """Return SQL that makes the plain sentences of an older file texts of code ``text``."""
    return (
        f"UPDATE {table} SET {column} = json_object('code', 'text', 'message', '{_PLAIN}', 'many', '', 'parameters',"
        f" json_object('text', {column})) WHERE {column} IS NOT NULL"
    )
