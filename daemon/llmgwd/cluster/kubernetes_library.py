"""The only importer of kubernetes_asyncio, and of no more of it than we use.

Importing any part of it the plain way runs the `__init__` of its packages, which import every API
and model of Kubernetes: 960 modules and 38 MB for the four APIs that we call. So those `__init__`s
are put off (PEP 562) until a name is asked for that only they can give: a program that shares this
process finds the whole library all the same. Should a later version be laid out in another way,
the plain import is what is left, at its price.

Import this module late, in a thread: even the lean way takes some 50 ms and 8 MB.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import FunctionType, ModuleType
from typing import Any, Final

_ROOT: Final = "kubernetes_asyncio"
# Parents before children. `models` is needed only where typed models are read. We read none:
# building those of 200 pods blocks the loop for half a second.
_PUT_OFF: Final = (_ROOT, f"{_ROOT}.client", f"{_ROOT}.client.api", f"{_ROOT}.client.models")


class _PackagePutOff(ModuleType):
    """A package whose submodules can be imported, and whose `__init__` has not run yet."""

    def __getattr__(self, name: str) -> Any:
        # The import system and introspection look for these on any module.
        if name.startswith("__") and name not in ("__version__", "__all__"):
            raise AttributeError(name)
        full_name = f"{self.__name__}.{name}"
        if importlib.util.find_spec(full_name) is not None:
            return importlib.import_module(full_name)
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert self.__spec__ is not None
        assert self.__spec__.loader is not None
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _put_off(name: str) -> None:
    """Raises ImportError: there is no such package."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is not a package")
    package = _PackagePutOff(name)
    package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, name
    package.__path__ = spec.submodule_search_locations
    package.__file__ = spec.origin
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)


def _drop_docstrings(*apis: type) -> None:
    """Free the descriptions of 500 operations: 2.4 MB of text that no one reads in a daemon."""
    for api in apis:
        for operation in vars(api).values():
            if not isinstance(operation, FunctionType) or operation.__doc__ is None:
                continue
            code = operation.__code__
            # Where the compiler puts it; in another place it stays.
            if code.co_consts[0] is operation.__doc__:
                operation.__code__ = code.replace(co_consts=(None, *code.co_consts[1:]))
                operation.__doc__ = None


def _forget() -> None:
    """Take back what a lean import has begun, so that the plain one starts afresh."""
    for name in [name for name in sys.modules if name.partition(".")[0] == _ROOT]:
        del sys.modules[name]


is_lean = _ROOT not in sys.modules
try:
    if is_lean:
        for _name in _PUT_OFF:
            _put_off(_name)
    from kubernetes_asyncio.client.api.authentication_v1_api import AuthenticationV1Api
    from kubernetes_asyncio.client.api.authorization_v1_api import AuthorizationV1Api
    from kubernetes_asyncio.client.api.core_v1_api import CoreV1Api
    from kubernetes_asyncio.client.api.version_api import VersionApi
    from kubernetes_asyncio.client.api_client import ApiClient
    from kubernetes_asyncio.client.configuration import Configuration
    from kubernetes_asyncio.client.rest import RESTClientObject

    if is_lean:
        _drop_docstrings(CoreV1Api, AuthenticationV1Api, AuthorizationV1Api)
except (ImportError, AttributeError):
    if is_lean:
        _forget()
    is_lean = False
    from kubernetes_asyncio.client import (  # type: ignore[no-redef]
        ApiClient,
        AuthenticationV1Api,
        AuthorizationV1Api,
        Configuration,
        CoreV1Api,
        VersionApi,
        rest,
    )

    RESTClientObject = rest.RESTClientObject  # type: ignore[misc]


def apps_v1_api() -> Any:
    """Import the library's AppsV1Api, a class. Only targets that are workloads need its 0.9 MB."""
    if not is_lean:
        from kubernetes_asyncio.client import AppsV1Api

        return AppsV1Api
    from kubernetes_asyncio.client.api import apps_v1_api

    _drop_docstrings(apps_v1_api.AppsV1Api)
    return apps_v1_api.AppsV1Api


__all__ = [
    "ApiClient",
    "AuthenticationV1Api",
    "AuthorizationV1Api",
    "Configuration",
    "CoreV1Api",
    "RESTClientObject",
    "VersionApi",
    "apps_v1_api",
    "is_lean",
]
