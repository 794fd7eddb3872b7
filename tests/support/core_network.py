"""Whole cores over real mutual TLS on loopback, and what a test needs around them."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import tkms_kernel as kernel
from aiohttp import web

from core import keystore
from core.certificates import generate, to_der
from core.main import Core
from core.settings import FaultMode, Settings
from core.vault import from_settings, make_private_folder, write_private
from mpc.dealing import Deal, Material
from tests.support.made_chain import MadeChain
from tests.support.ports import free_port
from wire.digests import sha3_256, sha256
from wire.fhe import pool_blocks
from wire.ids import KeyId, PartyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer

WAIT_S = 60.0
FORMAT = 2


def signing_secret(party: int) -> bytes:
    """Toy signing key of a party."""
    return sha256(b"signing %d" % party)


class MemoryStorage:
    """The storage protocol over HTTP, in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self.blobs: dict[str, bytes] = {}
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["MemoryStorage"]:
        """Serve on loopback."""
        application = web.Application(client_max_size=2**30)
        application.router.add_put("/v1/blobs/{digest}", self._put)
        application.router.add_get("/v1/blobs/{digest}", self._get)
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _put(self, request: web.Request) -> web.Response:
        data = await request.read()
        digest = request.match_info["digest"]
        if sha3_256(data).hex() != digest:
            return web.Response(status=400)
        self.blobs[digest] = data
        return web.Response(status=201)

    async def _get(self, request: web.Request) -> web.Response:
        data = self.blobs.get(request.match_info["digest"])
        return web.Response(body=data) if data is not None else web.Response(status=404)


@dataclasses.dataclass(frozen=True, slots=True)
class TestKey:
    """A `test` key made outside, with the oracle that the cores do not have."""

    __test__ = False
    key_id: KeyId
    client: kernel.ClientKey
    server: kernel.ServerKey
    public: dict[str, bytes]

    def ciphertext(self, fhe_type: int, value: int) -> tuple[isc_pb2.Ciphertext, bytes]:
        """A squashed ciphertext: what the application registers, and its bytes."""
        data = self.server.squash(self.client.encrypt(fhe_type, value), fhe_type, FORMAT == 2)
        return describe(self.key_id, data, fhe_type, FORMAT), data

    def ordinary(self, fhe_type: int, value: int) -> tuple[isc_pb2.Ciphertext, bytes]:
        """An ordinary ciphertext: what the application registers, and its bytes."""
        data = self.client.encrypt(fhe_type, value)
        return describe(self.key_id, data, fhe_type, 1), data


def describe(key_id: KeyId, data: bytes, fhe_type: int, number: int) -> isc_pb2.Ciphertext:
    """Registration of bytes of a type and format."""
    return isc_pb2.Ciphertext(
        handle=sha256(data),
        digest=sha3_256(data),
        fhe_type=fhe_type,
        format=number,
        size=len(data),
        key_id=key_id.value,
    )


