"""What looks like a secret, and how it is blanked out: the one rule of both sides.

Pure and strict: a word too many that is blanked out costs nothing, a key in a log costs a key.
Three things give a secret away: its form, the name that it stands behind, and that we know it.
Every repetition has a bound or begins at a rare word, because texts of others pass through here.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLANK = "[secret]"

# Of fewer bytes the base64 may be a word.
_LEAST_ENCODED = 6

_BASE64 = r"[A-Za-z0-9+/]"
# A remedy says where a value goes: printf's %s, a shell's variable or command, <a word>, [secret].
_IS_VALUE = r"(?!(?:bearer\s|basic\s)?(?:%s|\$[({A-Z_]|[<{\[]))"
# By which providers and clouds make their keys known.
_PREFIXES = (
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xapp-", "hf_", "gsk_"),
    *("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "pplx-", "xai-", "nvapi-", "r8_"),
    *("tgp_v1_", "dop_v1_", "npm_", "pypi-", "AIza", "ya29.", "hvs.", "hvb.", "hvr.", "tskey-"),
    *("k8s-aws-v1.", "sha256~", "AGE-SECRET-KEY-", "sk_live_", "sk_test_", "rk_live_", "rk_test_"),
)
# Base64 of sk-, of a JSON web token and of PEM, as a Secret or a kubeconfig holds them.
_ENCODED = ("c2st", "ZXlK", "LS0tLS1CRUdJ")
_FORMS = re.compile(
    rf"(?i:\bbearer\s+){_IS_VALUE}[^\s\"',;\\]+"
    # Whole groups of four: "basic constraints" is a word of certificates.
    rf"|\b[Bb]asic\s+(?:{_BASE64}{{4}}){{2,}}(?:{_BASE64}{{2}}==|{_BASE64}{{3}}=)?(?![\w+/=])"
    # LiteLLM's keys. It also abbreviates them as sk-...abcd. Three characters or fewer are no key:
    # its sentences name the prefix itself, and "sk-1" is a word in many of them.
    r"|\bsk(?:-|%2[dD])[A-Za-z0-9_.-]{4,}"
    # LiteLLM names a key by its SHA-256 too, and that finds the key's spend.
    r"|(?i:\bkey hash)[^=\n]{0,12}=\s*[0-9a-f.]+"
    # A JSON web token, its first part alone, too.
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"
    rf"|\b(?:{'|'.join(_ENCODED)})[\w+/-]{{8,}}={{0,2}}"
    rf"|\b(?:{'|'.join(map(re.escape, _PREFIXES))})[\w.~+/=-]{{6,}}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\b(?:kubeconfig-[a-z0-9-]{1,40}|token-[a-z0-9]{1,10}):[a-z0-9]{20,}"  # Rancher's
    # User and password of a URL. Who writes one may forget to escape what is in it.
    r"|(?<=://)(?!USER:PASSWORD@)(?:[^\s/?#\"'\\]{0,256}"
    r"|[^\s:@/\"'\\]{0,128}:(?!\d{1,5}[/?#])[^\s\"'\\]{0,256})(?=@)"
    # The same without a scheme; not an image's tag before its digest.
    r"|(?<![\w/.%+-])[\w.%+-]{1,64}:[^\s:/@\"'\\,]{1,256}(?=@(?!sha256:)\w)"
    r"|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))"
)
_KUBEADM_TOKEN = re.compile(r"\b[a-z0-9]{6}\.(?=[a-z]{0,15}\d)[a-z0-9]{16}\b")
# Without one of these words, in lower case, a text has none of the forms: most lines of a log pass
# by this look alone, which takes a twentieth of the time.
_SIGNS_OF_FORM = (
    *("bearer", "basic", "sk-", "sk%2d", "hash", "eyj", "akia", "asia", "kubeconfig-", "token-"),
    *("@", "-----begin", *(each.lower() for each in (*_ENCODED, *_PREFIXES))),
)

# "secret" and "key" alone are Kubernetes' and our own words for where one lies.
_NAME = (
    r"(?:token|passwd|password|passphrase|credential"
    r"|(?:client|app|shared|consumer|webhook)[_-]?secret|secret[_-]?(?:value|string)"
    r"|(?:access|account|api|auth|encryption|license|master|private|proxy|secret|session|signing"
    r"|subscription|virtual)[_-]?key(?:[_-]?data)?)"
)
_QUOTE = r"\\{0,3}[\"']"
_UNQUOTED = r"[^\s\"'\\,;&<>(){}\[\]]+"
_NAMED = re.compile(
    "(?i)("
    # A header: all of its value.
    rf"\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{{0,32}}(?:key|token|secret|auth)"
    rf"|api-key)(?:{_QUOTE})?\s*[:=]\s*(?:{_QUOTE})?){_IS_VALUE}[^\s\"'\\][^\"'\\\n]*"
    # A variable or a field, quoted or not.
    rf"|({_NAME}(?:{_QUOTE})?\s*[:=]\s*{_QUOTE}){_IS_VALUE}(?:[^\"'\\\n]|\\[^\"'\n])+"
    rf"|({_NAME}=){_IS_VALUE}{_UNQUOTED}"
    # After a colon a sentence may go on: "token: expired". A digit makes it none.
    rf"|({_NAME}:\s?)(?=[^\s\d]{{0,256}}\d){_UNQUOTED}"
    rf"|((?<![\w-])--(?:key|[a-z-]{{0,32}}(?:{_NAME}|secret))[ =]){_IS_VALUE}{_UNQUOTED}"
    # What a URL asks with.
    rf"|([?&#](?:[\w.-]{{0,32}}{_NAME}|key|sig|[\w-]{{0,16}}signature|code|assertion|jwt|sid)=)"
    rf"{_UNQUOTED}"
)
_SIGNS_OF_NAME = (
    *("key", "token", "secret", "pass", "credential", "cookie", "auth", "sig", "code"),
    *("assertion", "jwt", "sid"),
)


def blank_out(text: str, known: Iterable[str] = ()) -> str:
    """Replace the known secrets, and what looks like one."""
    for value in known:
        if value and value in text:
            text = text.replace(value, BLANK)
    small = text.lower()
    # Names first: what stands behind one goes as a whole, of whatever form its beginning is.
    if any(sign in small for sign in _SIGNS_OF_NAME):
        text = _NAMED.sub(_behind_name, text)
    if any(sign in small for sign in _SIGNS_OF_FORM):
        text = _FORMS.sub(BLANK, text)
    return _KUBEADM_TOKEN.sub(BLANK, text)


def _behind_name(match: re.Match[str]) -> str:
    return f"{match[match.lastindex or 0]}{BLANK}"


def written_forms(value: str) -> Iterator[str]:
    """Give a secret as it may stand in a text: plain, within JSON, in a URL, within base64."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    raw = value.encode("utf-8", "surrogatepass")
    # Wherever in an encoded text it begins, these groups of three are whole.
    for start in range(3):
        whole = raw[start : start + (len(raw) - start) // 3 * 3]
        if len(whole) >= _LEAST_ENCODED:
            yield base64.b64encode(whole).decode()
