"""The SQLite file: the only package that knows SQL."""

from masanalytics.store.store import Store, replay, settle

__all__ = ["Store", "replay", "settle"]
