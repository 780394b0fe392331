"""Google's Gemini API, streamed."""

import os

from sse import ProviderError, post
from turn import Call, Turn

URL = "https://generativelanguage.googleapis.com/v1beta/models/{}:streamGenerateContent?alt=sse"


class Conversation:
    def __init__(self, model, system, tools):
        self.url = URL.format(model)
        self.system = {"parts": [{"text": system}]}
        self.tools = [{"functionDeclarations": tools}]
        self.contents = []

    def say(self, text, on_text):
        self.contents.append({"role": "user", "parts": [{"text": text}]})
        return self.turn(on_text)

    def answer(self, results, on_text):
        parts = [
            {"functionResponse": {"name": call.name, "response": {"error" if failed else "output": text}}}
            for call, text, failed in results
        ]
        self.contents.append({"role": "user", "parts": parts})
        return self.turn(on_text)

    def turn(self, on_text):
        headers = {"x-goog-api-key": os.environ["GEMINI_API_KEY"]}
        body = {"systemInstruction": self.system, "tools": self.tools, "contents": self.contents}
        parts = []
        usage = {}
        for event in post(self.url, headers, body):
            if "error" in event:
                raise ProviderError(f"The model stopped: {event['error']}")
            counts = event.get("usageMetadata", {})
            usage["input_tokens"] = counts.get("promptTokenCount", usage.get("input_tokens", 0))
            usage["output_tokens"] = counts.get("candidatesTokenCount", usage.get("output_tokens", 0))
            for candidate in event.get("candidates", [])[:1]:
                for part in candidate.get("content", {}).get("parts", []):
                    # Kept as they came: a part may carry a signature that has to be sent back.
                    parts.append(part)
                    if part.get("text") and not part.get("thought"):
                        on_text(part["text"])
        return self.remember(parts, usage)

    def remember(self, parts, usage):
        if not parts:
            raise ProviderError("The model said nothing")
        self.contents.append({"role": "model", "parts": parts})
        turn = Turn(usage=usage)
        for number, part in enumerate(parts):
            if part.get("text") and not part.get("thought"):
                turn.text += part["text"]
            elif "functionCall" in part:
                call = part["functionCall"]
                turn.calls.append(Call(str(number), call.get("name", ""), call.get("args", {})))
        return turn
