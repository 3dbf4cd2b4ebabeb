"""Accounts: every wrong setting is named before anything is sent, and the key never shows."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import pprint
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from masanalytics.account import Account, Secret, config_folder
from masanalytics.errors import ConfigError

GOOD: dict[str, Any] = {
    "url": "https://mas.example:28888",
    "ec_name": "某某公司",
    "ap_id": "demo0",
    "secret_key": "s3cret-key",
}


def account(**changes: Any) -> Account:
    return Account(**(GOOD | changes))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    """Only address, names and key are needed; the rest has the design's defaults."""
    made = Account("https://mas.example:28888", "某某公司", "demo0", "k")
    assert (made.sign, made.add_serial, made.service_code, made.tls, made.poll_interval) == (
        "",
        "",
        "",
        "first-use",
        5.0,
    )
    assert (made.signature, made.allow_only, made.name) == ("", None, "某某公司/demo0")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://mas.example:28888", "https://mas.example:28888"),
        ("https://mas.example:28888/", "https://mas.example:28888"),
        (" https://MAS.example:28888/sms/submit\n", "https://mas.example:28888"),
        ("https://mas.example/sms/tmpsubmit/", "https://mas.example"),
        ("https://mas.example/sms", "https://mas.example"),
        ("HTTP://112.35.1.155:1992/sms/norsubmit", "http://112.35.1.155:1992"),
        ("https://[2001:DB8::1]:28888", "https://[2001:db8::1]:28888"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    """An address is brought to its one form; an endpoint at its end is dropped."""
    assert account(url=url).url == expected


@pytest.mark.parametrize(
    ("url", "protocol", "spoken"),
    [
        ("https://mas.example:28888", "", "https"),
        ("http://112.35.1.155:1992", "", "http"),
        ("http://10.0.0.7:8080/sms/norsubmit", "", "http"),
        ("https://112.33.46.17:37892/sms/norsubmit", "", "http"),
        ("http://mas.example/sms/submit", "", "https"),
        ("http://mas.example/sms/tmpsubmit", "", "http"),
        ("http://127.0.0.1:8443", "", "https"),
        ("http://localhost:8443/sms/norsubmit", "", "http"),
        ("http://127.0.0.1:8443", "HTTP", "http"),
        ("http://10.0.0.7:8080", "https", "https"),
    ],
)
def test_the_flavour_is_said_or_told_by_the_address(url: str, protocol: str, spoken: str) -> None:
    """The account's word decides, then a path that one flavour alone has, then the scheme."""
    assert account(url=url, protocol=protocol).protocol == spoken


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": ""}, "url is empty: give it, or set MAS_URL. It has no default."),
        ({"url": "mas.example:28888"}, "is not an address: write https://HOST:PORT"),
        ({"url": "ftp://mas.example"}, "is not an address"),
        ({"url": "https://"}, "is not an address"),
        ({"url": "https://:28888"}, "is not an address"),
        ({"url": "https://****:****"}, "is not an address"),
        ({"url": "https://mas.example:99999"}, "is not an address"),
        ({"url": "https://mas example"}, "is not an address"),
        ({"url": "https://[::1"}, "is not an address"),
        ({"url": "https://mas.example/sms/submit?x=1"}, "is not an address"),
        ({"url": "https://mas.example/api"}, "goes on after the host"),
        ({"url": "https://user:pass@mas.example"}, "holds a user name or password"),
        ({"ec_name": " "}, "ec_name is empty: give it, or set MAS_EC_NAME"),
        ({"ap_id": ""}, "ap_id is empty"),
        ({"secret_key": ""}, "secret_key is empty"),
        ({"ap_id": 12345}, "ap_id must be text (put it in quotes), not int"),
        ({"ec_name": "某某\u200b公司"}, "ec_name holds an invisible character"),
        ({"secret_key": "s3cret\tkey"}, "secret_key holds an invisible character"),
        ({"sign": "【某某公司】"}, "sign is the signature's code"),
        ({"sign": "某某公司"}, "sign is the signature's code"),
        ({"sign": "[Shop]"}, "sign is the signature's code"),
        ({"add_serial": "01a"}, "add_serial (扩展码) must be text made of digits"),
        ({"add_serial": "０１"}, "add_serial (扩展码) must be text made of digits"),
        ({"service_code": "1065-01"}, "service_code holds something other than digits"),
        ({"service_code": "1" * 15, "add_serial": "123456"}, "21 digits together; at most 20"),
        ({"tls": "sha256:abcd"}, "64 hex digits, this one has 4"),
        ({"tls": "sha256:" + "g" * 64}, "64 hex digits"),
        ({"tls": "first_use"}, "tls='first_use' is neither"),
        ({"tls": "/no/such/ca.pem"}, "nor a CA file that exists"),
        ({"tls": ""}, "tls='' is neither"),
        ({"tls": False}, "tls must be text"),
        ({"poll_interval": -1}, "poll_interval must be a number of seconds"),
        ({"poll_interval": float("nan")}, "poll_interval must be"),
        ({"poll_interval": "5"}, "poll_interval must be"),
        ({"poll_interval": True}, "poll_interval must be"),
        ({"poll_interval": 4.9}, "poll_interval=4.9 is less than the 5 seconds"),
        ({"poll_interval": 0}, "a shorter one is for a simulator on this machine"),
        ({"protocol": "soap"}, "protocol='soap' is neither http nor https"),
        ({"protocol": "http", "url": "https://mas.example/sms/submit"}, "the path /sms/submit contradict each other"),
        ({"template_sign": "某某公司"}, "template_sign is the signature's code"),
        ({"url": "http://112.35.4.197:15000"}, "the platform's address for its SDK, which is not spoken here"),
        ({"url": "https://mas.ecloud.10086.cn/app/sdk/login"}, "for its SDK"),
        ({"url": "http://112.33.1.13/app/http/sendSms"}, "for its older HTTP interface (HTTP 1.0)"),
        ({"url": "http://mas.example:1999/smsservice?wsdl"}, "for its WebService interface"),
        ({"allow_only": ["13800138000", "1380013"]}, "allow_only holds '****0013'"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], words: str) -> None:
    """Each wrong setting is named with what to do, in both languages, without the key."""
    with pytest.raises(ConfigError) as caught:
        account(**changes)
    assert words in caught.value.text("en")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.text("zh"))
    for secret in ("s3cret", "pass@"):
        assert secret not in caught.value.text("en") + caught.value.text("zh")


