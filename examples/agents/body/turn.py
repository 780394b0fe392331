"""What a model said in one turn, in the form that all providers share."""

import json
from dataclasses import dataclass, field


@dataclass
class Call:
    """One use of a tool; `arguments` is None where the model sent something that is no JSON."""

    id: str
    name: str
    arguments: object


@dataclass
class Turn:
    text: str = ""
    calls: list = field(default_factory=list)
    usage: dict = field(default_factory=dict)


def arguments_of(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None
