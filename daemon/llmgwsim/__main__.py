"""`python -m llmgwsim`: the simulated cluster as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import sys
from pathlib import Path

from llmgwsim.cluster import SimulatedCluster
from llmgwsim.gateway.settings import GatewaySettings
from llmgwsim.options import Options


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    asked = _parser().parse_args(argv)
    _raise_descriptor_limit()
    with contextlib.suppress(KeyboardInterrupt):
        if asked.uvloop:
            _run_on_uvloop(asked)
        else:
            asyncio.run(_serve(asked))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llmgwsim", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the API server's port (0: a free one)")
    parser.add_argument("--control-port", type=int, default=0, help="the port of the fault calls")
    parser.add_argument("--rtt", type=_duration, default=0.0, metavar="40ms")
    parser.add_argument("--pods", type=int, default=2)
    parser.add_argument("--start", type=_duration, default=0.36, help="how long a pod starts")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig for the cluster here")
    parser.add_argument("--ready-file", type=Path, help="written, as JSON, when all is up")
    parser.add_argument("--announce-fd", type=int, help="the same JSON goes to this descriptor")
    parser.add_argument("--master-key", default=GatewaySettings.master_key)
    parser.add_argument("--database", action="store_true", help="the gateway has a database")
    parser.add_argument("--litellm-version", default=GatewaySettings.version)
    parser.add_argument("--no-uvloop", dest="uvloop", action="store_false")
    return parser


def _duration(text: str) -> float:
    """Seconds from `40ms`, `1.5s` or a bare number of seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 40ms or 1.5s")
    value = float(found[1])
    return value / 1000 if found[2] == "ms" else value


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run_on_uvloop(asked: argparse.Namespace) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(asked))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(asked))


async def _serve(asked: argparse.Namespace) -> None:
    gateway = GatewaySettings(
        master_key=asked.master_key,
        has_database=asked.database,
        version=asked.litellm_version,
    )
    options = Options(
        port=asked.port,
        control_port=asked.control_port,
        rtt_s=asked.rtt,
        pods=asked.pods,
        start_s=asked.start,
        gateway=gateway,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with SimulatedCluster(options) as cluster:
        if asked.kubeconfig:
            cluster.write_kubeconfig(asked.kubeconfig)
        _announce(cluster, asked)
        await stop.wait()


def _announce(cluster: SimulatedCluster, asked: argparse.Namespace) -> None:
    known = {
        "url": cluster.url,
        "control_url": cluster.control_url,
        "token": cluster.token,
        "authority": cluster.authority.pem.decode(),
        "kubeconfig": str(asked.kubeconfig) if asked.kubeconfig else None,
        "pid": os.getpid(),
    }
    text = json.dumps(known)
    if asked.ready_file:
        draft = asked.ready_file.with_name(f".{asked.ready_file.name}.new")
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(asked.ready_file)
    if asked.announce_fd is not None:
        with open(asked.announce_fd, "w", encoding="utf-8") as pipe:
            pipe.write(text + "\n")
    if not asked.ready_file and asked.announce_fd is None:
        print(f"API server {cluster.url}  faults {cluster.control_url}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
