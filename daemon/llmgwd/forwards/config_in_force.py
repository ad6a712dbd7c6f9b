"""The configuration in force, read again on request and when its file changes.

A mistake changes nothing: what was in force stays, and the mistake is reported until it is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from llmgwctl.wire import ConditionKind, ConfigStatus, EventKind
from llmgwd.config import file as config_file
from llmgwd.errors import ConfigError, LlmgwError
from llmgwd.system.wakeup import Wakeup
from llmgwd.telemetry import wall_time

if TYPE_CHECKING:
    from llmgwd.config.model import Config
    from llmgwd.telemetry.event_journal import Journal

CORRECT_IT: Final = "Correct it: it is read again as soon as it changes."


class ConfigInForce:
    """`apply` puts a new configuration into force; `changed` is called when `problem` changed."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        apply: Callable[[Config], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self.current = config
        self.file_changed = Wakeup()
        self._journal = journal
        self._apply = apply
        self._changed = changed
        self._mistake: ConfigError | None = None
        self._loaded_at = wall_time.now()
        self._lock = anyio.Lock()

    async def reload(self) -> None:
        """Read the file again and apply it.

        Raises:
            ConfigError: it holds a mistake; nothing was changed.
        """
        async with self._lock:
            try:
                config = await anyio.to_thread.run_sync(config_file.read, self.current.path)
            except ConfigError as mistake:
                cause = ConditionKind.CONFIG_INVALID.value
                self._journal.record(
                    EventKind.CONFIG_REJECTED, mistake.message, cause=cause, remedy=CORRECT_IT
                )
                self._note(mistake)
                raise
            self._note(None)
            self.current = config
            self._loaded_at = wall_time.now()
            await self._apply(config)

    async def reload_quietly(self) -> None:
        """Reload for a signal or a changed file: a mistake shows in the status."""
        with suppress(ConfigError):
            await self.reload()

    def problem(self) -> LlmgwError | None:
        if self._mistake is None:
            return None
        return LlmgwError(
            ConditionKind.CONFIG_INVALID,
            self._mistake.message,
            CORRECT_IT,
        )

    def status(self) -> ConfigStatus:
        return {
            "path": self.current.path,
            "is_present": self.current.is_present,
            "loaded_at": self._loaded_at,
            "error": None if self._mistake is None else self._mistake.message,
        }

    def _note(self, mistake: ConfigError | None) -> None:
        self._mistake = mistake
        self._changed()
