import signal
import sys
import time

import click


@click.command()
@click.option("--once", is_flag=True, help="Do the work once, and end.")
def main(once):
    """Tidies up every hour."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        click.echo("tidied up")
        if once:
            return
        time.sleep(3600)
