"""Sheets as offices have them: read for sure or refused with the line, and written so that they are safe to open."""

from masanalytics.sheets._read_sheet import read_sheet
from masanalytics.sheets._sample_path import sample_path
from masanalytics.sheets._write_sheet import write_sheet

__all__ = ["read_sheet", "sample_path", "write_sheet"]
