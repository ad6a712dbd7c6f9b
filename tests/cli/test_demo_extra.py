"""`llmgwd demo` where the extra `demo` is not installed."""

from __future__ import annotations

import subprocess
import sys

# A None in sys.modules makes an import fail as if the package were not there.
WITHOUT_CRYPTOGRAPHY = """
import sys
sys.modules["cryptography"] = None
from llmgwd.__main__ import main
sys.exit(main({arguments!r}))
"""


def llmgwd_without_cryptography(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = WITHOUT_CRYPTOGRAPHY.format(arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_demo_without_its_extra_says_which_command_installs_it():
    done = llmgwd_without_cryptography("demo", "--for", "1s")

    assert done.returncode == 69
    assert done.stdout == ""
    assert done.stderr == (
        "llmgwd: the demo needs the Python package cryptography, which the extra `demo` installs "
        "(from a clone: pip install '.[demo]'); pip install 'llmgw[demo]'\n"
    )


def test_nothing_else_of_the_daemon_needs_the_extra(tmp_path):
    done = llmgwd_without_cryptography("check", str(tmp_path / "none.toml"))

    assert done.returncode == 0, done.stderr
