"""The three tools a model may use: a shell, and files below the workspace."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

WORKSPACE = Path("/workspace")
SHELL_SECONDS = 30
OUTPUT_BYTES = 64 * 1024
FILE_BYTES = 1024 * 1024

# Names are JSON Schema, which all three providers take in one form or another.
SPECIFICATIONS = [
    {
        "name": "bash",
        "description": "Run a shell command in the workspace. Standard output and error come back together.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string", "description": "The command line"}},
            "required": ["command"],
        },
    },
    {
        "name": "read_file",
        "description": "Read a text file of the workspace.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "Path below the workspace"}},
            "required": ["path"],
        },
    },
    {
        "name": "write_file",
        "description": "Write a text file of the workspace, replacing what was there.",
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Path below the workspace"},
                "content": {"type": "string", "description": "The whole new content"},
            },
            "required": ["path", "content"],
        },
    },
]


class ToolError(Exception):
    """Told to the model, which may try something else."""


def use(name, arguments):
    """Runs one tool and returns (text for the model, whether it failed)."""
    try:
        if not isinstance(arguments, dict):
            raise ToolError("The arguments are not an object")
        if name == "bash":
            return bash(text_of(arguments, "command")), False
        if name == "read_file":
            return read_file(text_of(arguments, "path")), False
        if name == "write_file":
            return write_file(text_of(arguments, "path"), text_of(arguments, "content")), False
        raise ToolError(f"There is no tool {name!r}")
    except (ToolError, OSError, UnicodeError) as error:
        return f"error: {error}", True


def text_of(arguments, key):
    value = arguments.get(key)
    if not isinstance(value, str):
        raise ToolError(f"{key!r} is missing or not a text")
    return value


def bash(command):
    # Output goes to a file: a child that outlives the shell cannot hold us by a pipe.
    with tempfile.TemporaryFile() as output:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=WORKSPACE,
            env=harmless_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = f"exit code {shell.wait(timeout=SHELL_SECONDS)}"
        except subprocess.TimeoutExpired:
            status = f"stopped after {SHELL_SECONDS} s"
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            shell.wait()
        output.seek(0)
        text = output.read(OUTPUT_BYTES).decode("utf-8", "replace")
    return f"{status}\n{text}"


def harmless_environment():
    """Without what looks like a credential, even a placeholder for one."""
    words = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
    return {k: v for k, v in os.environ.items() if not any(word in k.upper() for word in words)}


def read_file(path):
    with open(confined(path), "rb") as file:
        return file.read(FILE_BYTES).decode("utf-8", "replace")


def write_file(path, content):
    data = content.encode("utf-8")
    if len(data) > FILE_BYTES:
        raise ToolError(f"The content has {len(data)} bytes, at most {FILE_BYTES} are taken")
    target = confined(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return f"wrote {len(data)} bytes to {target.relative_to(WORKSPACE)}"


def confined(path):
    """The file that a path names, refused when links or dots lead out of the workspace."""
    target = (WORKSPACE / path).resolve()
    if not target.is_relative_to(WORKSPACE):
        raise ToolError(f"{path!r} is not below {WORKSPACE}")
    return target
