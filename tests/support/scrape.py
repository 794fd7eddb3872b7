"""What a metrics endpoint says, as a dictionary."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from telemetry.exposition import Exposition
from telemetry.instruments import Instruments

Series = dict[tuple[tuple[str, str], ...], float]


@dataclass(frozen=True)
class Scraped:
    """Families by name, with help, form and samples by the sample's name."""

    helps: dict[str, str]
    forms: dict[str, str]
    samples: dict[str, Series]

    def value(self, name: str, **labels: str) -> float:
        """The only sample with these labels."""
        return self.samples[name][tuple(sorted(labels.items()))]

    def total(self, name: str) -> float:
        """Sum over all labels."""
        return sum(self.samples[name].values())


def parse(text: str) -> Scraped:
    """Read the text form."""
    helps: dict[str, str] = {}
    forms: dict[str, str] = {}
    samples: dict[str, Series] = {}
    for family in text_string_to_metric_families(text):
        # The text form names counters with their suffix, the parser drops it.
        name = f"{family.name}_total" if family.type == "counter" else family.name
        helps[name], forms[name] = family.documentation, family.type
        for sample in family.samples:
            series = samples.setdefault(sample.name, {})
            series[tuple(sorted(sample.labels.items()))] = sample.value
    return Scraped(helps, forms, samples)


def read(instruments: Instruments) -> Scraped:
    """Read instruments of this process through the text form."""
    return parse(Exposition(instruments).text().decode())


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body of a GET on loopback."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own address
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def scrape(url: str) -> Scraped:
    """Read a metrics endpoint."""
    status, body = fetch(f"{url}/metrics")
    assert status == 200
    return parse(body.decode())
