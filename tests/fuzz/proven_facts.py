"""Target `facts`: what a connector hands to a core, to be believed only where the chain proves it.

Requests (Submit) and what became of them (Inform) with changed fields, headers and proofs. Refused is the
only error, and whatever was changed, the core's state is one that the chain has had.
"""

from __future__ import annotations

import shutil
from typing import Final

from core.errors import Refused
from core.trust import DRIFT_S, Trust
from light.headers import Policy
from tests.core.test_authorize import KEY_ID, PERIOD_S
from tests.core.test_facts import CHANGE, SUSPENDED, Informed, epoch_value, status_value
from tests.fuzz.choices import Choices
from tests.fuzz.mutation import Dictionary, mutate
from tests.fuzz.spoil import answer, bounded, scratch, spoil_json
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

# Inputs after which a core begins anew: what it verified once it does not verify again.
_INPUTS_OF_A_LIFE: Final = 20


class Facts:
    """A core with a journal, and a connector that lies."""

    def __init__(self) -> None:
        """Begin with the first input."""
        self._inputs = _INPUTS_OF_A_LIFE
        self._open: Informed | None = None

    def __call__(self, data: bytes) -> None:
        """Some calls."""
        if self._inputs >= _INPUTS_OF_A_LIFE:
            self._begin()
        self._inputs += 1
        choices = Choices(data)
        with bounded():
            for _ in range(1 + choices.below(3)):
                if choices.chance(128):
                    self._submit(choices)
                else:
                    self._inform(choices)
                if not choices.left:
                    break
        self._check()

    def _begin(self) -> None:
        """A new core; epoch 2 is pending."""
        if self._open is not None:
            self._open.journal.close()
        folder = scratch() / "facts"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._inputs = 0
        self._open = self._scene = scene = Informed(folder)
        scene.epochs.began(2, CHANGE)
        self._submission = scene.submission()
        self._key_records = {b"", *scene.key(asc_pb2.KEY_STATUS_ACTIVE).values()}
        self._key_records |= set(scene.key(SUSPENDED).values())
        informs = [
            scene.tell(scene.key(SUSPENDED)),
            scene.tell(epoch_value(2), done=True),
            scene.tell(status_value(asc_pb2.STATUS_FAILED)),
            scene.tell(status_value(asc_pb2.STATUS_PENDING)),
            scene.tell({b"config/other": b"x"}),
        ]
        self._informs = informs
        proofs = [fact.proof for inform in informs for fact in inform.facts]
        keys = [fact.key for inform in informs for fact in inform.facts]
        values = [*proofs, *keys, KEY_ID, CHANGE.value, b"", bytes(32), b"asc/key/", b"asc/status/"]
        self._dictionary = Dictionary(values, [0, 1, 2, scene.chain.height, 2**63])

    def _submit(self, choices: Choices) -> None:
        request = core_pb2.SubmitRequest()
        request.CopyFrom(self._submission)
        for _ in range(choices.below(4)):
            mutate(request, choices, self._dictionary)
        self._change_headers(request, choices)
        verdict = answer(lambda: self._scene.authorizer.authorize(request), Refused)
        if verdict is not None and verdict.permission is not None:
            assert verdict.permission.entry == self._scene.entry
            assert verdict.permission.epoch == self._scene.epoch

    def _inform(self, choices: Choices) -> None:
        inform = core_pb2.InformRequest()
        inform.CopyFrom(choices.pick(self._informs))
        for _ in range(choices.below(4)):
            mutate(inform, choices, self._dictionary)
        self._change_headers(inform, choices)
        answer(lambda: self._scene.facts.learn(inform), Refused)

    def _change_headers(
        self, request: core_pb2.SubmitRequest | core_pb2.InformRequest, choices: Choices
    ) -> None:
        """Other JSON in them."""
        others = [self._submission.headers[0].signed_header]
        for block in request.headers:
            if choices.chance(60):
                block.signed_header = spoil_json(block.signed_header, choices, others)
            if choices.chance(30):
                block.validators = spoil_json(block.validators, choices, others)

    def _check(self) -> None:
        """Nothing is believed that the chain never said."""
        scene = self._scene
        assert scene.epochs.states.current in {1, 2}
        assert (scene.journal.key(KEY_ID) or b"") in self._key_records
        assert scene.trust.height <= scene.chain.height + 1
        for height in range(1, scene.chain.height + 2):
            root = scene.journal.app_hash(height)
            assert root is None or root == scene.chain._roots[height - 1]
        policy = Policy(scene.chain.chain_id, PERIOD_S, DRIFT_S)
        again = Trust(policy, scene.chain.pinned, scene.journal, lambda: scene.now_ns)
        assert again.height == scene.trust.height
