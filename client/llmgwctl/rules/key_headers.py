"""The headers in which LiteLLM looks for a key; the first one that is there counts."""

KEY_HEADER = "x-litellm-api-key"
KEY_HEADERS = (
    KEY_HEADER,
    "authorization",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
)
