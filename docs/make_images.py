"""Draw the pictures of the documents from the sample store: ``python docs/make_images.py``."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

import masanalytics as mas

DOCS = Path(__file__).resolve().parent
OFFERS = ["会员特惠 03-24", "会员特惠 03-26"]


def draw(store: mas.Store, language: str, file: str) -> None:
    """Write the pictures in one language."""
    why = mas.explain_change(store, at="2026-03-25", by=["carrier", "province"], campaign=OFFERS)
    figure = mas.plot.explain_change(why, language=language).figure
    figure.savefig(DOCS / "images" / file, dpi=80)
    plt.close(figure)


def main() -> None:
    """Make the sample store and draw."""
    make = runpy.run_path(str(DOCS.parent / "data" / "make_sample_store.py"))["make_sample_store"]
    with tempfile.TemporaryDirectory() as folder, mas.Store(make(Path(folder) / "sample.db")) as store:
        for language, file in (("en", "why.png"), ("zh", "why.zh_CN.png")):
            draw(store, language, file)


if __name__ == "__main__":
    main()
