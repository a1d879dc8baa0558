"""Ray: an actor in a worker process of its own, called as its documentation does; `ray.get` of a list of references.

Ray listens on every address of the machine, also when it is told one: run it by way of `bench.peers.loopback`.
"""

import os
import tempfile

import ray

from bench.peers.form import FEW, ONE_BY_ONE, Form, alone, arguments, report
from bench.peers.loops import of_rounds

_HERE = "127.0.0.1"


class Echo:
    """Answers with what it was given."""

    def echo(self, content: bytes) -> bytes:
        """Return the content."""
        return content


def main() -> None:
    """Start Ray without its dashboard and without reports to its makers, and measure an actor of it."""
    content, seconds = arguments()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address=_HERE,
        _temp_dir=tempfile.gettempdir(),
    )
    try:
        echo = ray.remote(Echo).remote()
        form = Form(
            ONE_BY_ONE,
            of_rounds(lambda count: ray.get([echo.echo.remote(content) for _ in range(count)]), content),
            FEW,
            lambda some_s: alone(lambda: ray.get(echo.echo.remote(content)), content, some_s),
            note="an actor; rounds of calls, then ray.get of all their references",
        )
        report(ray.__version__, 2, [form], seconds)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
