"""Faults of objects: services, namespaces, secrets, and the gateway's settings."""

from __future__ import annotations

from typing import Any

from llmgwsim.faults.base import FaultCalls
from llmgwsim.gateway.settings import VirtualKey


class ObjectFaults(FaultCalls):
    def remove_service(self, name: str | None = None) -> None:
        options = self._cluster.options
        self._world.store.remove("services", options.namespace, name or options.service)

    def set_service(
        self,
        name: str | None = None,
        selector: dict[str, str] | None = None,
        port: int = 4000,
        target_port: int | str | None = "http",
        port_name: str = "http",
        headless: bool = False,
    ) -> None:
        """Make or change a service; without a selector it selects as the gateway's does.

        An empty selector object makes a service without one.
        """
        options = self._cluster.options
        entry = type(options.service_ports[0])(port, target_port, port_name)
        chosen = dict(options.template.labels) if selector is None else selector
        self._world.add_service(name or options.service, options.namespace, (entry,), chosen)
        if headless:
            item = self._world.store.get("services", options.namespace, name or options.service)
            assert item is not None
            spec = item["spec"] | {"clusterIP": "None"}
            self._world.store.put("services", item | {"spec": spec})

    def edit_service(
        self,
        name: str | None = None,
        selector: dict[str, str] | None = None,
        port: int | None = None,
        target_port: int | str | None = None,
    ) -> None:
        """Change what is named of a service, as `kubectl edit` does; its first port is meant."""
        options = self._cluster.options
        chosen = name or options.service
        item = self._world.store.get("services", options.namespace, chosen)
        if item is None:
            raise LookupError(f"no service {chosen}")
        first, *others = item["spec"]["ports"]
        edits = {"port": port, "targetPort": target_port}
        edited = first | {key: value for key, value in edits.items() if value is not None}
        spec: dict[str, Any] = {"ports": [edited, *others]}
        if selector is not None:
            spec["selector"] = selector
        self._world.change_service(chosen, options.namespace, spec)

    async def rename_port(self, name: str) -> None:
        """Roll the deployment to pods whose gateway port has another name."""
        workload = self._workload(None)
        old = workload.template.ports
        numbers = list(old.values())
        names = [name, *list(old)[1:]]
        ports = dict(zip(names, numbers, strict=True))
        workload.template = type(workload.template)(workload.template.labels, ports)
        await self._world.roll(workload)

    def remove_namespace(self, name: str | None = None) -> None:
        self._world.delete_namespace(name or self._cluster.options.namespace)

    def add_namespace(self, name: str) -> None:
        self._world.add_namespace(name)

    def set_secret(self, values: dict[str, str], name: str = "litellm-secrets") -> None:
        self._world.add_secret(name, self._cluster.options.namespace, values)

    def remove_secret(self, name: str = "litellm-secrets") -> None:
        self._world.store.remove("secrets", self._cluster.options.namespace, name)

    def rotate_master_key(self, key: str, name: str = "litellm-secrets") -> None:
        """Put another key into the Secret: pods that run go on with the one they started with."""
        for pod in self._world.pods.values():
            if pod.program is not None:
                pod.program.keep_master_key()
        self.set_secret({"LITELLM_MASTER_KEY": key}, name)
        self.set_gateway(master_key=key)

    def set_gateway(self, **settings: Any) -> None:
        """Change the gateway's settings (fields of `litellm.GatewaySettings`)."""
        for name, value in settings.items():
            if not hasattr(self._world.gateway, name):
                raise ValueError(f"the gateway has no setting {name}")
            kept = tuple(value) if isinstance(value, list) else value
            setattr(self._world.gateway, name, kept)

    def add_key(self, key: str, alias: str, **fields: Any) -> None:
        """Add a virtual key to the gateway (fields of `litellm.VirtualKey`)."""
        if isinstance(fields.get("models"), list):
            fields["models"] = tuple(fields["models"])
        self._world.gateway.keys[key] = VirtualKey(alias, **fields)
