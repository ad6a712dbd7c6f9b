"""A real LiteLLM behind a simulated cluster, through a real daemon."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from llmgwctl import wire
from llmgwctl.api import transport
from llmgwctl.gateway.client import Gateway
from llmgwctl.rules.litellm_answers import Judgement, KeyVerdict, judge_key
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwd.config.model import Probe
from llmgwd.gateway.probe import probe
from llmgwsim.gateway.settings import GatewaySettings
from llmgwsim.options import Options
from llmgwsim.remote import RemoteCluster, cluster_in_thread
from support.fake_provider import WORDS, Provider, provider
from support.keyless_program import keyless_program, memory_of
from support.litellm_process import MASTER_KEY, LiteLlm, litellm_process, run_in_pods
from support.running_daemon import DEFAULT, RunningDaemon, running

pytestmark = pytest.mark.litellm

SAID = "".join(WORDS)


@dataclass(frozen=True)
class World:
    cluster: RemoteCluster
    daemon: RunningDaemon
    provider: Provider
    gateway: LiteLlm

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.daemon.port}"

    @property
    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.url, api_key=MASTER_KEY, max_retries=0)

    @property
    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=MASTER_KEY, max_retries=0)

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llmgwctl", *arguments, "--socket", self.daemon.socket]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One pod that runs a LiteLLM; its replacement, started too, runs another."""
    folder = tmp_path_factory.mktemp("litellm")
    options = Options(pods=0, gateway=GatewaySettings(master_key=MASTER_KEY))
    with (
        provider() as serving,
        litellm_process(folder, provider_port=serving.port) as first,
        litellm_process(folder, provider_port=serving.port) as second,
        cluster_in_thread(options) as cluster,
    ):
        first.wait()
        second.wait()
        run_in_pods(cluster, [first, second])
        cluster.faults.scale(replicas=1)
        with running(folder, cluster.kubeconfig) as daemon:
            until_healthy(daemon)
            yield World(cluster, daemon, serving, first)


def until_healthy(daemon: RunningDaemon) -> None:
    daemon.wait_until(lambda: daemon.forward()["gateway"]["healthy"], "healthy")


def question(text: str = "Say five words.") -> Any:
    return [{"role": "user", "content": text}]


def test_it_is_known_with_version_and_database_and_asked_for_nothing_that_costs(
    world: World,
) -> None:
    forward = world.daemon.forward()

    assert forward["state"] == "ready"
    assert forward["gateway"]["version"] == "1.80.0"
    assert forward["gateway"]["database"] == "not-connected"
    assert forward["conditions"] == []
    assert world.provider.asked == []


def test_its_models_are_listed(world: World) -> None:
    assert {model.id for model in world.openai.models.list()} == {"mock-gpt", "up-gpt", "up-claude"}


def test_messages_come_whole_and_in_a_stream(world: World) -> None:
    client = world.anthropic

    whole = client.messages.create(model="up-claude", max_tokens=64, messages=question())
    with client.messages.stream(model="up-claude", max_tokens=64, messages=question()) as stream:
        pieces = list(stream.text_stream)

    assert whole.content[0].text == SAID  # type: ignore[union-attr]
    assert "".join(pieces) == SAID
    assert len(pieces) > 1


def test_completions_come_whole_and_in_a_stream(world: World) -> None:
    client = world.openai

    whole = client.chat.completions.create(model="up-gpt", messages=question())
    chunks = client.chat.completions.create(model="up-gpt", messages=question(), stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]

    assert whole.choices[0].message.content == SAID
    assert "".join(pieces) == SAID


def test_an_unknown_model_is_the_gateways_own_error(world: World) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid model name passed in model=nope"):
        world.openai.chat.completions.create(model="nope", messages=question())
    with pytest.raises(anthropic.BadRequestError, match="Invalid model name passed in model=nope"):
        world.anthropic.messages.create(model="nope", max_tokens=9, messages=question())


