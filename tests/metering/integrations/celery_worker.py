"""The example for Celery, with the directory that BROKER names as its broker."""

import os
from pathlib import Path

from tests.metering.integrations.celery_files import use_files
from tests.metering.integrations.examples.celery_backend import app

use_files(app, Path(os.environ["BROKER"]))
