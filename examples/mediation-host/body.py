"""Takes work from the host until there is none. Messages are JSON, one per line."""

import json
import os
import socket
import sys
from datetime import datetime, timezone

AGENT_ID = socket.gethostname()
LINE_BYTES_MAX = 1024 * 1024


def now():
    return datetime.now(timezone.utc).isoformat()


def send(connection, message):
    connection.sendall(json.dumps(message).encode() + b"\n")


def signal(connection, name, **more):
    send(connection, {"signal": name, "agent_id": AGENT_ID, "observed_at": now(), **more})


def result(request, status, **more):
    return {
        "request_id": request["request_id"],
        "status": status,
        "completed_at": now(),
        "audit_ref": request["audit_ref"],
        **more,
    }


def work(request):
    """Counts the words of a text: put your own agent here."""
    if not request["principal"]["verified"]:
        return result(request, "denied", error="The principal is not verified")
    if request["content_kind"] != "text":
        return result(request, "failed", error="Only text is understood")
    words = request["content"].split()
    return result(request, "completed", content={"words": len(words), "longest": max(words, key=len, default="")})


def main():
    host, port = os.environ["MICROAGENT_MEDIATION_ADDR"].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as lines:
        signal(connection, "ready")
        while line := lines.readline(LINE_BYTES_MAX):
            request = json.loads(line)
            signal(connection, "accepting", request_id=request["request_id"])
            answer = work(request)
            send(connection, answer)
            print(f"{answer['request_id']}: {answer['status']}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
