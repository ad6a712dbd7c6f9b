"""schemathesis, which only these tests use: it is 2 s of each process that loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("schemathesis.pytest.plugin")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tell the tests of different operations apart, where pytest 9.2 does not.

    It takes a test's id from its parameters, of which those of schemathesis (4.32) have none.
    """
    operation = getattr(item, "operation_label", None)
    if operation is not None and "[" not in item.nodeid:
        item._id = item.id.with_params(operation)
