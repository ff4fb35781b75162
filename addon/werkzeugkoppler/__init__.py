"""A mitmproxy addon that answers OpenAI-compatible clients with one shared stack of prompts and tools."""

__version__ = "0.1.0"
