"""The differences from kubectl that stay, each with its reason; also in tests/README.md."""

from __future__ import annotations

from typing import Final

# By the name of the case. In most kubectl refuses what we take.
DIFFERENCES: Final[dict[str, str]] = {
    "authority is renewed": "OpenSSL takes an authority only if its number and key identifier are "
    "those that the certificate names, if it names any; the refusal says so",
    "authority is for any purpose": "OpenSSL wants serverAuth by name; the refusal says so",
    "proxy: without a scheme": "HOST:PORT is an http proxy everywhere else, HTTPS_PROXY included",
    "exec without a mode": "v1 without interactiveMode is IfAvailable, as in v1beta1: without a "
    "terminal each mode but Always does the same",
    "provider": "an id token that is no JWT is the API server's to judge",
    "text: JSON with slashes": r"\\/ is a slash in JSON; goyaml does not know it",
    "another user's mistake": "what the chosen context does not use stops no one",
}
