"""The verbs, as data: what `llmgwctl help` lists, and where the code of each is.

A verb's module is imported only when that verb is called, so this file imports none of them.
"""

from __future__ import annotations


class Verb:
    """One word of the command line; its code is `llmgwctl.commands.<module>`.

    That module has `EXAMPLES` (at least one), `add_arguments(parser)` and `run(arguments)`, which
    returns an exit status; `DESCRIPTION`, where the summary is not enough.
    """

    def __init__(self, name: str, summary: str, group: str, module: str = "") -> None:
        self.name = name
        self.summary = summary
        self.group = group
        self.module = module

    @property
    def module_name(self) -> str:
        return f"llmgwctl.commands.{self.module or self.name}"


_LOOK = "Show the state"
_ACT = "Control the daemon"
_USE = "Use the gateway"
_SET_UP = "Set up"

# In the order in which help lists them.
VERBS = (
    Verb("status", "show the state of every forward, and remedies", _LOOK),
    Verb("events", "show what happened, and follow what happens", _LOOK),
    Verb("requests", "show the requests that passed, and what they add up to", _LOOK),
    Verb("wait", "wait until a forward is ready", _LOOK),
    Verb("health", "say whether every forward serves, for scripts and monitors", _LOOK),
    Verb("doctor", "check the whole way to the gateway, and name remedies", _LOOK),
    Verb("logs", "show the logs of the gateway's pods", _LOOK),
    Verb("start", "start a forward that was stopped", _ACT, "forwards"),
    Verb("stop", "stop a forward, cut its requests and give its port back", _ACT, "forwards"),
    Verb("restart", "connect a forward again; its port stays open", _ACT, "forwards"),
    Verb("reload", "read the configuration again", _ACT),
    Verb("config", "show, check or write the configuration", _ACT),
    Verb("key", "print the gateway's key", _USE),
    Verb("env", "print the variables that lead programs to the gateway", _USE),
    Verb("run", "run a program with those variables", _USE),
    Verb("models", "list the gateway's models", _USE),
    Verb("usage", "show spend and tokens", _USE),
    Verb("open", "open the gateway's web page", _USE),
    Verb("setup", "have a program's own configuration lead it to the gateway", _SET_UP),
    Verb("service", "install llmgwd as a service that runs from login on", _SET_UP),
    Verb("completion", "print the completions of a shell", _SET_UP),
    Verb("report", "collect what a bug report needs, without secrets", _SET_UP),
    Verb("version", "print the versions of both sides", _SET_UP),
    Verb("help", "explain a verb, or print the manual page", _SET_UP),
)
DEFAULT_VERB = "status"


def find(name: str) -> Verb | None:
    return next((verb for verb in VERBS if verb.name == name), None)
