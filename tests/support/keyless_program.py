"""A program of both SDKs that is led to a gateway whose key it never has, and what it leaves.

As a script it asks for models of both, streamed and not, says so, and lives on.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anthropic
import openai

from support.called import command, environment

if TYPE_CHECKING:
    from support.running_daemon import RunningDaemon

ANSWERED = "answered\n"


@contextlib.contextmanager
def keyless_program(
    daemon: RunningDaemon, gpt: str, claude: str
) -> Iterator[subprocess.Popen[str]]:
    """Have `llmgwctl run` lead it there; it has used the gateway, and would leave a core."""
    folder = daemon.config_path.parent
    words = ("--", sys.executable, __file__, gpt, claude)
    environ = environment(folder, PYTHONPATH=str(Path(__file__).parent.parent))
    process = subprocess.Popen(
        command(daemon, "run", *words),
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == ANSWERED
        yield process
    finally:
        process.kill()
        process.wait()


def memory_of(pid: int) -> bytes:
    """Give all that a process can write to, where keys would lie."""
    pieces = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(begin)
                pieces.append(memory.read(end - begin))
            except OSError:
                continue
    return b"".join(pieces)


def _ask_both(gpt: str, claude: str) -> None:
    question = [{"role": "user", "content": "Hello"}]
    of_openai = openai.OpenAI(max_retries=0)
    assert of_openai.chat.completions.create(model=gpt, messages=question).choices
    assert list(of_openai.chat.completions.create(model=gpt, messages=question, stream=True))
    of_anthropic = anthropic.Anthropic(max_retries=0)
    asked = {"model": claude, "max_tokens": 64, "messages": question}
    assert of_anthropic.messages.create(**asked).content
    with of_anthropic.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream)


if __name__ == "__main__":
    _ask_both(*sys.argv[1:])
    print(ANSWERED, end="", flush=True)
    time.sleep(600)
