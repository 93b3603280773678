"""Own a broker of Celery that is a directory: tasks are files, and so are results."""

from pathlib import Path
from typing import Any


def use_files(app: Any, directory: Path) -> None:
    """Let an application send tasks to a directory, and write their results there."""
    for folder in ("control", "queue", "results"):
        (directory / folder).mkdir(exist_ok=True)
    app.conf.update(
        broker_url="filesystem://",
        broker_transport_options={
            "control_folder": str(directory / "control"),
            "data_folder_in": str(directory / "queue"),
            "data_folder_out": str(directory / "queue"),
        },
        result_backend=(directory / "results").as_uri(),
    )
