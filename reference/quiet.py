"""Keeps transformers' info lines and progress bars out of the output of the scripts."""

from transformers.utils import logging


def silence_transformers(errors_only: bool = False) -> None:
    """Shows warnings and errors only, or errors only (a fresh head is announced with a warning), and no progress bars."""
    if errors_only:
        logging.set_verbosity_error()
    else:
        logging.set_verbosity_warning()
    logging.disable_progress_bar()
