"""Answer what lifelines says of messages, for the tests: lifelines wants an older pandas, so it runs on its own.

Reads ``[{"seconds": [...], "events": [...]}, ...]`` from standard input (0: censored, 1: delivered, 2: failed; no two equal
seconds, which lifelines would move apart) and writes for each the times, the share delivered by then and its variance.
"""

from __future__ import annotations

import json
import sys

from lifelines import AalenJohansenFitter

answers = []
for sample in json.load(sys.stdin):
    fitted = AalenJohansenFitter(calculate_variance=True).fit(sample["seconds"], sample["events"], event_of_interest=1)
    curve = fitted.cumulative_density_.iloc[:, 0]
    answers.append(
        {
            "seconds": curve.index.tolist(),
            "share": curve.tolist(),
            "variance": [float(value) for value in fitted.variance_.to_numpy().ravel()],
        }
    )
json.dump(answers, sys.stdout)