def test_settings_in_their_one_form(tmp_path: Path) -> None:
    """White space goes, a fingerprint loses colons and case, a signature its brackets, numbers their trimmings."""
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    made = account(
        ap_id=" demo0 ",
        tls="SHA256:" + ":".join(["AB"] * 32),
        signature="【某某公司】",
        poll_interval=7,
        service_code="1" * 18,
        add_serial="01",
        allow_only=["+86 138-0013-8000", 13800138001, "13800138000"],
    )
    assert made.ap_id == "demo0"
    assert made.tls == "sha256:" + "ab" * 32
    assert made.signature == "某某公司"
    assert made.poll_interval == 7.0
    assert account(url="http://127.0.0.1:8080", poll_interval=0).poll_interval == 0.0
    assert made.allow_only == ("13800138000", "13800138001")
    assert account(tls=str(ca)).tls == str(ca)
    assert account(allow_only="13800138000").allow_only == ("13800138000",)


def test_who_may_be_reached() -> None:
    """Without a list everybody, with one nobody else, with an empty one nobody."""
    assert account().allows("13800138000")
    assert account(allow_only=["13800138000"]).allows("13800138000")
    assert not account(allow_only=["13800138000"]).allows("13800138001")
    assert not account(allow_only=[]).allows("13800138000")


