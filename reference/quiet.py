"""Keeps transformers' info lines and progress bars out of the output of the scripts."""

from transformers.utils import logging


def silence_transformers() -> None:
    """Shows warnings and errors only, and no progress bars."""
    logging.set_verbosity_warning()
    logging.disable_progress_bar()
