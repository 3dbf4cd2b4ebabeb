"""Who sends, and where to: one Cloud MAS interface account and the settings around it.

An `Account` is checked when it is made, so that a wrong setting is named before anything is sent, and it never shows its
secret key. Nothing here touches the network.
"""

from __future__ import annotations

from masanalytics.account.account import Account
from masanalytics.account.account_key import AccountKey
from masanalytics.account.budget import Budget, Period
from masanalytics.account.config import config_folder, state_folder
from masanalytics.account.frequency_cap import FrequencyCap
from masanalytics.account.validation import MAX_SERVICE_NUMBER, check_add_serial
from masanalytics.secret import Secret

__all__ = [
    "MAX_SERVICE_NUMBER",
    "Account",
    "AccountKey",
    "Budget",
    "FrequencyCap",
    "Period",
    "Secret",
    "check_add_serial",
    "config_folder",
    "state_folder",
]