def test_the_key_never_shows(caplog: pytest.LogCaptureFixture) -> None:
    """No way of printing, copying or logging an account shows its key."""
    one = account(allow_only=["13800138000"])
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").warning("%s %r %s", one, one, asdict(one))
    copies = [one, replace(one, sign="ABC"), copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    shown = [
        caplog.text,
        *map(repr, copies),
        *map(str, copies),
        *(f"{each} {each.secret_key} {each.secret_key:>12}" for each in copies),
        *(pprint.pformat(asdict(each)) for each in copies),
        *(repr(vars(each)) for each in copies),
        repr(one.secret_key),
    ]
    assert not [text for text in shown if "s3cret-key" in text]
    assert "13800138000" not in repr(one)
    assert all(each.secret_key == "s3cret-key" for each in copies)
    assert copies[3] == one
    assert hash(copies[2]) == hash(one)


def test_a_traceback_does_not_show_the_key() -> None:
    """The traceback of a wrong setting holds neither key nor what was wrong with a URL's password."""
    with pytest.raises(ConfigError) as caught:
        account(url="https://user:hunter2@mas.example")
    text = "".join(traceback.format_exception(caught.value))
    assert "s3cret-key" not in text
    assert "hunter2" not in caught.value.text()


@pytest.mark.parametrize(
    "show",
    [
        lambda one: pd.DataFrame([one]).to_string(),
        lambda one: pd.DataFrame([one]).to_html(),
        lambda one: pd.DataFrame([one]).to_csv(),
        lambda one: pd.DataFrame([one]).to_json(),
        lambda one: pd.DataFrame([asdict(one)]).astype(str).to_string(),
        lambda one: json.dumps(asdict(one), default=str),
        lambda one: json.dumps(asdict(one), default=vars_of),
        lambda one: str([str(value)[:3] for value in asdict(one).values()]),
        lambda one: repr(list(astuple(one))),
    ],
)
def test_no_frame_or_file_shows_the_key(show: Callable[[Account], str]) -> None:
    """What unfolds an account into rows, dicts and lines has no characters of the key to write."""
    assert "s3c" not in show(account())


def vars_of(value: object) -> dict[str, str]:
    """Return the attributes of an object, as tools write them that know nothing of it."""
    return {name: str(getattr(value, name)) for name in getattr(type(value), "__slots__", ())}


def test_a_secret_is_no_text() -> None:
    """A secret cannot be joined, cut, counted or encoded as a text."""
    secret: Any = Secret("a" + "b")
    for use in (lambda: "".join(["x", secret]), lambda: secret[:1], lambda: len(secret), lambda: list(secret)):
        with pytest.raises(TypeError):
            use()
    assert not isinstance(secret, str)
    assert secret == "ab" != Secret("ac")


def test_another_process_can_use_an_account_that_was_pickled() -> None:
    """A pickled account signs its requests in another process as in this one."""
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).secret_key.reveal())"
    run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(account()), capture_output=True, check=True)
    assert run.stdout.decode().strip() == "s3cret-key"


def test_no_frame_of_a_wrong_setting_holds_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A traceback that prints variables does not print the key, wherever the setting came from."""
    (tmp_path / ".env").write_text("MAS_SECRET_KEY=s3cret-key\nMAS_URL=https://x\n", encoding="utf-8")
    (tmp_path / "profiles.toml").write_text('[shop]\nsecret_key = "s3cret-key"\n', encoding="utf-8")
    monkeypatch.setenv("MAS_CONFIG_DIR", str(tmp_path))
    for read in (lambda: Account.from_env(tmp_path / ".env"), lambda: Account.from_profile("shop")):
        with pytest.raises(ConfigError) as caught:
            read()
        frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
        assert not [
            frame for frame in frames if "s3cret-key" in repr(frame.f_locals) and "test_" not in frame.f_code.co_name
        ]


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting has its variable."""
    for name, value in {
        "MAS_URL": "https://mas.example:28888/sms/submit",
        "MAS_EC_NAME": "某某公司",
        "MAS_AP_ID": "demo0",
        "MAS_SECRET_KEY": "s3cret-key",
        "MAS_SIGN": "DWItALe3A",
        "MAS_ADD_SERIAL": "01",
        "MAS_SERVICE_CODE": "1065012345",
        "MAS_TLS": "unverified",
        "MAS_SIGNATURE": "【某某】",
    }.items():
        monkeypatch.setenv(name, value)
    assert Account.from_env() == account(
        sign="DWItALe3A", add_serial="01", service_code="1065012345", tls="unverified", signature="某某"
    )


