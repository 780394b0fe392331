"""Anthropic's Messages API, streamed."""

import os

from sse import ProviderError, post
from turn import Call, Turn, arguments_of

URL = "https://api.anthropic.com/v1/messages"
TOKENS = 4096


class Conversation:
    def __init__(self, model, system, tools):
        self.model = model
        self.system = system
        self.tools = [
            {"name": t["name"], "description": t["description"], "input_schema": t["parameters"]} for t in tools
        ]
        self.messages = []

    def say(self, text, on_text):
        self.messages.append({"role": "user", "content": text})
        return self.turn(on_text)

    def answer(self, results, on_text):
        blocks = [
            {"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": failed}
            for call, text, failed in results
        ]
        self.messages.append({"role": "user", "content": blocks})
        return self.turn(on_text)

    def turn(self, on_text):
        headers = {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}
        body = {
            "model": self.model,
            "max_tokens": TOKENS,
            "stream": True,
            # Marked for the provider's prompt cache: it is the same in every turn.
            "system": [{"type": "text", "text": self.system, "cache_control": {"type": "ephemeral"}}],
            "tools": self.tools,
            "messages": self.messages,
        }
        blocks = {}
        usage = {}
        for event in post(URL, headers, body):
            kind = event.get("type")
            if kind == "error":
                raise ProviderError(f"The model stopped: {event.get('error')}")
            if kind == "message_start":
                usage["input_tokens"] = event["message"].get("usage", {}).get("input_tokens", 0)
            elif kind == "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            elif kind == "content_block_delta":
                delta = event["delta"]
                block = blocks[event["index"]]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                    on_text(delta["text"])
                elif delta["type"] == "input_json_delta":
                    block["json"] += delta["partial_json"]
            elif kind == "message_delta":
                usage["output_tokens"] = event.get("usage", {}).get("output_tokens", 0)
        return self.remember(blocks, usage)

    def remember(self, blocks, usage):
        turn = Turn(usage=usage)
        content = []
        for _, block in sorted(blocks.items()):
            if block["type"] == "text" and block["text"]:
                turn.text += block["text"]
                content.append({"type": "text", "text": block["text"]})
            elif block["type"] == "tool_use":
                arguments = arguments_of(block["json"])
                turn.calls.append(Call(block["id"], block["name"], arguments))
                content.append(
                    {"type": "tool_use", "id": block["id"], "name": block["name"], "input": arguments or {}}
                )
        if not content:
            raise ProviderError("The model said nothing")
        self.messages.append({"role": "assistant", "content": content})
        return turn
