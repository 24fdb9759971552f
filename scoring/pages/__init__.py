"""Pages that people look at: of a run, made from its folder and nothing else."""

from ._page_document import PAGE_FORMAT, RunPage, page_document, read_page
from ._render import ListedRun, render_page, render_run_list

__all__ = ["PAGE_FORMAT", "ListedRun", "RunPage", "page_document", "read_page", "render_page", "render_run_list"]
