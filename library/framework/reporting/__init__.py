"""`make report`: a store on one page of HTML, that opens without a server and without a network.

What it shows is read from the registry, the runs and the studies; its figures are drawn anew from metrics, but for a
few that runs keep; its links lead into MLflow's pages, which `make ui` shows.
"""

from .html import write

__all__ = ["write"]
