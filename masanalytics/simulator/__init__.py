"""A local Cloud MAS platform that does what the interface document says, keeps count, and misbehaves on request.

``with Simulator() as sim:`` is all that is needed. Modules, from the rules to the socket: `settings` (accounts, rules,
how answers look), `wire` and `request_checks` (is this request right?), `behaviour`, `population`, `failure_codes` and
`random_keys` (what becomes of messages), `report_rows` and `queues` (what polls hand out, once), `audit_log` (the platform
keeps count), `platform` (all of it together), `push` (HTTP accounts), `faults` (what goes wrong), `certificate` and `http_server` (HTTP and HTTPS),
`simulator` (the `Simulator`).

Nothing here imports the toolkit's own ``protocol``: a mistake there must not hide here too.
"""

from masanalytics.simulator._serve import asked_accounts, asked_fault, closing_lines, serve
from masanalytics.simulator.audit_log import Deviation, HandedOut, Message, Request
from masanalytics.simulator.behaviour import Behaviour, Draw, Fates, Reply, Scripted
from masanalytics.simulator.faults import KINDS, Fault
from masanalytics.simulator.population import Incident, Population
from masanalytics.simulator.push import Push
from masanalytics.simulator.settings import DEFAULT_ACCOUNT, PlatformAccount, Rules, Style
from masanalytics.simulator.simulator import Simulator

__all__ = [
    "DEFAULT_ACCOUNT",
    "KINDS",
    "Behaviour",
    "Deviation",
    "Draw",
    "Fates",
    "Fault",
    "HandedOut",
    "Incident",
    "Message",
    "PlatformAccount",
    "Population",
    "Push",
    "Reply",
    "Request",
    "Rules",
    "Scripted",
    "Simulator",
    "Style",
    "asked_accounts",
    "asked_fault",
    "closing_lines",
    "serve",
]
