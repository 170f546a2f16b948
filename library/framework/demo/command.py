"""The command `demo`: checks the port and the store before anything heavy is imported."""

from pydantic import Field

from ..cli.parser import Command
from ..discovery import find_tabs
from ..errors import UserError


class Demo(Command):
    """Shows a page to try the registered models and see studies, to this machine alone, until it is stopped."""

    on_interrupt = "the page is closed"
    port: int = Field(7860, ge=1024, le=65535, description="port of 127.0.0.1 to answer on")

    def __call__(self) -> None:
        from ..serving import sockets

        with sockets.listen(self.port) as listening, self.open_existing_store() as store:
            try:
                from .page import serve
            except ModuleNotFoundError as error:
                if error.name != "gradio":
                    raise
                raise UserError("gradio is not installed; pip install 'cats-and-sums[demo]'") from None
            serve(store, find_tabs(), listening)
