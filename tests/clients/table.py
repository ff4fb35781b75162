"""The clients that are tested, in the versions for which their drivers are written."""

from typing import Final

from tests.clients.environments import Client, Errors, NodeClient, PythonClient

OPENAI: Final = Errors("openai.AuthenticationError", "openai.InternalServerError", "openai.APIError")
PYDANTIC_AI: Final = Errors(
    "pydantic_ai.exceptions.ModelHTTPError",
    "pydantic_ai.exceptions.ModelHTTPError",
    "pydantic_ai.exceptions.ModelAPIError",
)

CLIENTS: Final[tuple[Client, ...]] = (
    PythonClient(
        name="openai-python",
        packages=("openai>=3.52,<4",),
        driver="with_openai",
        errors=OPENAI,
    ),
    NodeClient(
        name="openai-node",
        packages=("openai@>=6.49 <8",),  # 7 needs Node 22; npm takes what suits
        driver="with_openai.cjs",
        errors=OPENAI,
    ),
    PythonClient(
        name="litellm",
        packages=("litellm[mcp]>=1.106,<2",),  # without its extra it fails where a tool is offered
        driver="with_litellm",
        errors=OPENAI,
        variables={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # it asks the internet for prices otherwise
    ),
    PythonClient(
        name="langchain",
        packages=("langchain>=1.4,<2", "langchain-openai>=1.7,<2"),
        driver="with_langchain",
        errors=OPENAI,
    ),
    PythonClient(
        name="pydantic-ai",
        packages=("pydantic-ai-slim[openai]>=2.68,<3",),
        driver="with_pydantic_ai",
        errors=PYDANTIC_AI,
    ),
    PythonClient(
        name="llm",
        packages=("llm>=0.36,<0.40",),
        driver="with_llm",
        errors=OPENAI,
    ),
)
