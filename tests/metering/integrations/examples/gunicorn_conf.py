"""What gunicorn reads as ``gunicorn.conf.py``."""

from metering.integrations.gunicorn import closes, opens
from tests.metering.integrations.examples.flask_backend import usage

workers = 2
threads = 4
post_worker_init = opens(usage)
worker_exit = closes(usage)
