"""All routes of the control API, in the order of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwd.control import routes

if TYPE_CHECKING:
    from llmgwd.control.endpoint import Endpoint

TABLE: tuple[Endpoint, ...] = (*routes.ENDPOINTS,)
