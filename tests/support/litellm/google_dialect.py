"""Cures a fault of LiteLLM 1.80: with an api_base, it gives Google's dialect a dict for a key.

Loaded as a callback. A later LiteLLM that answers without it removes it.
"""

from __future__ import annotations

from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.llms.gemini.google_genai.transformation import GoogleGenAIConfig

_validate = GoogleGenAIConfig.validate_environment


def _with_a_plain_key(self: Any, api_key: Any, *words: Any, **named: Any) -> dict[str, Any]:
    key = api_key["x-goog-api-key"] if isinstance(api_key, dict) else api_key
    return _validate(self, key, *words, **named)


GoogleGenAIConfig.validate_environment = _with_a_plain_key
loaded = CustomLogger()
