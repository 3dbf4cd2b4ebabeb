"""Send, collect and analyse SMS campaigns over China Mobile Cloud MAS (云MAS).

``import masanalytics as mas``, then: ``mas.plan`` → ``mas.send`` → ``mas.Collector`` → ``mas.delivery_rates`` →
``mas.plot``. Every name is loaded when it is first used, so that the import itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from masanalytics._version import __version__

if TYPE_CHECKING:
    from masanalytics import plot as plot
    from masanalytics._outcomes import outcomes as outcomes
    from masanalytics.account import Account as Account
    from masanalytics.analysis import HealthRule as HealthRule
    from masanalytics.analysis import compare as compare
    from masanalytics.analysis import costs as costs
    from masanalytics.analysis import delivery_rates as delivery_rates
    from masanalytics.analysis import error_codes as error_codes
    from masanalytics.analysis import explain_change as explain_change
    from masanalytics.analysis import latency as latency
    from masanalytics.analysis import notes_of as notes_of
    from masanalytics.analysis import number_health as number_health
    from masanalytics.analysis import replies as replies
    from masanalytics.analysis import timeline as timeline
    from masanalytics.client import Client as Client
    from masanalytics.codes import code_catalogue as code_catalogue
    from masanalytics.codes import describe_code as describe_code
    from masanalytics.collecting import Collector as Collector
    from masanalytics.collecting import replay as replay
    from masanalytics.errors import AnswerError as AnswerError
    from masanalytics.errors import CertificateError as CertificateError
    from masanalytics.errors import ConfigError as ConfigError
    from masanalytics.errors import InputError as InputError
    from masanalytics.errors import MasError as MasError
    from masanalytics.errors import MissingExtraError as MissingExtraError
    from masanalytics.errors import NetworkError as NetworkError
    from masanalytics.errors import RefusedError as RefusedError
    from masanalytics.errors import StoreError as StoreError
    from masanalytics.planning import Plan as Plan
    from masanalytics.planning import plan as plan
    from masanalytics.planning import split as split
    from masanalytics.report import watch as watch
    from masanalytics.report import write_report as write_report
    from masanalytics.sending import Canary as Canary
    from masanalytics.sending import SendResult as SendResult
    from masanalytics.sending import send as send
    from masanalytics.sending import settle as settle
    from masanalytics.sheets import read_sheet as read_sheet
    from masanalytics.sheets import write_sheet as write_sheet
    from masanalytics.simulator import Simulator as Simulator
    from masanalytics.store import Store as Store

_HOMES = {
    "Account": "account",
    "AnswerError": "errors",
    "Canary": "sending",
    "CertificateError": "errors",
    "Client": "client",
    "Collector": "collecting",
    "ConfigError": "errors",
    "HealthRule": "analysis",
    "InputError": "errors",
    "MasError": "errors",
    "MissingExtraError": "errors",
    "NetworkError": "errors",
    "Plan": "planning",
    "RefusedError": "errors",
    "SendResult": "sending",
    "Simulator": "simulator",
    "Store": "store",
    "StoreError": "errors",
    "code_catalogue": "codes",
    "compare": "analysis",
    "costs": "analysis",
    "delivery_rates": "analysis",
    "describe_code": "codes",
    "error_codes": "analysis",
    "explain_change": "analysis",
    "latency": "analysis",
    "notes_of": "analysis",
    "number_health": "analysis",
    "outcomes": "_outcomes",
    "plan": "planning",
    "read_sheet": "sheets",
    "replay": "collecting",
    "replies": "analysis",
    "send": "sending",
    "settle": "sending",
    "split": "planning",
    "timeline": "analysis",
    "watch": "report",
    "write_sheet": "sheets",
    "write_report": "report",
}
_MODULES = ("plot",)

__all__ = ["__version__", *_MODULES, *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"masanalytics.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"masanalytics.{name}")
    raise AttributeError(f"module 'masanalytics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(key for key in globals() if key.startswith("__"))])
