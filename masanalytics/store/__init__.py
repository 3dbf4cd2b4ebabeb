"""The SQLite file: the only package that knows SQL."""

from masanalytics.store.store import Store

__all__ = ["Store"]
