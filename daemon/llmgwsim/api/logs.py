"""`pods/log`: lines of a container, followed or not."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from llmgwsim.api import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.net.request import Request
    from llmgwsim.world.pod import LogLine, Pod, PodLog


async def serve_logs(request: Request, pod: Pod) -> None:
    """Send the log as the query asks.

    Raises:
        Refusal: another container, or one that has not run.
    """
    log = _chosen_log(request, pod)
    is_wanted = _time_filter(request)
    stamped = request.flag("timestamps")
    lines, total = log.lines()
    lines = [line for line in lines if is_wanted(line)]
    tail = request.argument("tailLines")
    if tail:
        lines = lines[max(0, len(lines) - int(tail)) :]
    if not request.flag("follow"):
        request.respond(200, _render(lines, stamped), "text/plain")
        return
    request.start(200, {"content-type": "text/plain"})
    while True:
        if lines:
            await request.send(_render(lines, stamped))
        news = log.news
        lines, total = log.lines(after=total)
        if lines:
            continue
        if log.is_ended:
            break
        await news.wait()
    request.finish()


def _chosen_log(request: Request, pod: Pod) -> PodLog:
    name = pod.template.container
    container = request.argument("container", name)
    if container != name:
        raise answers.bad_request(f"container {container} is not valid for pod {pod.name}")
    if request.flag("previous"):
        if pod.previous_log is None:
            text = f'previous terminated container "{name}" in pod "{pod.name}" not found'
            raise answers.bad_request(text)
        return pod.previous_log
    if pod.phase == "Pending":
        text = f'container "{name}" in pod "{pod.name}" is waiting to start: {pod.waiting_reason}'
        raise answers.bad_request(text)
    return pod.log


def _time_filter(request: Request) -> Callable[[LogLine], bool]:
    since_s, since_time = request.argument("sinceSeconds"), request.argument("sinceTime")
    if since_s:
        first = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(since_s))
    elif since_time:
        first = datetime.datetime.fromisoformat(since_time)
    else:
        return lambda line: True
    return lambda line: line.time >= first


def _render(lines: list[LogLine], stamped: bool) -> bytes:
    texts = [_stamp(line) + line.text if stamped else line.text for line in lines]
    return "".join(text + "\n" for text in texts).encode()


def _stamp(line: LogLine) -> str:
    return line.time.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ")
