"""What gunicorn reads as ``gunicorn.conf.py`` for the project of Django."""

from metering.integrations.django import usage
from metering.integrations.gunicorn import closes, opens

post_worker_init = opens(usage)
worker_exit = closes(usage)
