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
    "proxy: socks5h": "as HTTPS_PROXY takes it; here socks5 has the proxy look names up as well",
    "provider": "an id token that is no JWT is the API server's to judge",
    "text: JSON with slashes": r"\\/ is a slash in JSON; goyaml does not know it",
    "text: JSON with pairs of surrogates": "JSON writes a letter beyond 16 bits so",
    "text: a directive of YAML 1.2": "the file reads the same in either version",
    "another user's mistake": "what the chosen context does not use stops no one",
}
