"""Schemathesis over the OpenAPI document: valid and invalid requests of every operation, by real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import validate
from schemathesis import CheckFunction, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from edge.explorer.api.openapi import document
from edge.explorer.api.routes import OPERATIONS, VERSION
from tests.edge.explorer.served import api_in_a_thread
from tests.edge.explorer.world import World, build_world

DOCUMENT = document(OPERATIONS, VERSION)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
EXAMPLES = 12


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The served API of the world."""
    world: World = build_world(tmp_path_factory.mktemp("world"))
    with api_in_a_thread(world) as address:
        yield address
    world.chain.close()


def expected(case: schemathesis.Case, status: int) -> list[CheckFunction]:
    """Checks that know less of HTTP than the API."""
    if status == 414:
        # Longer than any address: refused, and by the right word.
        return [negative_data_rejection]
    if status == 400 and "cursor" in (case.query or {}):
        # That a cursor is of no page of the list, no schema can tell.
        return [positive_data_acceptance]
    return []


def test_the_document_is_openapi() -> None:
    """By the specification's own schema."""
    validate(DOCUMENT)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_nothing_is_found(url: str, path: str, mode: GenerationMode) -> None:
    """Statuses, bodies, headers and content types are those of the document; nothing is a failure of ours."""
    operation = SCHEMA[path]["GET"]

    @given(case=operation.as_strategy(generation_mode=mode), _filler=st.none())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case, _filler: None) -> None:
        response = case.call(base_url=url)
        case.validate_response(response, excluded_checks=expected(case, response.status_code))

    try:
        run()
    except Unsatisfiable:
        # Without parameters nothing can be wrong.
        assert mode is GenerationMode.NEGATIVE
        assert not DOCUMENT["paths"][path]["get"]["parameters"]
