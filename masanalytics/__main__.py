"""``python -m masanalytics`` is the same as ``masanalytics``."""

from masanalytics.cli import main

if __name__ == "__main__":
    main(prog_name="masanalytics")
