"""A POST whose answer is a stream of server-sent events."""

import json
import urllib.error
import urllib.request

EVENT_BYTES = 4 * 1024 * 1024
SECONDS = 120


class ProviderError(Exception):
    """The provider refused, or could not be reached."""


def post(url, headers, body):
    """Yields the JSON of each event as it arrives, until the stream ends or says `[DONE]`."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode("utf-8"),
        headers={"content-type": "application/json", "accept": "text/event-stream", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            yield from events_of(response)
    except urllib.error.HTTPError as error:
        detail = error.read(2048).decode("utf-8", "replace").strip()
        raise ProviderError(f"{url} answered {error.code}: {detail}") from None
    except OSError as error:
        raise ProviderError(f"{url} could not be reached: {error}") from None


def events_of(response):
    data = []
    size = 0
    # A line is bounded, and so is an event of many lines.
    while line := response.readline(EVENT_BYTES):
        line = line.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
            size += len(line)
            if size > EVENT_BYTES:
                raise ProviderError(f"An event is longer than {EVENT_BYTES} bytes")
        elif line == "" and data:
            text = "\n".join(data)
            data, size = [], 0
            if text == "[DONE]":
                return
            try:
                yield json.loads(text)
            except ValueError:
                raise ProviderError(f"An event is no JSON: {text[:200]!r}") from None
