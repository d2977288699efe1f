"""The endpoint for Prometheus: on 127.0.0.1 only, off unless `metrics_port` is set. docs/metrics.md has the figures.

On a tweet's way nothing is counted for it that is not counted anyway: at each scrape a process reads its counters.
Without it the library is not even imported.
"""

import importlib.util
import logging
from typing import TYPE_CHECKING

from kafka_cluster.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

PORTS = {"producer": 0, "elasticsearch": 1, "hdfs": 2}
"""What is added to `metrics_port`: these processes share one `.env`."""


def wants_metrics(settings: Settings) -> bool:
    """True where `metrics_port` is set. Metrics never end the pipeline: a missing library is only a warning."""
    if not settings.metrics_port:
        return False
    if importlib.util.find_spec("prometheus_client") is None:
        log.warning("no metrics: run  python3 -m pip install -r requirements.txt  in the project's folder")
        return False
    return True


def serve(settings: Settings, role: str, registry: "CollectorRegistry") -> None:
    """Answer scrapes until the process ends, with what is in the registry and the process's own CPU and memory.

    A port that is taken is only a warning.
    """
    from prometheus_client import ProcessCollector, start_http_server

    ProcessCollector(registry=registry)
    port = settings.metrics_port + PORTS[role]
    try:
        start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        log.warning(
            "no metrics: 127.0.0.1:%d, of metrics_port %d + %d, can't be used (%s); a second process of a kind wants "
            "another metrics_port", port, settings.metrics_port, PORTS[role], error.strerror,
        )  # fmt: skip
    else:
        log.info("metrics: http://127.0.0.1:%d/metrics", port)
