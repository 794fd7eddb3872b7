"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine only; speed is shown by bench/.
settings.register_profile("tkms", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tkms")
