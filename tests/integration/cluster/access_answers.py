"""What an access to a scripted cluster answers, and the error that it raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmgwd.cluster.access import open_access
from llmgwd.errors import LlmgwError

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def version_by(path: str) -> str:
    access = await open_access(path, None)
    try:
        return await access.version()
    finally:
        await access.close()


async def error_of(made: Awaitable[object]) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await made
    return caught.value


async def problem_by(path: str) -> LlmgwError:
    return await error_of(version_by(path))
