"""llmgwctl open: the gateway's dashboard in the browser, through the forward."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.gateway.destination import url_of
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

DESCRIPTION = """\
Open the gateway's dashboard in the browser, through the forward. The name of another forward opens
that one."""

EXAMPLES = (
    ("llmgwctl open", "the dashboard"),
    ("llmgwctl open --print", "print its address"),
    ("llmgwctl open /redoc", "another page of the gateway"),
    ("llmgwctl open dashboard", "the forward of that name"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "page", nargs="?", default="/ui/", help="path on the gateway (/ui/), or a forward's name"
    )
    parser.add_argument("--print", action="store_true", help="print the address instead")
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    status = Client(arguments.socket).status()
    page, name = arguments.page, arguments.forward
    if name is None and any(each["name"] == page for each in status["forwards"]):
        page, name = "/", page
    url = f"{url_of(choose_gateway(status, name))}/{page.lstrip('/')}"
    if arguments.print:
        print(url)
        return Exit.OK
    if _has_screen(os.environ) and webbrowser.open(url):
        print(f"opened {url}")
        return Exit.OK
    print(url)
    print("llmgwctl: there is no browser here; open the address yourself", file=sys.stderr)
    return Exit.NOT_SO


def _has_screen(environ: Mapping[str, str]) -> bool:
    """Recognise a desktop; on a plain terminal a text browser would take the terminal over."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(environ.get(name) for name in names)
