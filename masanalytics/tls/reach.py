"""Why a platform was not reached, in words: every fault that comes before anything was sent."""

from __future__ import annotations

from typing import Literal

from masanalytics.errors import CertificateError, NetworkError

__all__ = ["Reach", "unreachable"]

Reach = Literal[
    "name", "refused", "unreachable", "timeout", "closed", "not_tls", "tls", "verify", "host", "expired", "proxy"
]
"""What stood in the way."""

_EN = {
    "name": "the host name {where} is not known: check MAS_URL and the network.",
    "refused": "{where} refused the connection: check host and port in MAS_URL.",
    "unreachable": "{where} cannot be reached ({detail}): check the network, and whether this machine may reach it.",
    "timeout": "{where} did not answer in time: check MAS_URL, the network, and whether a firewall is in between.",
    "closed": "{where} closed the connection before anything was sent: check host and port in MAS_URL.",
    "not_tls": "{where} does not speak TLS: check the port in MAS_URL, or write http:// if the platform says so.",
    "tls": "{where} and this machine agree on no way to speak TLS ({detail}): try Client(..., legacy_tls=True).",
    "verify": "the certificate of {where} is vouched for by no authority given in tls= ({detail}): "
    "use tls='first-use', or the platform's CA file. Nothing was sent.",
    "host": "the certificate of {where} is made out to another host name ({detail}): write the name it is made out to in "
    "MAS_URL, or use tls='first-use'. Nothing was sent.",
    "expired": "the certificate of {where} is not valid now ({detail}): check this machine's clock, ask the platform for a "
    "new one, or use tls='first-use'. Nothing was sent.",
    "proxy": "the proxy did not let the connection through ({detail}): check proxies=.",
}
_ZH = {
    "name": "找不到主机 {where}：请检查 MAS_URL 和网络。",
    "refused": "{where} 拒绝连接：请检查 MAS_URL 中的主机和端口。",
    "unreachable": "无法到达 {where}（{detail}）：请检查网络，以及本机是否有访问权限。",
    "timeout": "{where} 未在时限内应答：请检查 MAS_URL、网络以及防火墙。",
    "closed": "{where} 在发送任何内容之前关闭了连接：请检查 MAS_URL 中的主机和端口。",
    "not_tls": "{where} 不支持 TLS：请检查 MAS_URL 的端口；若平台要求，请改用 http://。",
    "tls": "{where} 与本机无法协商 TLS（{detail}）：可尝试 Client(..., legacy_tls=True)。",
    "verify": "tls= 指定的机构不认可 {where} 的证书（{detail}）：请使用 tls='first-use' 或平台的 CA 文件。未发送任何内容。",
    "host": "{where} 的证书是签发给其他主机名的（{detail}）：请在 MAS_URL 中写证书上的主机名，或使用 tls='first-use'。未发送任何内容。",
    "expired": "{where} 的证书目前不在有效期内（{detail}）：请检查本机时间，向平台索取新证书，或使用 tls='first-use'。未发送任何内容。",
    "proxy": "代理未能建立连接（{detail}）：请检查 proxies=。",
}
_CERTIFICATE = ("verify", "host", "expired")
_LASTING = ("not_tls", "tls", *_CERTIFICATE)


def unreachable(reach: Reach, where: str, detail: str = "") -> NetworkError:
    """Return the error for a platform that was not reached; trying again helps unless TLS stands in the way.

    It is a `CertificateError` where the certificate is what is wrong.

    Examples
    --------
    >>> print(unreachable("refused", "mas.example:28888").text("en"))
    mas.example:28888 refused the connection: check host and port in MAS_URL.
    """
    why = detail or reach
    kind = CertificateError if reach in _CERTIFICATE else NetworkError
    return kind(
        _EN[reach].format(where=where, detail=why),
        zh=_ZH[reach].format(where=where, detail=why),
        retryable=reach not in _LASTING,
        sent=False,
    )