class Network:
    """Settings of n cores, their epoch and their chain."""

    def __init__(self, root: Path, parties: int, chain: MadeChain | None = None) -> None:
        """Write homes with keys and certificates below `root`."""
        self.chain = chain or MadeChain()
        self.root = root
        self.threshold = (parties - 1) // 3
        self.blocks = 0
        self.settings = {number: self._home(number) for number in range(1, parties + 1)}
        self.epoch = config_pb2.Epoch(
            id=1,
            parties=[self._party(number) for number in self.settings],
            threshold=self.threshold,
            thresholds=config_pb2.Thresholds(
                public_decryption=self.threshold + 1,
                user_decryption=2 * self.threshold + 1,
                generation=parties - self.threshold,
            ),
        )
        self.chain.set_epoch(self.epoch)
        self.chain.commit()

    def _home(self, number: int) -> Settings:
        home = self.root / f"core{number}"
        make_private_folder(home)
        key, certificate = generate(f"party-{number}")
        settings = Settings(
            home=home,
            chain_id=self.chain.chain_id,
            party=PartyId(number),
            peer_listen=f"127.0.0.1:{free_port()}",
            trusted_validators_hash=self.chain.pinned,
            journal=home / "journal.db",
            vault=home / "vault",
            service_socket=home / "core.sock",
            peer_key=home / "peer-key.pem",
            peer_certificate=home / "peer-certificate.pem",
            developer_mode=True,
            pool_blocks=0,
        )
        write_private(settings.peer_key, key)
        write_private(settings.peer_certificate, certificate)
        from_settings(settings).put("signing", signing_secret(number))
        return settings

    def _party(self, number: int) -> config_pb2.Party:
        settings = self.settings[number]
        signer = Secp256k1Signer(signing_secret(number))
        return config_pb2.Party(
            index=number,
            name=f"operator {number}",
            account=signer.address.value,
            verification_key=signer.verification_key,
            tls_certificate=to_der(settings.peer_certificate.read_bytes()),
            peer_address=settings.peer_listen,
        )

    def change(self, number: int, **fields: object) -> None:
        """Change settings of one core."""
        self.settings[number] = dataclasses.replace(self.settings[number], **fields)

    def deal(self, seed: bytes = b"key") -> TestKey:
        """Put a key's shares into the vaults and its record on the chain, without a dealing."""
        parties = len(self.settings)
        client = kernel.ClientKey.generate("test", sha256(seed))
        public = {"public-key": client.compact_public_key(), "server-key": client.server_key()}
        materials = tuple(Material(k, sha3_256(data), len(data)) for k, data in public.items())
        key_id = KeyId(sha256(b"id " + seed)[:20])
        shares = client.deal(parties, self.threshold)
        masks = kernel.PrssKeys.deal(parties, self.threshold, sha256(b"masks " + seed))
        for number, settings in self.settings.items():
            share, mask = shares[number - 1], masks[number - 1]
            deal = Deal(share.to_bytes(), mask.to_bytes(), "test", materials)
            keystore.save(from_settings(settings), key_id, self.epoch.id, deal, dealer=True)
        self.activate(key_id)
        server = kernel.ServerKey.load(public["server-key"])
        return TestKey(key_id, client, server, public)

    def activate(self, key_id: KeyId) -> None:
        """Put an active key record on the chain."""
        record = asc_pb2.MaterialRecord(
            id=key_id.value, status=asc_pb2.KEY_STATUS_ACTIVE, parameters="test", epoch_id=1
        )
        self.chain.set_key(record)
        self.chain.commit()

    def change_epoch(
        self, next_epoch: config_pb2.Epoch, *key_ids: KeyId
    ) -> tuple[asc_pb2.LogEntry, core_pb2.SubmitRequest]:
        """Ask for a change of epoch; the chain's part of it comes with `make_current`."""
        self.chain.set_epoch(next_epoch)
        entry = self.chain.entry(
            asc_pb2.REQUEST_KIND_EPOCH_CHANGE,
            next_epoch,
            key_ids=sorted(key_id.value for key_id in key_ids),
            next_epoch_id=next_epoch.id,
        )
        entry.epoch_id = self.epoch.id
        self.chain.log(entry)
        self.chain.commit()
        return entry, self.chain.submission(entry)

    def make_current(
        self, next_epoch: config_pb2.Epoch, *key_ids: KeyId, done: bool = False
    ) -> core_pb2.InformRequest:
        """What the chain does at n - t equal answers, and what a connector tells of it."""
        self.epoch = next_epoch
        values = {b"config/epoch-current": next_epoch.id.to_bytes(8, "big")}
        for key_id in key_ids:
            record = asc_pb2.MaterialRecord.FromString(
                self.chain.values[b"asc/key/" + key_id.value]
            )
            record.epoch_id = next_epoch.id
            values[b"asc/key/" + key_id.value] = record.SerializeToString()
        return self.chain.inform(values, done=done)

    def request(
        self,
        kind: asc_pb2.RequestKind,
        pairs: Sequence[tuple[isc_pb2.Ciphertext, bytes]] = (),
        **fields: object,
    ) -> tuple[asc_pb2.LogEntry, core_pb2.SubmitRequest]:
        """Put a request on the chain; returns it and what a connector submits."""
        ciphertexts = [ciphertext for ciphertext, _ in pairs]
        if ciphertexts:
            fields = {"key_id": ciphertexts[0].key_id, **fields}
        fields = {"first_block": self.blocks, **fields}
        self.blocks += sum(pool_blocks(each.fhe_type, each.format) for each in ciphertexts)
        entry = self.chain.entry(kind, self.epoch, ciphertexts=ciphertexts, **fields)
        self.chain.log(entry)
        self.chain.commit()
        return entry, self.chain.submission(entry, [data for _, data in pairs])

    @asynccontextmanager
    async def running(self, *numbers: int) -> AsyncIterator[dict[int, "Client"]]:
        """Cores (all when none are named) and a connector's view of each."""
        cores = {n: Core(self.settings[n]) for n in numbers or self.settings}
        clients = {}
        try:
            for number, core in cores.items():
                await core.start()
                clients[number] = Client(self.settings[number].service_socket)
            yield clients
        finally:
            for client in clients.values():
                await client.close()
            for core in cores.values():
                await core.stop()

    def misbehave(self, number: int, mode: FaultMode) -> None:
        """Make one core faulty."""
        self.change(number, fault=mode)


class Client:
    """A connector's side of the core's socket."""

    def __init__(self, path: Path) -> None:
        """Bind to a socket."""
        self._channel = grpc.aio.insecure_channel(
            f"unix:{path}", options=(("grpc.use_local_subchannel_pool", 1),)
        )
        self._stub = core_pb2_grpc.CoreServiceStub(self._channel)
        self.progress: list[asc_pb2.ReportProgress] = []

    async def submit(self, request: core_pb2.SubmitRequest) -> core_pb2.WorkState:
        """Hand in a request."""
        reply = await self._stub.Submit(request, timeout=WAIT_S, wait_for_ready=True)
        return reply.state

    async def inform(self, request: core_pb2.InformRequest) -> None:
        """Tell what became of epochs, keys and requests."""
        await self._stub.Inform(request, timeout=WAIT_S, wait_for_ready=True)

    async def results(self, count: int, after: int = 0) -> list[core_pb2.Result]:
        """The next `count` results behind a cursor; progress on the way is kept apart."""
        stream = self._stub.Results(
            core_pb2.ResultsRequest(after_cursor=after), wait_for_ready=True
        )
        found = []
        async with asyncio.timeout(WAIT_S):
            async for result in stream:
                if result.HasField("progress"):
                    self.progress.append(result.progress)
                    continue
                found.append(result)
                if len(found) == count:
                    break
        stream.cancel()
        return found

    async def status(self) -> core_pb2.StatusReply:
        """What the core says of itself."""
        return await self._stub.Status(core_pb2.StatusRequest(), timeout=WAIT_S)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()
