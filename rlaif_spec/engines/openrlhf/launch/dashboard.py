"""Ray's dashboard over HTTP: jobs, nodes and placement groups, with nothing but its address.

Ray's own client of the same interface (`JobSubmissionClient`) waits without a limit where a head hangs, goes
through a proxy even to this machine, and loads Ray into the runner. Hence these two requests of our own. They
follow https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html and the state API.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlaif_spec.engines.masking import masked
from rlaif_spec.errors import EngineError

TIMEOUT_SECONDS = 30.0
NODES = "/api/v0/nodes?detail=true&limit=10000"
PENDING = "/api/v0/placement_groups?detail=true&limit=10000"


@dataclass(frozen=True)
class Cluster:
    """Where a cluster's dashboard is, and what it wants to be shown."""

    address: str
    """Such as http://127.0.0.1:8265."""
    token: str = field(default="", repr=False)
    """Of a cluster with RAY_AUTH_MODE=token; empty: what RAY_AUTH_TOKEN says."""

    @property
    def secret(self) -> str:
        """The token in use; may be empty."""
        return self.token or os.environ.get("RAY_AUTH_TOKEN", "")


class Unreachable(EngineError):  # noqa: N818
    """Nobody answers at the dashboard's address."""


class Dashboard:
    """Requests to one cluster; `hidden` are secrets that must not stand in an error."""

    def __init__(self, cluster: Cluster, hidden: tuple[str, ...] = ()) -> None:
        self.cluster = cluster
        self._hidden = (*hidden, cluster.secret)
        # No proxy: the dashboard is on this machine or in this cluster, whatever the environment says.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path: str) -> Any:
        """The answer as parsed JSON; `Unreachable`, or EngineError where the dashboard refuses."""
        return self._request("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Like `get`, with a body."""
        return self._request("POST", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.cluster.secret:
            headers["Authorization"] = f"Bearer {self.cluster.secret}"
        url = f"{self.cluster.address.rstrip('/')}{path}"
        try:
            request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
            with self._open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = masked(error.read().decode("utf-8", errors="replace"), self._hidden)
            why = (text.strip().splitlines() or [error.reason])[-1][:200]
            raise EngineError(f"Ray at {self.cluster.address} refused {path} with status {error.code}: {why}") from None
        except (OSError, ValueError) as error:
            why = str(getattr(error, "reason", None) or error)
            raise Unreachable(f"Ray at {self.cluster.address} does not answer: {why}") from None


def cluster_gpus(cluster: Cluster) -> list[int]:
    """GPUs of each node that is alive, in the order of node ids."""
    nodes = Dashboard(cluster).get(NODES)["data"]["result"]["result"]
    alive = sorted((node for node in nodes if node["state"] == "ALIVE"), key=lambda node: str(node["node_id"]))
    return [int((node.get("resources_total") or {}).get("GPU", 0)) for node in alive]


def wait_for_gpus(cluster: Cluster, gpus: int, seconds: float = 600.0) -> list[int]:
    """`cluster_gpus` as soon as they are at least `gpus` together; EngineError if they are not within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        try:
            found, why = cluster_gpus(cluster), ""
        except Unreachable as error:
            found, why = [], f" ({error})"
        if sum(found) >= gpus and not why:
            return found
        if time.monotonic() > end:
            raise EngineError(f"{sum(found)} of {gpus} GPUs joined Ray within {seconds:.0f} seconds{why}")
        time.sleep(1.0)


def unmet_gpus(cluster: Cluster) -> str | None:
    """In words, what placement groups wait for; None if none waits."""
    groups = Dashboard(cluster).get(PENDING)["data"]["result"]["result"]
    waiting = [group for group in groups if group["state"] in ("PENDING", "RESCHEDULING")]
    if not waiting:
        return None
    asked = sum(
        _gpus(bundle) for group in waiting for bundle in group.get("bundles") or () if not bundle.get("node_id")
    )
    have = sum(cluster_gpus(cluster))
    return f"GPUs are short: processes of the job wait for {asked:g} more than are free; the cluster has {have}"


def _gpus(bundle: Mapping[str, Any]) -> float:
    return float((bundle.get("unit_resources") or {}).get("GPU", 0))
