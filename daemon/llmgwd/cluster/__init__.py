"""One cluster: its kubeconfig, requests to its API server, what a target leads to, upgrades, logs.

Imports `net`, `config`, `system` and `telemetry`, and keeps the Kubernetes library behind one
module; nothing here knows of forwards, routes or tunnels.
"""
