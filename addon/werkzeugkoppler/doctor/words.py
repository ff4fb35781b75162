"""The errors of a client, in words for people."""

import os

import aiohttp


def in_words(error: Exception) -> str:
    """Why a request failed; the class's name where the error says nothing."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        reason = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
        return f"cannot connect: {reason or cause}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
