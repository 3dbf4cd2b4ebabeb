"""``masanalytics fingerprint``."""

from __future__ import annotations

import click

from masanalytics.i18n import choose


@click.command("fingerprint")
@click.argument("address", metavar="HOST:PORT")
@click.option("--accept", is_flag=True, help="Remember this certificate, replacing the one remembered before.")
@click.option("--legacy-tls", is_flag=True, help="For platforms that only speak old TLS.")
def command(address: str, *, accept: bool, legacy_tls: bool) -> None:
    """Show the SHA-256 fingerprint of a platform's certificate, to compare with what the operator tells you."""
    from masanalytics.client import known_hosts_path
    from masanalytics.tls import KnownHosts, fetch_fingerprint, split_address

    host, port = split_address(address)
    found = fetch_fingerprint(host, port, legacy=legacy_tls)
    click.echo(found)
    if accept:
        KnownHosts(known_hosts_path()).remember(host, port, found, replace=True)
        click.echo(choose(f"Remembered for {host}:{port}.", f"已记住 {host}:{port} 的证书。"))