def test_a_wrong_key_is_the_gateways_own_error(world: World) -> None:
    stranger = openai.OpenAI(base_url=f"{world.url}/v1", api_key="sk-wrong", max_retries=0)

    with pytest.raises(openai.BadRequestError, match="No connected db"):
        stranger.models.list()


@pytest.mark.parametrize(
    ("key", "verdict"), [(MASTER_KEY, KeyVerdict.ACCEPTED), ("sk-wrong", KeyVerdict.REJECTED)]
)
def test_a_key_is_judged_as_the_gateway_means_it(
    world: World, key: str, verdict: KeyVerdict
) -> None:
    assert judged(key, world.daemon.port).verdict is verdict


def judged(key: str, port: int) -> Judgement:
    answer = Gateway(f"http://127.0.0.1:{port}", key).get("/v1/models")
    return judge_key(answer.status, answer.body)


def test_the_key_of_the_clusters_secret_is_found_and_accepted(world: World) -> None:
    assert world.ctl("key").stdout == f"{MASTER_KEY}\n"
    checked = world.ctl("key", "--check")

    assert checked.returncode == 0, checked
    assert MASTER_KEY not in checked.stdout + checked.stderr


def test_the_verbs_understand_its_answers(world: World) -> None:
    models, near = world.ctl("models"), world.ctl("models", "--check", "upgpt")
    behind, spent = world.ctl("models", "--long"), world.ctl("usage")
    doctor = world.ctl("doctor", "--json", "--model", "up-claude")

    assert {"up-claude", "up-gpt"} <= set(models.stdout.split())
    assert near.returncode == 1
    assert "did you mean up-gpt" in near.stdout
    assert "anthropic/claude" in behind.stdout
    assert "the gateway has no database: it keeps no record of spend" in spent.stderr
    assert doctor.returncode == 0, doctor.stdout


def test_a_gateway_with_its_own_auth_is_alive_and_tells_no_more(tmp_path: Path) -> None:
    with litellm_process(tmp_path, "config-own-auth.yaml") as gateway:
        gateway.wait()

        async def asked() -> Any:
            return await probe(Probe(), lambda: asyncio.open_connection("127.0.0.1", gateway.port))

        result = asyncio.run(asked())
        assert (result.healthy, result.version, result.problem) == (True, None, None)
        assert not result.tells_readiness
        assert judged("sk-own", gateway.port).verdict is KeyVerdict.ACCEPTED
        stranger = judged("sk-a-stranger", gateway.port)
        assert stranger.verdict is KeyVerdict.UNKNOWN
        assert "sk-a-stranger" not in stranger.sentence


def test_it_is_reached_as_well_by_its_url(tmp_path: Path, world: World) -> None:
    url = f'url = "http://127.0.0.1:{world.gateway.port}"\n'
    with running(tmp_path, world.cluster.kubeconfig, DEFAULT + url) as daemon:
        until_healthy(daemon)
        here = f"http://127.0.0.1:{daemon.port}"
        client = openai.OpenAI(base_url=f"{here}/v1", api_key=MASTER_KEY, max_retries=0)
        chunks = client.chat.completions.create(model="up-gpt", messages=question(), stream=True)

        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == SAID
        # LiteLLM redirects to http://<its own Host>/ui/, which leads past the forward.
        with urllib.request.urlopen(f"{here}/ui") as dashboard:
            assert dashboard.url == f"{here}/ui/"


def injecting(way: str, key: Path, gateway: LiteLlm) -> str:
    """A configuration whose key comes from a file, for a route of this kind."""
    url = f'url = "http://127.0.0.1:{gateway.port}"\n' if way == "url" else ""
    return f'{DEFAULT}{url}\n[gateway]\nkey = {{ file = "{key}" }}\ninject = true\n'