def test_from_env_names_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All missing variables come in one error, an empty one among them."""
    monkeypatch.setenv("MAS_AP_ID", "demo0")
    monkeypatch.setenv("MAS_SECRET_KEY", " ")
    with pytest.raises(ConfigError, match="not set: MAS_URL, MAS_EC_NAME, MAS_SECRET_KEY"):
        Account.from_env()


def test_from_a_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .env file in the working folder is read as it is; the real environment wins and stays untouched."""
    (tmp_path / ".env").write_bytes(
        "\ufeffMAS_URL=https://mas.example:28888\nMAS_EC_NAME='某某公司'\nMAS_AP_ID=other\n"
        'MAS_SECRET_KEY="p#a$s=${HOME}"\nMAS_SIGN=DWItALe3A\nUNKNOWN\n'.encode()
    )
    monkeypatch.setenv("MAS_AP_ID", "demo0")
    monkeypatch.setenv("MAS_SIGN", "")
    made = Account.from_env()
    assert made == account(secret_key="p#a$s=${HOME}")
    assert "MAS_SECRET_KEY" not in os.environ


def test_a_named_env_file(tmp_path: Path) -> None:
    """Another file can be named; one that is not there, or is no UTF-8, is an error that says so."""
    (tmp_path / "shop.env").write_text(
        "MAS_URL=https://mas.example:28888\nMAS_EC_NAME=某某公司\nMAS_AP_ID=demo0\nMAS_SECRET_KEY=s3cret-key\n", "utf-8"
    )
    assert Account.from_env(tmp_path / "shop.env") == account()
    with pytest.raises(ConfigError, match=r"no file .*none\.env"):
        Account.from_env(tmp_path / "none.env")
    (tmp_path / "gbk.env").write_bytes("MAS_EC_NAME=某某公司".encode("gb18030"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        Account.from_env(tmp_path / "gbk.env")


PROFILES = """
[shop]
url = "https://mas.example:28888"
ec_name = "某某公司"
ap_id = "demo0"
secret_key = "s3cret-key"
poll_interval = 6
allow_only = ["13800138000"]

[typo]
url = "https://mas.example:28888"
ec_name = "某某公司"
ap_id = "demo0"
secret_kye = "s3cret-key"

[short]
url = "https://mas.example:28888"
"""


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAS_CONFIG_DIR", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / "profiles.toml"
    path.write_text(PROFILES, "utf-8")
    return path


def test_from_profile(profiles: Path) -> None:
    """A profile is a table of an account's settings."""
    assert Account.from_profile("shop") == account(poll_interval=6, allow_only=["13800138000"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bank", "no profile 'bank' in .*profiles.toml; there are: shop, typo, short"),
        ("typo", "a setting 'secret_kye' that an account does not have. Did you mean secret_key?"),
        ("short", "profile 'short' lacks: ec_name, ap_id, secret_key"),
    ],
)
def test_wrong_profiles(profiles: Path, name: str, words: str) -> None:
    """An unknown profile names those that exist; an unknown setting the nearest; an incomplete one what is missing."""
    with pytest.raises(ConfigError, match=words) as caught:
        Account.from_profile(name)
    assert "s3cret" not in str(caught.value)


def test_profiles_that_cannot_be_read(profiles: Path) -> None:
    """A broken file is named with its line, not with its text; a missing one says what to make."""
    profiles.write_text("[shop]\nsecret_key = s3cret-key\n")
    with pytest.raises(ConfigError, match=r"profiles\.toml is not readable TOML: .*line 2") as caught:
        Account.from_profile("shop")
    assert "s3cret" not in str(caught.value)
    profiles.unlink()
    with pytest.raises(ConfigError, match="create it with one table for each account"):
        Account.from_profile("shop")


def test_config_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is MAS_CONFIG_DIR, else the system's own place."""
    monkeypatch.setenv("MAS_CONFIG_DIR", "/etc/mas")
    assert config_folder() == Path("/etc/mas")
    monkeypatch.delenv("MAS_CONFIG_DIR")
    if sys.platform != "win32":
        monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
        assert config_folder() == Path("/xdg/masanalytics")
        monkeypatch.delenv("XDG_CONFIG_HOME")
        monkeypatch.setenv("HOME", "/home/someone")
        assert config_folder() == Path("/home/someone/.config/masanalytics")


def test_importing_accounts_is_quick() -> None:
    """Reading an account loads neither requests nor pandas."""
    code = (
        "import sys, masanalytics.account, masanalytics.protocol, masanalytics.tls;"
        "print([name for name in ('requests', 'urllib3', 'pandas', 'numpy', 'dotenv') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
