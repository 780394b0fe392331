"""Reads a request, lets a model work on it with three tools, writes the answer.

In:  /workspace/input.json   {"request_id": "req-001", "content": "..."}
Out: /workspace/result.json  {"request_id", "status", "content" | "error", "completed_at", "turns", "usage"}
Signals are JSON lines on standard error; what the model says is streamed to standard output.
"""

import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import tools
from provider import Conversation
from sse import ProviderError

WORKSPACE = tools.WORKSPACE
TURNS = 20
INPUT_BYTES = 1024 * 1024

SYSTEM = (
    "You work alone in a disposable Linux machine. Your files are below /workspace. "
    "Use the tools, check what you did, and end with a short summary."
)


class RequestError(Exception):
    """The request cannot be worked on as it is."""


def main():
    signal("ready")
    request_id = None
    usage = {"input_tokens": 0, "output_tokens": 0}
    turns = 0
    try:
        request_id, content = read_request()
        signal("accepting", request_id=request_id)
        conversation = Conversation(os.environ["AGENT_MODEL"], SYSTEM, tools.SPECIFICATIONS)
        turn = conversation.say(content, stream_text)
        turns = 1
        add(usage, turn.usage)
        while turn.calls:
            if turns == TURNS:
                raise RequestError(f"The model still wanted tools after {TURNS} turns")
            results = [run(call) for call in turn.calls]
            turn = conversation.answer(results, stream_text)
            turns += 1
            add(usage, turn.usage)
        outcome = {"status": "completed", "content": turn.text}
    except (RequestError, ProviderError) as error:
        outcome = {"status": "failed", "error": str(error)}
    result = {
        "request_id": request_id,
        **outcome,
        "completed_at": now(),
        "turns": turns,
        "usage": usage,
    }
    (WORKSPACE / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    signal("completed", request_id=request_id, **({"error": outcome["error"]} if "error" in outcome else {}))
    return 0 if outcome["status"] == "completed" else 1


def read_request():
    path = WORKSPACE / "input.json"
    try:
        with open(path, "rb") as file:
            request = json.loads(file.read(INPUT_BYTES))
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("content"), str):
        raise RequestError(f"{path} has no text in content")
    return str(request.get("request_id", "")), request["content"]


def run(call):
    signal("tool", tool=call.name)
    text, failed = tools.use(call.name, call.arguments)
    return call, text, failed


def stream_text(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def add(total, more):
    for key in total:
        total[key] += more.get(key, 0)


def signal(name, **more):
    print(json.dumps({"signal": name, "observed_at": now(), **more}), file=sys.stderr, flush=True)


def now():
    return datetime.now(timezone.utc).isoformat()


if __name__ == "__main__":
    sys.exit(main())
