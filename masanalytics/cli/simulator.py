"""``masanalytics simulator``."""

from __future__ import annotations

import time

import click

from masanalytics.i18n import choose


@click.command("simulator")
@click.option("--port", type=int, default=8443, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--http", is_flag=True, help="Plain HTTP instead of HTTPS.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same fates.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="How many times faster than real time runs.")
@click.option("--strict", is_flag=True, help="Refuse whatever deviates from the interface document.")
def command(port: int, host: str, *, http: bool, seed: int, speed: float, strict: bool) -> None:
    """Run a local platform that takes messages and hands out reports and replies, for any client in any language."""
    from masanalytics.simulator import serve

    with serve(host=host, port=port, https=not http, seed=seed, speed=speed, strict=strict) as simulator:
        click.echo(choose("Simulator running; stop it with Ctrl-C.", "模拟平台已启动，按 Ctrl-C 停止。"))
        for name, value in simulator.settings().items():
            click.echo(f"{name}={value}")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            click.echo()