@pytest.mark.parametrize("way", ["cluster", "url"])
def test_with_injection_the_sdks_need_the_placeholder_alone(
    tmp_path: Path, world: World, way: str
) -> None:
    key = tmp_path / "key"
    key.write_text("sk-of-yesterday\n")
    config = injecting(way, key, world.gateway)
    with running(tmp_path, world.cluster.kubeconfig, config) as daemon:
        until_healthy(daemon)
        assert status_with(daemon.port, *WRITTEN[0]) == 400
        key.write_text(f"{MASTER_KEY}\n")

        # The first is rejected, and goes again with the key that is read then.
        taken = [status_with(daemon.port, *field) for field in WRITTEN]
        odd = [status_with(daemon.port, *field) for field in TAKEN_AS_IT_IS]
        with keyless_program(daemon, "up-gpt", "up-claude") as program:
            variables = Path(f"/proc/{program.pid}/environ").read_bytes()
            memory = memory_of(program.pid)

        assert set(taken) == {200}
        assert 200 not in odd
        assert b"OPENAI_API_KEY=llmgw\0" in variables
        assert MASTER_KEY.encode() not in variables
        assert b"OPENAI_API_KEY" in memory
        assert MASTER_KEY.encode() not in memory


# A name and a value for each header in which LiteLLM reads a key, and each form that it takes.
WRITTEN = [
    ("Authorization", f"Bearer {PLACEHOLDER}"),
    ("authorization", f"bearer {PLACEHOLDER}"),
    ("AUTHORIZATION", f"Basic {PLACEHOLDER}"),
    ("x-litellm-api-key", PLACEHOLDER),
    ("X-LiteLLM-API-Key", f"Bearer {PLACEHOLDER}"),
    ("api-key", PLACEHOLDER),
    ("X-API-Key", PLACEHOLDER),
    ("x-goog-api-key", PLACEHOLDER),
    ("Ocp-Apim-Subscription-Key", PLACEHOLDER),
]
TAKEN_AS_IT_IS = [("Authorization", PLACEHOLDER), ("x-api-key", f"Bearer {PLACEHOLDER}")]


def status_with(port: int, name: str, value: str) -> int:
    """Ask the gateway what models there are, with this header alone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers={name: value})
        answer = connection.getresponse()
        assert MASTER_KEY.encode() not in answer.read()
        return answer.status


def test_a_pod_that_ends_in_mid_stream_says_all_its_words(world: World) -> None:
    asked = len(world.provider.asked)
    client = world.anthropic
    with client.messages.stream(
        model="up-claude", max_tokens=64, messages=question("Please hold.")
    ) as stream:
        texts = iter(stream.text_stream)
        pieces = [next(texts), next(texts)]
        world.provider.said_two.wait(30)
        (before,) = world.cluster.faults.pods()
        world.cluster.faults.delete_pod(pod=before["name"], graceful=True)
        world.daemon.wait_until(
            lambda: any(
                pod["ready"] and pod["name"] != before["name"]
                for pod in world.daemon.forward()["routes"][0]["pods"]
            ),
            "replaced",
        )
        meanwhile = world.openai.chat.completions.create(model="up-gpt", messages=question())
        world.provider.release()
        pieces += texts

    assert "".join(pieces) == SAID
    assert meanwhile.choices[0].message.content == SAID
    # One call each: nothing was asked twice.
    assert len(world.provider.asked) - asked == 2
    assert world.gateway.process.wait(30) is not None
    assert world.daemon.forward()["counters"]["cut"] == 0


def test_after_all_that_the_key_is_nowhere_to_be_read(world: World) -> None:
    shown = [world.daemon.log()]
    for arguments in (["status", "--json"], ["events", "--json"]):
        told = world.ctl(*arguments)
        assert told.returncode == 0, told
        shown.append(told.stdout)
    metrics = transport.request(world.daemon.socket, "GET", wire.ApiPath.METRICS, b"", 10)
    assert metrics.status == 200
    shown.append(metrics.body.decode())
    processes = ["ps", "axww", "-o", "args"]
    shown.append(subprocess.run(processes, capture_output=True, text=True, check=True).stdout)
    process = world.daemon.process
    assert process is not None
    environ = Path(f"/proc/{process.pid}/environ")
    if environ.exists():
        shown.append(environ.read_bytes().decode(errors="replace"))

    assert all(shown)
    assert not any(MASTER_KEY in text for text in shown)
