"""The page of `make demo`: a tab for each family of models, one for each other model, and one for studies.

Gradio makes the controls. Nothing leaves the machine: no usage statistics, no fonts or scripts of other hosts.
"""

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Protocol

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

import gradio as gr
from fastapi import FastAPI

from ..errors import UserError
from ..serving import sockets
from ..tracking.store import Store
from . import other_models, studies
from .models import Models

CSS = """
.gradio-container {max-width: 960px !important; width: 100%; margin: auto; padding: 8px !important}
.pixels img {image-rendering: pixelated; object-fit: contain !important}
.when-full:has(.empty) {display: none}
.answer textarea, .answer input {font-size: 1.6em}
"""
MAX_UPLOAD = "20mb"


class Tab(Protocol):
    """What a family brings: a module with a title, and two functions."""

    TITLE: str

    def owns(self, name: str) -> bool:
        """Whether a registered model belongs to the family."""

    def build(self, models: Models, names: Sequence[str], shown: Any) -> None:
        """Makes the controls, for the family's registered models; `shown` is the event that the tab is selected."""


def sentences(function: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    """The function with one more output, the message: empty, or why there is no result, the others being empty."""

    def call(*values: Any) -> Any:
        try:
            results = function(*values)
        except (UserError, ValueError) as error:
            return (*[None] * outputs, f"⚠️ {' '.join(str(error).split())}")
        return (*(results if outputs > 1 else [results]), "")

    return call


def version_choice(models: Models, name: str) -> Any:
    """The control that selects a stage or a version of a model."""
    choices = models.choices(name)
    return gr.Dropdown(choices, value=choices[0], label=f"Version of {name}", interactive=True)


def build(store: Store, tabs: Sequence[Tab]) -> Any:
    """The page of a store, as Gradio's blocks."""
    models = Models()
    names = models.names()
    with gr.Blocks(title="Cats & Sums", analytics_enabled=False) as page:
        gr.Markdown("# Cats & Sums\nTry the registered models. Everything is computed on this machine.")
        for tab in tabs:
            own = [name for name in names if tab.owns(name)]
            with gr.Tab(tab.TITLE) as shown:
                tab.build(models, own, shown.select)
            names = [name for name in names if name not in own]
        with gr.Tab("Studies"):
            read = studies.build(store, page.load)
        for name in names:
            with gr.Tab(name):
                other_models.build(models, name, version_choice(models, name))
        read.then(models.start, api_visibility="private")  # seconds that the first answer then has
    return page


def create_app(store: Store, tabs: Sequence[Tab]) -> FastAPI:
    """The page as an application, whose first page loads nothing from another host."""
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Soft(font=fonts, font_mono=["ui-monospace", "monospace"])
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None), build(store, tabs), "", theme=theme, css=CSS, ssr_mode=False, footer_links=[],
        max_file_size=MAX_UPLOAD, show_error=False, server_name="127.0.0.1",
    )  # fmt: skip

    async def stay_local(request: Any, call_next: Any) -> Any:
        """Lets a browser load from this server only, whatever the page names."""
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = (
            "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"
        )
        return response

    app.middleware("http")(stay_local)
    return app


def serve(store: Store, tabs: Sequence[Tab], listening: socket.socket) -> None:
    """Prints the page's address and serves it until SIGINT or SIGTERM; files that were uploaded are then deleted.

    Raises:
        KeyboardInterrupt: after SIGINT.
    """
    with tempfile.TemporaryDirectory() as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        app = create_app(store, tabs)
        host, port = listening.getsockname()
        print(f"The demo is on http://{host}:{port}/ until Ctrl-C", flush=True)
        sockets.answer(app, listening, lifespan="auto", timeout_graceful_shutdown=1)
