"""OpenAI's Chat Completions API, streamed."""

import os

from sse import ProviderError, post
from turn import Call, Turn, arguments_of

URL = "https://api.openai.com/v1/chat/completions"


class Conversation:
    def __init__(self, model, system, tools):
        self.model = model
        self.tools = [{"type": "function", "function": t} for t in tools]
        self.messages = [{"role": "system", "content": system}]

    def say(self, text, on_text):
        self.messages.append({"role": "user", "content": text})
        return self.turn(on_text)

    def answer(self, results, on_text):
        for call, text, _failed in results:
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        return self.turn(on_text)

    def turn(self, on_text):
        headers = {"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
        body = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": self.tools,
            "messages": self.messages,
        }
        text = ""
        calls = {}
        usage = {}
        for event in post(URL, headers, body):
            if "error" in event:
                raise ProviderError(f"The model stopped: {event['error']}")
            if event.get("usage"):
                usage["input_tokens"] = event["usage"].get("prompt_tokens", 0)
                usage["output_tokens"] = event["usage"].get("completion_tokens", 0)
            for choice in event.get("choices", []):
                delta = choice.get("delta", {})
                if delta.get("content"):
                    text += delta["content"]
                    on_text(delta["content"])
                for part in delta.get("tool_calls") or []:
                    call = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
                    call["id"] += part.get("id") or ""
                    function = part.get("function") or {}
                    call["name"] += function.get("name") or ""
                    call["arguments"] += function.get("arguments") or ""
        return self.remember(text, [call for _, call in sorted(calls.items())], usage)

    def remember(self, text, calls, usage):
        if not text and not calls:
            raise ProviderError("The model said nothing")
        message = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
                for call in calls
            ]
        self.messages.append(message)
        uses = [Call(call["id"], call["name"], arguments_of(call["arguments"])) for call in calls]
        return Turn(text, uses, usage)
