"""The faults, each with what must be shown of it: one table."""

from __future__ import annotations

from pod_faults import GATEWAY, NODE, PODS
from server_faults import LOGIN, NETWORK, SERVER
from target_faults import CONFIGURATION, TARGET

TABLE = (*NODE, *PODS, *GATEWAY, *TARGET, *CONFIGURATION, *NETWORK, *SERVER, *LOGIN)
