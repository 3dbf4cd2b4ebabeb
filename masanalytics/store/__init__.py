"""The SQLite file: the only package that knows SQL."""

from masanalytics.store.archive import Archive
from masanalytics.store.store import Store, replay, settle

__all__ = ["Archive", "Store", "replay", "settle"]
